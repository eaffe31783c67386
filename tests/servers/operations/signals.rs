//! Metrics, probes and logs.

use std::collections::BTreeSet;

use roomkeeper::api::Phase;
use roomkeeper::backend::MediaCredentials;
use serde_json::{Value, json};

use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, in_seconds, session};
use crate::support::{eventually, now, run};

/// Labels that metrics may have: each has few values, however many Rooms and people there are.
const LABELS: [&str; 9] = ["backend", "class", "code", "le", "op", "phase", "reason", "result", "version"];

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
fn the_end_of_a_call_is_counted_once_with_its_lag_behind_the_window() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("short", json!({"validUntil": in_seconds(600), "participants": [{"name": "ada"}]})).await;
        place.until_phase("short", Phase::Open).await;
        let lag = async |part: &str| stage.controller.metric(&format!("roomkeeper_end_lag_seconds_{part}")).await;
        assert_eq!(lag("count").await, Some(0.0));
        let end = in_seconds(2);
        place.edit("short", json!({"validUntil": end})).await;
        place.until_phase("short", Phase::Expired).await;
        let longest = now().duration_since(end.parse().expect("a moment")).as_secs_f64();
        assert_eq!(lag("count").await, Some(1.0));
        let sum = lag("sum").await.expect("a sum");
        assert!((0.0..=longest).contains(&sum), "{sum} s, and the end was seen {longest} s after the window's");
    });
}

#[test]
fn rooms_that_fail_are_counted_by_their_reason() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let metric = |reason: &str| format!("roomkeeper_reconcile_failures_total{{reason=\"{reason}\"}}");
        place.apply("well", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("well", Phase::Open).await;
        let taken = ["create", "secret", "generic", "stuck-invite-ada", "-n", &place.namespace];
        assert!(stage.cluster.kubectl(&taken, "").status.success());
        let mut livekit = LiveKitServer::start(Options::default()).await;
        livekit.stop();
        stage.class("down", &livekit, json!({})).await;
        stage.class_reason("down", "Unreachable").await;
        for (name, class, condition, reason) in
            [("stuck", "livekit", "InvitesReady", "NameConflict"), ("waiting", "down", "SessionReady", "Unreachable")]
        {
            let metric = metric(reason);
            assert_eq!(stage.controller.metric(&metric).await, None, "{metric}: nothing has failed yet");
            place.apply(name, json!({"roomClassName": class, "participants": [{"name": "ada"}]})).await;
            place.until_not(name, condition, reason).await;
            eventually(PATIENCE, async || match stage.controller.metric(&metric).await {
                Some(failures) if failures >= 1.0 => Ok(()),
                other => Err(format!("{metric} {other:?}")),
            })
            .await;
        }
    });
}

#[test]
fn no_metric_names_a_room_or_a_person() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let mut names = vec![place.namespace.clone()];
        for (name, [stays, goes]) in [("hanging-gardens", ["semiramis", "hammurabi"]), ("great-pyramid", ["cleopatra", "hatshepsut"])] {
            place.apply(name, json!({"participants": [{"name": stays}, {"name": goes}]})).await;
            let room = place.until_phase(name, Phase::Open).await;
            let invite = place.invite(name, goes).await;
            let (one, other) = (place.joined(name, stays, &[]).await, place.joined(name, goes, &[]).await);
            place.edit(name, json!({"participants": [{"name": stays}]})).await;
            other.event("disconnected").await;
            eventually(PATIENCE, async || match stage.join(&invite).await {
                answer if answer.problem() == "invalid-invite" => Ok(()),
                answer => Err(format!("{answer:?}")),
            })
            .await;
            one.close().await;
            names.extend([name, stays, goes].map(str::to_owned));
            names.extend([session(&room), room.metadata.uid.expect("a UID")]);
        }
        let forged = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), "none".into(), now());
        assert!(Client::join(&forged, &[]).await.is_err());
        place.delete("great-pyramid").await;
        place.until_gone("great-pyramid", PATIENCE).await;
        for role in [&stage.controller, &stage.gateway] {
            let metrics = role.metrics().await;
            for name in &names {
                assert!(!metrics.contains(name.as_str()), "{name} is in {metrics}");
            }
            let labels = labels(&metrics);
            assert!(labels.contains("op") && labels.is_subset(&BTreeSet::from(LABELS)), "{labels:?}");
        }
    });
}

/// The labels that lines of `/metrics` have.
fn labels(metrics: &str) -> BTreeSet<&str> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let sets = lines.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0));
    sets.flat_map(|set| set.split("\",")).filter_map(|label| Some(label.split_once("=\"")?.0)).collect()
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
        assert_eq!(line["span"], json!({"name": "reconcile", "namespace": place.namespace, "room": "call", "trace_id": trace}), "{line}");
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
