//! Somebody who has `view` in one namespace: they see its Rooms and guests, change nothing, and learn nothing else.

use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, Room, RoomGuest};
use serde_json::{Value, json};

use super::person::{send, with_role};
use crate::support::stage::{PATIENCE, Place, Stage};
use crate::support::{eventually, run};

const GROUP: &str = "/apis/roomkeeper.io/v1alpha1";

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A Room with one guest.
async fn with_a_guest(stage: &Stage, place: &Place<'_>, room: &str) {
    place.apply(room, json!({"participants": [{"name": "ada", "role": "Presenter"}]})).await;
    let guests = Api::<RoomGuest>::namespaced(stage.admin.clone(), &place.namespace);
    let guest = object("RoomGuest", "eve", &json!({"roomName": room, "displayName": "Eve", "role": "Attendee"}));
    guests.patch("eve", &PatchParams::apply("tests").force(), &Patch::Apply(guest)).await.expect("the guest is accepted");
    place.until_phase(room, Phase::Open).await;
    place.until(room, |status| status.participants.len() == 2).await;
}

/// What somebody with `view` must be refused: what it is, method, path and body.
fn attempts(mine: &str, theirs: &str) -> Vec<(&'static str, &'static str, String, Value)> {
    let (here, there) = (format!("{GROUP}/namespaces/{mine}"), format!("{GROUP}/namespaces/{theirs}"));
    let secrets = format!("/api/v1/namespaces/{mine}/secrets");
    let second = object("Room", "second", &json!({}));
    let friend = object("RoomGuest", "vera", &json!({"roomName": "call", "displayName": "Vera", "role": "Presenter"}));
    let removal = object("RoomRemoval", "ada", &json!({"roomName": "call", "identity": "ada"}));
    let shut = json!({"spec": {"suspend": true}});
    let label = json!({"metadata": {"labels": {"seen": "yes"}}});
    let mut attempts = vec![
        ("make a Room", "POST", format!("{here}/rooms"), second.clone()),
        ("edit a Room", "PATCH", format!("{here}/rooms/call"), shut.clone()),
        ("replace a Room", "PUT", format!("{here}/rooms/call"), second),
        ("write the status of a Room", "PATCH", format!("{here}/rooms/call/status"), shut),
        ("make a guest", "POST", format!("{here}/roomguests"), friend.clone()),
        ("label a guest", "PATCH", format!("{here}/roomguests/eve"), label.clone()),
        ("replace a guest", "PUT", format!("{here}/roomguests/eve"), friend),
        ("write the status of a guest", "PATCH", format!("{here}/roomguests/eve/status"), label),
        ("keep somebody out", "POST", format!("{here}/roomremovals"), removal),
        ("let everybody in again", "DELETE", format!("{here}/roomremovals"), Value::Null),
        ("list the Secrets", "GET", secrets.clone(), Value::Null),
        ("watch the Secrets", "GET", format!("{secrets}?watch=true&timeoutSeconds=1"), Value::Null),
    ];
    for invite in ["call-invite-ada", "call-invite-guest-eve"] {
        attempts.push(("read an invite", "GET", format!("{secrets}/{invite}"), Value::Null));
    }
    for (kind, name) in [("rooms", "call"), ("roomguests", "eve")] {
        attempts.push(("delete one", "DELETE", format!("{here}/{kind}/{name}"), Value::Null));
        attempts.push(("delete all", "DELETE", format!("{here}/{kind}"), Value::Null));
    }
    for (kind, name) in [("rooms", "board"), ("roomguests", "eve")] {
        attempts.push(("see one of another namespace", "GET", format!("{there}/{kind}/{name}"), Value::Null));
        attempts.push(("see all of another namespace", "GET", format!("{there}/{kind}"), Value::Null));
        attempts.push(("see all of the cluster", "GET", format!("{GROUP}/{kind}"), Value::Null));
    }
    attempts
}

#[test]
fn who_has_view_in_a_namespace_sees_its_rooms_and_guests_and_changes_nothing() {
    run(async {
        let stage = Stage::shared().await;
        let (mine, theirs) = (stage.place().await, stage.place().await);
        with_a_guest(stage, &mine, "call").await;
        with_a_guest(stage, &theirs, "board").await;
        let vera = with_role(stage, &mine.namespace, "vera", "view").await;

        let rooms = Api::<Room>::namespaced(vera.clone(), &mine.namespace);
        // The right to see calls comes by aggregation, which Kubernetes does a moment later.
        let room = eventually(PATIENCE, async || rooms.get("call").await.map_err(|error| error.to_string())).await;
        let seen = rooms.list(&ListParams::default()).await.expect("the Rooms").items;
        assert_eq!(seen.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["call"]);
        assert_eq!(room.status.as_ref().map(|status| status.phase), Some(Phase::Open), "with their state");
        let guests = Api::<RoomGuest>::namespaced(vera.clone(), &mine.namespace);
        let guest = guests.get("eve").await.expect("the guest");
        let seen = guests.list(&ListParams::default()).await.expect("the guests").items;
        assert_eq!(seen.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["eve"]);
        for kind in ["rooms", "roomguests"] {
            let watch = format!("{GROUP}/namespaces/{}/{kind}?watch=true&timeoutSeconds=1", mine.namespace);
            assert!(send(&vera, "GET", &watch, &Value::Null).await.expect("a watch").contains("\"ADDED\""), "{kind} can be watched");
        }

        let mut succeeded = Vec::new();
        for (what, method, path, body) in attempts(&mine.namespace, &theirs.namespace) {
            match send(&vera, method, &path, &body).await {
                Err(kube::Error::Api(status)) if status.is_forbidden() => {}
                answer => succeeded.push(format!("to {what} ({method} {path}): {answer:?}")),
            }
        }
        assert!(succeeded.is_empty(), "Vera was not refused\n{}", succeeded.join("\n"));

        // Nothing has come of it.
        let after = mine.rooms().list(&ListParams::default()).await.expect("the Rooms").items;
        assert_eq!(
            after.iter().map(|room| (room.uid(), room.metadata.generation)).collect::<Vec<_>>(),
            [(room.uid(), room.metadata.generation)]
        );
        let after =
            Api::<RoomGuest>::namespaced(stage.admin.clone(), &mine.namespace).list(&ListParams::default()).await.expect("the guests");
        let kept: Vec<_> = after.items.iter().map(|guest| (guest.uid(), guest.labels().len())).collect();
        assert_eq!(kept, [(guest.uid(), guest.labels().len())]);
    });
}
