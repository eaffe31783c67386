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
