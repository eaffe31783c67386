//! Metrics, probes and logs.

use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::support::livekit::{LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, now, run};

#[test]
fn rooms_are_counted_by_phase_and_calls_to_media_servers_by_what_came_of_them() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("open", json!({"participants": [{"name": "ada"}]})).await;
        place.apply("planned", json!({"validFrom": in_seconds(600), "validUntil": in_seconds(1200)})).await;
        place.apply("over", json!({"validFrom": in_seconds(-600), "validUntil": in_seconds(-300)})).await;
        place.apply("paused", json!({"suspend": true})).await;
        for (name, phase) in [("open", Phase::Open), ("planned", Phase::Scheduled), ("over", Phase::Expired), ("paused", Phase::Suspended)]
        {
            place.until_phase(name, phase).await;
            let metric = format!("roomkeeper_rooms{{phase=\"{phase:?}\"}}");
            eventually(PATIENCE, async || match stage.controller.metric(&metric).await {
                Some(1.0) => Ok(()),
                other => Err(format!("{metric} {other:?}")),
            })
            .await;
        }
        assert_eq!(stage.controller.metric("roomkeeper_rooms{phase=\"Pending\"}").await, Some(0.0));
        let ensured = stage.controller.metric("roomkeeper_backend_calls_total{backend=\"livekit\",op=\"ensure\",code=\"OK\"}").await;
        assert_eq!(ensured, Some(1.0));
        place.joined("open", "ada", &[]).await.close().await;
        let observed = stage.gateway.metric("roomkeeper_backend_calls_total{backend=\"livekit\",op=\"observe\",code=\"OK\"}").await;
        assert!(observed.is_some_and(|calls| calls >= 1.0), "{observed:?}");
        let swept = stage.controller.metric("roomkeeper_last_successful_sweep_timestamp_seconds{class=\"livekit\"}").await;
        let age = now().as_duration().as_secs_f64() - swept.expect("a sweep");
        assert!((0.0..60.0).contains(&age), "{age}");
        assert_eq!(
            stage.controller.metric(&format!("roomkeeper_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))).await,
            Some(1.0)
        );
    });
}

#[test]
fn a_class_that_goes_takes_its_metrics_along() {
    run(async {
        let stage = Stage::start().await;
        let metric = "roomkeeper_last_successful_sweep_timestamp_seconds{class=\"short-lived\"}";
        stage.class("short-lived", &stage.livekit, json!({})).await;
        eventually(PATIENCE, async || stage.controller.metric(metric).await.ok_or("no sweep yet")).await;
        let deleted = stage.cluster.kubectl(&["delete", "roomclass", "short-lived"], "");
        assert!(deleted.status.success());
        eventually(PATIENCE, async || match stage.controller.metric(metric).await {
            None => Ok(()),
            Some(value) => Err(value),
        })
        .await;
    });
}

#[test]
fn a_media_server_that_hangs_is_counted_and_leaves_the_controller_alive_and_ready() {
    run(async {
        let stage = Stage::start().await;
        let mut livekit = LiveKitServer::start(Options::default()).await;
        stage.class("hanging", &livekit, json!({})).await;
        stage.class_reason("hanging", "Reconciled").await;
        livekit.signal("STOP");
        stage.class_reason("hanging", "Unreachable").await;
        let metrics = stage.controller.metrics().await;
        let failed =
            metrics.lines().any(|line| line.starts_with("roomkeeper_backend_calls_total") && line.contains("code=\"Unreachable\""));
        assert!(failed, "{metrics}");
        assert_eq!(stage.controller.probes().await, (true, true));
        livekit.signal("CONT");
        stage.class_reason("hanging", "Reconciled").await;
    });
}

#[test]
fn json_logs_say_which_room_a_line_is_about_and_in_which_trace_it_belongs() {
    run(async {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let controller = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let gateway = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let flags = ["--log-format=json", "--log=roomkeeper=debug"];
        let gateway = Role::gateway_with(&gateway, free_port(), &flags).await;
        let url = format!("http://127.0.0.1:{}", gateway.port);
        let controller = Role::controller_with(&controller, &url, &[&["--leader-elect=false"], flags.as_slice()].concat()).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        let room = place.until_phase("call", Phase::Open).await;
        let trace = room.metadata.uid.expect("a UID").replace('-', "");
        let ben = place.joined("call", "ben", &[]).await;
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        ben.event("disconnected").await;
        let line = eventually(PATIENCE, async || {
            let lines = lines(&controller);
            lines.iter().find(|line| line["event"] == "removed" && line["room"] == "call").cloned().ok_or(format!("{lines:?}"))
        })
        .await;
        assert_eq!(line["span"], json!({"name": "pass", "namespace": place.namespace, "room": "call", "trace_id": trace}), "{line}");
        let invite = place.invite("call", "ada").await;
        let answer = crate::support::stage::ask(gateway.port, "POST", "/v1/join", &invite, None).await.expect("an answer");
        assert_eq!(answer.status, 200);
        let line = lines(&gateway).into_iter().find(|line| line["event"] == "join").expect("the join");
        assert_eq!((&line["span"]["room"], &line["span"]["http.route"]), (&json!("call"), &json!("/v1/join")), "{line}");
    });
}

/// The lines of a log, each of which must be JSON.
fn lines(role: &Role) -> Vec<Value> {
    role.log().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
