//! Nothing for GitOps tools to repair after Roomkeeper has done its work, and nothing for Roomkeeper to do when they apply again.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use roomkeeper::api::{Phase, Room};
use serde_json::{Value, json};

use super::printed;
use crate::support::run;
use crate::support::stage::{PATIENCE, Place, Stage, condition, in_seconds};

/// A GitOps tool: the name under which it applies, and how it marks what it has applied.
struct Tool {
    manager: &'static str,
    metadata: fn(&str, &str) -> Value,
}

const ARGO_CD: Tool = Tool {
    manager: "argocd-controller",
    // Argo CD 3 and later; before, where it is told to track by annotation.
    metadata: |namespace, name| json!({"annotations": {"argocd.argoproj.io/tracking-id": format!("rooms:roomkeeper.io/Room:{namespace}/{name}")}}),
};
const FLUX: Tool = Tool {
    manager: "kustomize-controller",
    metadata: |_, _| json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "rooms", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}),
};
/// Helm, which looks at its release at each upgrade, and makes what is gone.
const HELM: Tool = Tool { manager: "helm", metadata: |_, _| json!({"annotations": {"meta.helm.sh/release-name": "rooms"}}) };

impl Tool {
    fn manifest(&self, namespace: &str, name: &str, spec: &Value) -> Value {
        let mut metadata = (self.metadata)(namespace, name);
        metadata["name"] = name.into();
        metadata["namespace"] = namespace.into();
        json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": metadata, "spec": spec})
    }

    async fn apply(&self, place: &Place<'_>, name: &str, spec: &Value) -> Room {
        self.send(place, name, spec, PatchParams::apply(self.manager).force()).await
    }

    /// What the object would be after another apply: what both tools compare the object with.
    async fn would_be(&self, place: &Place<'_>, name: &str, spec: &Value) -> Room {
        self.send(place, name, spec, PatchParams::apply(self.manager).force().dry_run()).await
    }

    async fn send(&self, place: &Place<'_>, name: &str, spec: &Value, params: PatchParams) -> Room {
        let manifest = Patch::Apply(self.manifest(&place.namespace, name, spec));
        place.rooms().patch(name, &params, &manifest).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// Specs that leave as much to defaults as they can, and one that says all.
fn specs() -> Vec<(&'static str, Value, Phase)> {
    let people = json!([{"name": "ada", "role": "Presenter"}, {"name": "ben"}, {"name": "eve", "suspended": true}]);
    vec![
        ("bare", json!({}), Phase::Open),
        ("people", json!({"duration": "90m", "participants": people}), Phase::Open),
        ("waiting", json!({"validFrom": in_seconds(3600), "duration": "1h", "participants": people}), Phase::Scheduled),
        ("closed", json!({"duration": "1h", "suspend": true, "participants": people}), Phase::Suspended),
        ("over", json!({"validUntil": in_seconds(-60), "participants": people}), Phase::Expired),
        (
            "everything",
            json!({
                "displayName": "Everything", "id": "7b0c1f52-6f0e-4f57-9d4c-2f7b8e1a9c33", "roomClassName": "livekit",
                "validFrom": in_seconds(-60), "validUntil": in_seconds(3600), "joinPolicy": "AnyoneWithLink",
                "link": {"role": "Consumer", "generation": 2}, "maxParticipants": 7, "suspend": false, "ttlSecondsAfterExpired": 600,
                "session": {"provision": "OnFirstJoin", "closeWhenEmptyAfter": "10m"},
                "participants": [{"name": "ada", "displayName": "Ada", "role": "Presenter", "suspended": false, "inviteGeneration": 3}],
                "inviteTemplate": {"metadata": {"labels": {"team": "board"}, "annotations": {"mail": "yes"}}},
            }),
            Phase::Open,
        ),
    ]
}

#[test]
fn after_the_work_is_done_no_tool_finds_a_difference() {
    run(async {
        let stage = Stage::shared().await;
        for tool in [ARGO_CD, FLUX] {
            let place = stage.place().await;
            for (name, spec, phase) in specs() {
                tool.apply(&place, name, &spec).await;
                let room = place.until_phase(name, phase).await;
                let would_be = tool.would_be(&place, name, &spec).await;
                assert_eq!(json!(would_be), json!(room), "{} {name}: an apply would change something", tool.manager);
                owns_nothing_else(&room, tool.manager);
            }
        }
    });
}

#[test]
fn argo_cd_finds_no_difference_by_its_three_way_merge_either() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        // Without server-side apply Argo CD goes the way of kubectl: it records what it applied in the annotation that kubectl
        // uses, and merges that, the manifest and the object.
        for (name, spec, phase) in specs() {
            let manifest = ARGO_CD.manifest(&place.namespace, name, &spec).to_string();
            let manager = format!("--field-manager={}", ARGO_CD.manager);
            printed(&stage.cluster.kubectl(&["apply", &manager, "-f", "-"], &manifest));
            let before = place.until_phase(name, phase).await;
            assert_eq!(printed(&stage.cluster.kubectl(&["diff", &manager, "-f", "-"], &manifest)), "", "{name}");
            printed(&stage.cluster.kubectl(&["apply", &manager, "-f", "-"], &manifest));
            let after = place.until_phase(name, phase).await;
            assert_eq!(before.resource_version(), after.resource_version(), "{name}");
        }
    });
}

