//! People who are added while a Room lives, without a write to the Room.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, RoomGuest};
use serde_json::{Value, json};

use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds, value};
use crate::support::{eventually, run};

fn guests(stage: &Stage, place: &Place<'_>) -> Api<RoomGuest> {
    Api::namespaced(stage.admin.clone(), &place.namespace)
}

async fn add(stage: &Stage, place: &Place<'_>, name: &str, spec: Value) {
    let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": name}, "spec": spec});
    guests(stage, place).patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(guest)).await.expect("the guest is accepted");
}

/// The guest once its Ready condition has this reason.
async fn until(stage: &Stage, place: &Place<'_>, name: &str, reason: &str) -> RoomGuest {
    let guests = guests(stage, place);
    eventually(PATIENCE, async || {
        let guest = guests.get(name).await.map_err(|error| error.to_string())?;
        let found = guest.status.iter().flat_map(|status| &status.conditions).any(|condition| condition.reason == reason);
        if found { Ok(guest) } else { Err(serde_json::to_string(&guest.status).expect("JSON")) }
    })
    .await
}

#[test]
fn a_guest_gets_an_invite_of_their_own_and_goes_with_the_object() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "pia", "role": "Presenter"}]})).await;
        let room = place.until_phase("call", Phase::Open).await;
        add(stage, &place, "eve", json!({"roomName": "call", "displayName": "Eve", "role": "Presenter", "invitedBy": "pia"})).await;
        let guest = until(stage, &place, "eve", "Issued").await;
        assert_eq!(guest.owner_references()[0].uid, room.uid().expect("a UID"));
        assert_eq!(guest.status.and_then(|status| status.secret_name).as_deref(), Some("call-invite-guest-eve"));
        let after = place.rooms().get("call").await.expect("the Room");
        assert_eq!(after.metadata.generation, room.metadata.generation, "the Room's spec was not written");
        let secret = place.invite_secret("call", "guest-eve").await.expect("the guest's invite");
        assert_eq!((value(&secret, "participant").as_str(), value(&secret, "role").as_str()), ("guest-eve", "Presenter"));
        let invite = value(&secret, "invite");
        let view = stage.view(&invite).await;
        assert_eq!(view.body["participant"], json!({"name": "guest-eve", "displayName": "Eve"}));

        let caller = Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call");
        guests(stage, &place).delete("eve", &DeleteParams::default()).await.expect("deleted");
        caller.event("disconnected").await;
        assert_eq!(stage.view(&invite).await.problem(), "invalid-invite");
        eventually(PATIENCE, async || {
            let left = place.invite_secret("call", "guest-eve").await;
            if left.is_none() { Ok(()) } else { Err("the Secret is still there".to_owned()) }
        })
        .await;
    });
}

#[test]
fn a_guest_who_is_made_again_under_the_same_name_is_somebody_else() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "pia", "role": "Presenter"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let presenter = place.invite("call", "pia").await;
        let added = stage.post("/v1/guests", &presenter, Some(json!({"displayName": "Irina", "role": "Attendee"}))).await;
        let by_presenter = added.body["url"].as_str().and_then(|url| url.split_once('#')).expect("a link").1.to_owned();
        assert_eq!(stage.view(&by_presenter).await.status, 200, "the link is good at once");

        add(stage, &place, "interpreter", json!({"roomName": "call", "displayName": "Irina", "role": "Attendee"})).await;
        until(stage, &place, "interpreter", "Issued").await;
        let first = place.invite("call", "guest-interpreter").await;
        let irina = Client::join(&stage.credentials(&first).await, &[]).await.expect("in the call");
        guests(stage, &place).delete("interpreter", &DeleteParams::default()).await.expect("deleted");
        add(stage, &place, "interpreter", json!({"roomName": "call", "displayName": "Somebody else", "role": "Attendee"})).await;
        irina.event("disconnected").await;
        eventually(PATIENCE, async || {
            let second = place.invite_secret("call", "guest-interpreter").await.map(|secret| value(&secret, "invite"));
            let second = second.filter(|second| *second != first).ok_or("no other invite")?;
            let view = stage.view(&second).await;
            if view.body["participant"]["displayName"] == "Somebody else" { Ok(()) } else { Err("not known yet") }
        })
        .await;
        assert_eq!(stage.view(&first).await.problem(), "invalid-invite");
    });
}

#[test]
fn a_guest_of_a_room_that_does_not_exist_is_told_so_and_let_in_once_it_does() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        add(stage, &place, "eve", json!({"roomName": "later", "displayName": "Eve", "role": "Attendee"})).await;
        until(stage, &place, "eve", "RoomNotFound").await;
        place.apply("later", json!({})).await;
        until(stage, &place, "eve", "Issued").await;
        assert_eq!(stage.join(&place.invite("later", "guest-eve").await).await.status, 200);
    });
}

/// Has the API server refuse every change of the guest of this name.
fn seal(stage: &Stage, name: &str) {
    let api = |kind: &str| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "sealed-guest"}});
    let mut policy = api("ValidatingAdmissionPolicy");
    let rule = |resource: &str| {
        json!({"apiGroups": ["roomkeeper.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource],
            "resourceNames": [name]})
    };
    policy["spec"] = json!({
        "matchConstraints": {"resourceRules": [rule("roomguests"), rule("roomguests/status")]},
        "validations": [{"expression": "false", "message": "it is sealed"}],
    });
    let mut binding = api("ValidatingAdmissionPolicyBinding");
    binding["spec"] = json!({"policyName": "sealed-guest", "validationActions": ["Deny"]});
    let manifests = format!("{policy}\n---\n{binding}\n");
    let applied = stage.cluster.kubectl(&["apply", "-f", "-"], &manifests);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
}

