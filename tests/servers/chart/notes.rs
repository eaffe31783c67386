//! What Helm tells the person who has just installed the chart.

use crate::support::helm::{chart, helm, said};

/// The notes for these values, with each run of white space as one space.
fn notes(arguments: &[&str]) -> String {
    let chart = chart().display().to_string();
    let install = ["install", "roomkeeper", &chart, "--namespace", "calls", "--dry-run=client"];
    let output = said(&helm(None, &[&install, arguments].concat()));
    let (_, notes) = output.split_once("\nNOTES:\n").expect("notes");
    notes.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_notes_tell_of_tls_that_the_ingress_does_not_know_of() {
    const HOST: &str = "gateway.ingress.enabled=true,gateway.ingress.hosts={meet.example.org}";
    for (more, url, advice, hint) in [
        ("", "http://meet.example.org", true, true),
        (",gateway.ingress.tls[0].secretName=meet-tls", "https://meet.example.org", false, false),
        (",gateway.url=https://meet.example.org", "https://meet.example.org", false, false),
        (",gateway.url=http://meet.example.org", "http://meet.example.org", true, false),
    ] {
        let notes = notes(&["--set", &format!("{HOST}{more}")]);
        assert!(notes.contains(&format!("Join links begin with {url}.")), "{notes}");
        assert_eq!(notes.contains("camera and microphone to pages by https alone"), advice, "{notes}");
        assert_eq!(notes.contains("set gateway.url=https://meet.example.org."), hint, "{notes}");
    }
}

#[test]
fn the_notes_tell_where_links_lead_and_who_cannot_open_them() {
    const FOR_NOBODY: &str = "nobody else can use them";
    for (arguments, url, warns) in [
        (&[][..], "http://localhost:8080", true),
        (&["--set", "gateway.service.type=LoadBalancer,gateway.url=http://localhost:8080"], "http://localhost:8080", true),
        (&["--set", "gateway.url=https://meet.example.org/"], "https://meet.example.org", false),
        (
            &[
                "--set",
                "gateway.httpRoute.enabled=true,gateway.httpRoute.parentRefs[0].name=a,gateway.httpRoute.hostnames={meet.example.org}",
            ],
            "https://meet.example.org",
            false,
        ),
    ] {
        let notes = notes(arguments);
        assert!(notes.contains(&format!("Join links begin with {url}.")), "{notes}");
        assert_eq!(notes.contains(FOR_NOBODY), warns, "{notes}");
    }
}

#[test]
fn the_notes_tell_where_media_go() {
    for (arguments, told) in [
        ("gateway.url=https://meet.example.org", "Media go to the node that runs LiveKit, at UDP 30082 and TCP 30081"),
        ("livekit.rtc.nodeIP=203.0.113.9", "Media go to 203.0.113.9, at UDP 30082"),
        (
            "livekit.rtc.service.type=LoadBalancer,livekit.rtc.service.perProtocol=true",
            "kubectl get service -n calls roomkeeper-livekit-media roomkeeper-livekit-media-tcp",
        ),
        (
            "livekit.rtc.service.type=ClusterIP,livekit.turnServers[0].host=turn.example.org,livekit.turnServers[0].secretName=turn",
            "Media go to LiveKit's pod by way of turn.example.org.",
        ),
        (
            "livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.secretName=turn",
            "Let turn.example.org lead to the load balancer that has TCP 443 for TURN.",
        ),
    ] {
        let notes = notes(&["--set", arguments]);
        assert!(notes.contains(told), "{arguments}: {notes}");
        assert!(notes.contains("the condition MediaReachable of the RoomClass tells whether media reach people"), "{notes}");
    }
}