#[test]
fn applying_again_costs_roomkeeper_no_write() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let mut rooms = Vec::new();
        for (tool, kind) in [(ARGO_CD, "argo"), (FLUX, "flux")] {
            for (name, mut spec, phase) in specs() {
                let name = format!("{kind}-{name}");
                // Two Rooms must not share an id.
                if let Some(id) = spec.get_mut("id") {
                    *id = format!("{kind}-7b0c1f52-6f0e-4f57").into();
                }
                tool.apply(&place, &name, &spec).await;
                rooms.push((tool.manager, name.clone(), spec, place.until_phase(&name, phase).await));
            }
        }
        for (_, name, _, room) in &rooms {
            let phase = room.status.as_ref().expect("a status").phase;
            let told = if phase == Phase::Open { "Opened".to_owned() } else { format!("{phase:?}") };
            place.event(name, &told).await;
        }
        let mark = stage.cluster.audit().len();
        for (manager, name, spec, room) in &rooms {
            let tool = if *manager == ARGO_CD.manager { ARGO_CD } else { FLUX };
            let again = tool.apply(&place, name, spec).await;
            assert_eq!(again.resource_version(), room.resource_version(), "{name} was changed by the same manifest");
        }
        // What comes after in the same watch has been dealt with: so have the applies before it.
        place.apply("afterwards", json!({"duration": "1h"})).await;
        place.until_phase("afterwards", Phase::Open).await;
        let writes: Vec<String> = stage.cluster.audit()[mark..].iter().filter_map(write_of_the_controller).collect();
        assert!(writes.iter().any(|write| write.contains("afterwards")), "the audit log has what came after: {writes:?}");
        let others: Vec<&String> =
            writes.iter().filter(|write| rooms.iter().any(|(_, name, _, _)| write.contains(name.as_str()))).collect();
        assert_eq!(others, Vec::<&String>::new());
        for (_, name, _, room) in &rooms {
            let now = place.rooms().get(name).await.expect("the Room");
            assert_eq!(now.resource_version(), room.resource_version(), "{name} was written");
        }
    });
}

#[test]
fn what_somebody_changed_by_hand_is_put_back_by_the_tool_and_stays_so() {
    run(async {
        let stage = Stage::shared().await;
        for tool in [ARGO_CD, FLUX] {
            let place = stage.place().await;
            let spec = json!({"duration": "1h", "participants": [{"name": "ada"}, {"name": "ben"}]});
            tool.apply(&place, "call", &spec).await;
            place.until_phase("call", Phase::Open).await;
            let invite = place.invite("call", "ada").await;
            place.edit("call", json!({"participants": [{"name": "eve"}], "suspend": true})).await;
            place.until_phase("call", Phase::Suspended).await;
            let drifted = place.rooms().get("call").await.expect("the Room");
            assert_ne!(json!(tool.would_be(&place, "call", &spec).await.spec), json!(drifted.spec), "the tool sees the difference");
            // What a merge patch of somebody else has added stays theirs, so a tool that prunes fields sends `suspend: false`.
            let spec = json!({"duration": "1h", "suspend": false, "participants": [{"name": "ada"}, {"name": "ben"}]});
            tool.apply(&place, "call", &spec).await;
            let room = place.until_phase("call", Phase::Open).await;
            assert_eq!(json!(tool.would_be(&place, "call", &spec).await), json!(room));
            assert_eq!(place.invite("call", "ada").await, invite, "the link of before");
        }
    });
}