#[test]
fn a_guest_who_cannot_be_written_holds_up_neither_the_others_nor_the_end() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let sealed = format!("sealed-{}", place.namespace);
        add(stage, &place, &sealed, json!({"roomName": "call", "displayName": "Sealed", "role": "Attendee"})).await;
        until(stage, &place, &sealed, "RoomNotFound").await;
        seal(stage, &sealed);
        let guests = guests(stage, &place);
        let label = Patch::Merge(json!({"metadata": {"labels": {"sealed": "no"}}}));
        eventually(PATIENCE, async || match guests.patch(&sealed, &PatchParams::default(), &label).await {
            Ok(_) => Err("the policy is not in force yet"),
            Err(_) => Ok(()),
        })
        .await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        for name in ["eve", "max"] {
            add(stage, &place, name, json!({"roomName": "call", "displayName": name, "role": "Attendee"})).await;
        }
        for name in ["eve", "max"] {
            let guest = until(stage, &place, name, "Issued").await;
            assert_eq!(guest.owner_references().len(), 1, "the Room owns {name}");
        }
        assert_eq!(guests.get(&sealed).await.expect("the guest").owner_references(), []);
        place.edit("call", json!({"validUntil": in_seconds(3)})).await;
        place.until("call", |status| status.phase == Phase::Expired).await;
        for name in ["eve", "max"] {
            until(stage, &place, name, "Expired").await;
        }
    });
}

#[test]
fn guests_end_with_their_room() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({})).await;
        add(stage, &place, "eve", json!({"roomName": "call", "displayName": "Eve", "role": "Attendee"})).await;
        until(stage, &place, "eve", "Issued").await;
        place.edit("call", json!({"validUntil": in_seconds(0)})).await;
        place.until_phase("call", Phase::Expired).await;
        until(stage, &place, "eve", "Expired").await;
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        place.delete("call").await;
        let guests = guests(stage, &place);
        eventually(PATIENCE, async || match guests.get_opt("eve").await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(guest) => Err(format!("{:?}", guest.metadata)),
        })
        .await;
    });
}

#[test]
fn whom_presenters_added_they_withdraw_and_the_end_does_and_guests_of_others_stay() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "pia", "role": "Presenter"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let pia = place.invite("call", "pia").await;
        let mut added = Vec::new();
        for name in ["Eve", "Max"] {
            added.push(stage.post("/v1/guests", &pia, Some(json!({"displayName": name}))).await.body);
        }
        let text = |guest: &Value, key: &str| guest[key].as_str().expect(key).to_owned();
        let (eve, invite) = (text(&added[0], "name"), text(&added[0], "url").split_once('#').expect("a link").1.to_owned());
        add(stage, &place, "irina", json!({"roomName": "call", "displayName": "Irina", "role": "Attendee", "invitedBy": "pia"})).await;
        until(stage, &place, "irina", "Issued").await;
        until(stage, &place, eve.strip_prefix("guest-").expect("an identity"), "Issued").await;

        let caller = Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call");
        assert_eq!(stage.delete(&format!("/v1/guests/{eve}"), &pia).await.status, 204);
        caller.event("disconnected").await;
        assert_eq!(stage.view(&invite).await.problem(), "invalid-invite");
        assert_eq!(stage.delete("/v1/guests/guest-irina", &pia).await.problem(), "not-allowed");
        place.event("call", "GuestWithdrawn").await;

        place.edit("call", json!({"validUntil": in_seconds(0)})).await;
        place.until_phase("call", Phase::Expired).await;
        until(stage, &place, "irina", "Expired").await;
        let guests = guests(stage, &place);
        eventually(PATIENCE, async || {
            let left = guests.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let names: Vec<String> = left.items.iter().map(ResourceExt::name_any).collect();
            if names == ["irina"] { Ok(()) } else { Err(format!("{names:?}")) }
        })
        .await;
    });
}

#[test]
fn a_guest_is_immutable_and_bounded() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let guests = guests(stage, &place);
        add(stage, &place, "eve", json!({"roomName": "call", "displayName": "Eve", "role": "Attendee"})).await;
        let patch = Patch::Merge(json!({"spec": {"role": "Presenter"}}));
        let refusal = guests.patch("eve", &PatchParams::default(), &patch).await.expect_err("refused").to_string();
        assert!(refusal.contains("immutable"), "{refusal}");
        let wrong = [
            ("a-name-of-58-characters-is-one-more-than-a-label-has-room-for", json!({}), "metadata.name"),
            ("with.dot", json!({}), "metadata.name"),
            ("nameless", json!({"displayName": ""}), "displayName"),
            ("chief", json!({"role": "Chief"}), "role"),
        ];
        for (name, change, named) in wrong {
            let mut spec = json!({"roomName": "call", "displayName": "Eve", "role": "Attendee"});
            spec.as_object_mut().expect("a map").extend(change.as_object().expect("a map").clone());
            let guest = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}));
            let Ok(guest) = guest else { continue };
            let refusal = guests.create(&kube::api::PostParams::default(), &guest).await.expect_err(name).to_string();
            assert!(refusal.contains(named), "{refusal}");
        }
    });
}
