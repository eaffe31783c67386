//! What people and scripts wait for with kubectl while Roomkeeper is at work; `tests/api/kubectl.rs` has what needs no controller.

use std::collections::BTreeSet;
use std::process::Stdio;

use roomkeeper::api::crds;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::printed;
use crate::support::stage::PATIENCE;
use crate::support::stage::{Stage, in_seconds};
use crate::support::tools::tool;
use crate::support::{run, within};

#[test]
fn waiting_for_a_condition_and_for_a_phase_ends_when_it_is_there() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"validUntil": in_seconds(4), "participants": [{"name": "ada"}]})).await;
        for wanted in ["--for=condition=Ready", "--for=jsonpath={.status.phase}=Open", "--for=jsonpath={.status.phase}=Expired"] {
            let waited = stage.cluster.kubectl(&["wait", "-n", &place.namespace, wanted, "room/call", "--timeout=30s"], "");
            assert_eq!(printed(&waited).trim(), "room.roomkeeper.io/call condition met", "{wanted}");
        }
        // Over is as the spec wants it, too.
        printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, "--for=condition=Ready", "room/call", "--timeout=5s"], ""));
        place.delete("call").await;
        printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, "--for=delete", "room/call", "--timeout=30s"], ""));
    });
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
        place.apply("call", json!({"validFrom": in_seconds(2), "validUntil": in_seconds(5), "participants": [{"name": "ada"}]})).await;
        let mut phases: Vec<String> = Vec::new();
        let watched = within(PATIENCE, async || {
            let line = lines.next_line().await.ok().flatten().ok_or("kubectl ended")?;
            phases.extend(line.split_once("call").map(|(_, phase)| phase.trim().to_owned()));
            phases.dedup();
            if phases.iter().any(|phase| phase == "Expired") { Ok(()) } else { Err(format!("{phases:?}")) }
        });
        watched.await.unwrap_or_else(|last| panic!("{last}"));
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
            for part in ["spec", "status"] {
                collect(part, &schema["properties"][part], &mut fields);
            }
            let shown = printed(&stage.cluster.kubectl(&["explain", kind, "--recursive"], ""));
            let shown = paths(&shown);
            let hidden: Vec<_> = fields.difference(&shown).collect();
            assert!(fields.len() > 5 && hidden.is_empty(), "{kind}: {hidden:?} are not in {shown:?}");
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