#[test]
fn a_tracked_room_that_is_over_stays_and_is_not_made_again() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("short-lived", &stage.livekit, json!({"ttlSecondsAfterExpired": 1})).await;
        let spec = json!({"roomClassName": "short-lived", "validUntil": in_seconds(3), "participants": [{"name": "ada"}]});
        let mut kept = Vec::new();
        for (name, tool) in [("argo-cd", ARGO_CD), ("flux", FLUX), ("helm", HELM)] {
            tool.apply(&place, name, &spec).await;
            kept.push((name, tool, place.until_phase(name, Phase::Expired).await));
        }
        // The same, tracked by nobody and with a later end, is gone by its TTL: theirs has passed, too. The end of the others is a whole
        // second that lies behind us, and fractions of this one are cut off, so it comes two seconds after theirs at the least.
        place.apply("nobodys", json!({"roomClassName": "short-lived", "validUntil": in_seconds(2)})).await;
        place.until_gone("nobodys", PATIENCE).await;
        for (name, tool, before) in kept {
            let again = tool.apply(&place, name, &spec).await;
            assert_eq!((again.uid(), again.resource_version()), (before.uid(), before.resource_version()), "{name}");
            let status = again.status.expect("a status");
            assert_eq!((status.phase, condition(&status, "Ready").0), (Phase::Expired, "True"));
            assert!(status.next_transition_time.is_none(), "{name} is not going to be deleted");
        }
        assert_eq!(place.secret_names().await, Vec::<String>::new());
    });
}

/// Argo CD before 3 tracks by the label `app.kubernetes.io/instance`, which Helm charts and many others set as well: it says
/// nothing about who would make the Room again. So such a Room follows its TTL, and what comes back is over at once.
#[test]
fn the_label_that_everybody_sets_keeps_no_room_and_one_that_comes_back_is_over_at_once() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("short", &stage.livekit, json!({"ttlSecondsAfterExpired": 1})).await;
        let spec = json!({"roomClassName": "short", "validUntil": in_seconds(-60), "participants": [{"name": "ada"}]});
        let label = json!({"labels": {"app.kubernetes.io/instance": "rooms"}});
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(place.apply_with("call", label.clone(), spec.clone()).await.uid());
            place.until_gone("call", PATIENCE).await;
        }
        made.dedup();
        assert_eq!(made.len(), 3, "each was made anew");
        let writes: Vec<String> = stage.cluster.audit().iter().filter_map(write_of_the_controller).collect();
        let of_this_place: Vec<&String> = writes.iter().filter(|write| write.contains(&place.namespace)).collect();
        assert!(of_this_place.iter().any(|write| write.starts_with("delete")), "{of_this_place:?}");
        assert!(!of_this_place.iter().any(|write| write.contains("/secrets")), "no invite is issued: {of_this_place:?}");
    });
}

/// Roomkeeper owns its finalizer and the status, and nothing that a tool could want to write.
fn owns_nothing_else(room: &Room, tool: &str) {
    let mut by_roomkeeper = Vec::new();
    for entry in room.metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() != Some(tool)) {
        let fields = &entry.fields_v1.as_ref().expect("fields").0;
        let owned = fields.as_object().expect("fields").iter();
        by_roomkeeper.extend(owned.map(|(field, below)| match field.as_str() {
            "f:metadata" => below.as_object().expect("fields").keys().cloned().collect::<Vec<_>>().join(" "),
            field => field.to_owned(),
        }));
    }
    by_roomkeeper.sort();
    by_roomkeeper.dedup();
    // What was over before it was seen needs no finalizer.
    assert!(by_roomkeeper == ["f:finalizers", "f:status"] || by_roomkeeper == ["f:status"], "{by_roomkeeper:?}");
}

/// An audit event as `verb resource/name`, if it is a write of the controller.
fn write_of_the_controller(event: &Value) -> Option<String> {
    let user = event["user"]["username"].as_str()?;
    let verb = event["verb"].as_str()?;
    let is_write = user.ends_with(":roomkeeper-controller") && !["get", "list", "watch"].contains(&verb);
    is_write.then(|| format!("{verb} {} {}", event["requestURI"].as_str().unwrap_or_default(), event["objectRef"]["name"]))
}
