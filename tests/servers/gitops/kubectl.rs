//! What people and scripts wait for with kubectl while Roomkeeper is at work; `tests/servers/api/kubectl.rs` has what needs no controller.

use std::collections::BTreeSet;
use std::process::Stdio;

use roomkeeper::api::crds;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::printed;
use crate::support::run;
use crate::support::stage::PATIENCE;
use crate::support::stage::{Stage, in_seconds};
use crate::support::tools::tool;

#[test]
fn waiting_for_a_condition_and_for_a_phase_ends_when_it_is_there() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"validUntil": in_seconds(600), "participants": [{"name": "ada"}]})).await;
        let wait = |wanted: &str| {
            let waited = stage.cluster.kubectl(&["wait", "-n", &place.namespace, wanted, "room/call", "--timeout=30s"], "");
            assert_eq!(printed(&waited).trim(), "room.roomkeeper.io/call condition met", "{wanted}");
        };
        wait("--for=condition=Ready");
        wait("--for=jsonpath={.status.phase}=Open");
        // Not before, so that it is open for as long as kubectl takes to see it.
        place.edit("call", json!({"validUntil": in_seconds(2)})).await;
        wait("--for=jsonpath={.status.phase}=Expired");
        // Over is as the spec wants it, too.
        printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, "--for=condition=Ready", "room/call", "--timeout=5s"], ""));
        place.delete("call").await;
        printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, "--for=delete", "room/call", "--timeout=30s"], ""));
    });
}

/// Reads what kubectl shows until the Room `call` was shown in a phase. `phases` are all that it was shown in.
async fn shown(lines: &mut Lines<BufReader<ChildStdout>>, phases: &mut Vec<String>, wanted: &str) {
    while !phases.iter().any(|phase| phase == wanted) {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap_or_else(|_| panic!("no {wanted} after {phases:?}"));
        let line = line.expect("what kubectl says").unwrap_or_else(|| panic!("kubectl ended after {phases:?}"));
        phases.extend(line.split_once("call").map(|(_, phase)| phase.trim().to_owned()));
        phases.dedup();
    }
}

#[test]
fn watching_shows_a_room_go_through_its_phases_once_each() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let mut command = tokio::process::Command::new(tool("kubectl"));
        command.args([
            "get",
            "rooms",
            "-n",
            &place.namespace,
            "--watch",
            "--no-headers",
            "-o",
            "custom-columns=:.metadata.name,:.status.phase",
        ]);
        command.env("KUBECONFIG", stage.cluster.admin_kubeconfig()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut watching = command.spawn().expect("kubectl");
        let mut lines = BufReader::new(watching.stdout.take().expect("its output")).lines();
        // Once it shows this one, it watches.
        place.apply("first", json!({"suspend": true})).await;
        let mut last = String::new();
        while last != "first Suspended" {
            last = lines.next_line().await.expect("its output").expect("kubectl runs").split_whitespace().collect::<Vec<_>>().join(" ");
        }
        // Far enough ahead that it is still before its window when it is seen first; the fraction of a second is cut off.
        let window = json!({"validFrom": in_seconds(11), "validUntil": in_seconds(600), "participants": [{"name": "ada"}]});
        place.apply("call", window).await;
        let mut phases = Vec::new();
        shown(&mut lines, &mut phases, "Open").await;
        place.edit("call", json!({"validUntil": in_seconds(2)})).await;
        shown(&mut lines, &mut phases, "Expired").await;
        assert_eq!(phases, ["Pending", "Scheduled", "Open", "Expired"]);
    });
}

#[test]
fn explain_shows_every_field_there_is() {
    run(async {
        let stage = Stage::shared().await;
        for crd in crds().iter() {
            let crd = serde_json::to_value(crd).expect("JSON");
            let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind");
            let mut fields = BTreeSet::new();
            let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            let parts = ["spec", "status"].into_iter().filter(|part| schema["properties"][part].is_object());
            parts.for_each(|part| collect(part, &schema["properties"][part], &mut fields));
            let shown = printed(&stage.cluster.kubectl(&["explain", kind, "--recursive"], ""));
            let shown = paths(&shown);
            let hidden: Vec<_> = fields.difference(&shown).collect();
            assert!(fields.len() > 4 && hidden.is_empty(), "{kind}: {hidden:?} are not in {shown:?}");
        }
    });
}

#[test]
fn diff_is_empty_once_the_controller_has_done_its_work() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let room = json!({
            "apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": "call", "namespace": place.namespace},
            "spec": {"duration": "45m", "participants": [{"name": "ada", "role": "Presenter"}, {"name": "ben"}]},
        });
        for options in [&[][..], &["--server-side"]] {
            let kubectl = |verb: &str| stage.cluster.kubectl(&[&[verb, "-f", "-"], options].concat(), &room.to_string());
            printed(&kubectl("apply"));
            printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, "--for=condition=Ready", "room/call", "--timeout=30s"], ""));
            assert_eq!(printed(&kubectl("diff")), "", "{options:?}");
            place.delete("call").await;
            place.until_gone("call", PATIENCE).await;
        }
    });
}

/// Paths of all fields of a schema.
fn collect(path: &str, schema: &Value, fields: &mut BTreeSet<String>) {
    fields.insert(path.to_owned());
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), property, fields);
    }
}

/// Paths of the fields that `kubectl explain --recursive` shows by indentation.
fn paths(shown: &str) -> BTreeSet<String> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut found = BTreeSet::new();
    for line in shown.lines().skip_while(|line| !line.starts_with("FIELDS:")).skip(1) {
        let Some((name, _)) = line.trim_start().split_once('\t').filter(|(name, _)| !name.contains(' ')) else { continue };
        let depth = line.len() - line.trim_start().len();
        above.retain(|(of, _)| *of < depth);
        above.push((depth, name));
        found.insert(above.iter().map(|(_, name)| *name).collect::<Vec<_>>().join("."));
    }
    found
}
