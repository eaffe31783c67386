//! Somebody who has `edit` in one namespace, and what they try to get at in another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt};
use roomkeeper::api::{Phase, Room, RoomGuest};
use serde_json::{Value, json};

use super::attempts::attempts;
use super::person::{send, with_role};
use crate::support::livekit::Client as Caller;
use crate::support::stage::{PATIENCE, Place, Stage, session, value};
use crate::support::{eventually, run};

/// Two tenants of one installation. Mallory has the ServiceAccount `mallory` with `edit` in a namespace of theirs.
struct Tenants<'a> {
    stage: &'static Stage,
    mine: Place<'a>,
    theirs: Place<'a>,
    mallory: Client,
}

impl Tenants<'_> {
    async fn meet() -> Self {
        let stage = Stage::shared().await;
        let (mine, theirs) = (stage.place().await, stage.place().await);
        let mallory = with_role(stage, &mine.namespace, "mallory", "edit").await;
        // The right to have calls comes by aggregation, which Kubernetes does a moment later.
        let rooms = Api::<Room>::namespaced(mallory.clone(), &mine.namespace);
        let call = room("call", &json!({"participants": [{"name": "mallory", "role": "Presenter"}, {"name": "ada"}]}));
        eventually(PATIENCE, async || rooms.create(&PostParams::default(), &call).await.map_err(|error| error.to_string())).await;
        theirs.apply("board", json!({"participants": [{"name": "ada", "role": "Presenter"}, {"name": "ben"}]})).await;
        mine.until_phase("call", Phase::Open).await;
        theirs.until_phase("board", Phase::Open).await;
        Self { stage, mine, theirs, mallory }
    }

    fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.mallory.clone(), &self.mine.namespace)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.mallory.clone(), &self.mine.namespace)
    }

    /// Makes a Room as Mallory, and gives it once it is open.
    async fn open(&self, room: Room) -> Room {
        self.rooms().create(&PostParams::default(), &room).await.expect("Mallory may have Rooms");
        self.mine.until_phase(&room.name_any(), Phase::Open).await
    }

    /// What belongs to the other, as it has to stay.
    async fn untouched(&self) -> (Option<String>, String, Vec<(String, Option<String>)>) {
        let room = self.theirs.rooms().get("board").await.expect("the Room");
        let mut secrets = Vec::new();
        for name in self.theirs.secret_names().await {
            let secret = self.theirs.secrets().get(&name).await.expect("the Secret");
            secrets.push((name, secret.resource_version()));
        }
        (room.uid(), session(&room), secrets)
    }
}

fn room(name: &str, spec: &Value) -> Room {
    serde_json::from_value(json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": spec}))
        .expect("a Room")
}

#[test]
fn what_a_tenant_asks_the_api_server_for_beyond_their_namespace_is_refused() {
    run(async {
        let tenants = Tenants::meet().await;
        let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "mallory"},
            "spec": {"roomName": "call", "displayName": "Mallory", "role": "Attendee"}});
        let guest: RoomGuest = serde_json::from_value(guest).expect("a guest");
        let guests = Api::<RoomGuest>::namespaced(tenants.mallory.clone(), &tenants.mine.namespace);
        guests.create(&PostParams::default(), &guest).await.expect("Mallory may have guests");
        let before = tenants.untouched().await;
        let attempts = attempts(&tenants.mine.namespace, &tenants.theirs.namespace);
        assert!(attempts.len() > 25, "only {} attempts", attempts.len());
        let mut succeeded = Vec::new();
        for attempt in attempts {
            let answer = send(&tenants.mallory, attempt.method, &attempt.path, &attempt.body).await;
            match answer {
                Err(kube::Error::Api(status)) if status.code == attempt.status => {}
                answer => succeeded.push(format!("to {} ({} {}): {answer:?}", attempt.what, attempt.method, attempt.path)),
            }
        }
        assert!(succeeded.is_empty(), "Mallory was not refused\n{}", succeeded.join("\n"));
        assert_eq!(tenants.untouched().await, before);
    });
}

#[test]
fn a_room_with_the_id_of_another_opens_nothing_of_it() {
    run(async {
        let tenants = Tenants::meet().await;
        let board = tenants.theirs.rooms().get("board").await.expect("the Room");
        // The same name, the same id and the same people.
        let spec = json!({"id": board.uid(), "participants": [{"name": "ada", "role": "Presenter"}]});
        let copy = tenants.open(room("board", &spec)).await;
        assert_ne!(session(&copy), session(&board));
        let invite = tenants.mine.invite("board", "ada").await;
        let view = tenants.stage.view(&invite).await;
        assert_eq!(view.body["namespace"], tenants.mine.namespace.as_str());
        let client = Caller::join(&tenants.stage.credentials(&invite).await, &[]).await.expect("in a call of one's own");
        let ben = tenants.theirs.joined("board", "ben", &[]).await;
        // A Presenter there, and nobody here.
        assert_eq!(tenants.stage.post("/v1/participants/ben/remove", &invite, None).await.status, 404);
        assert_eq!(tenants.stage.post("/v1/end", &invite, None).await.status, 204);
        client.event("disconnected").await;
        assert_eq!(ben.events().last().map(|event| event["event"] != "disconnected"), Some(true), "{:?}", ben.events());
        // With the Room goes what is its own, and no Secret of the same name elsewhere.
        let before = tenants.untouched().await;
        tenants.rooms().delete("board", &DeleteParams::default()).await.expect("deleted");
        tenants.mine.until_gone("board", PATIENCE).await;
        assert_eq!(tenants.untouched().await, before);
        ben.close().await;
    });
}

#[test]
fn an_invite_that_was_changed_opens_nothing() {
    run(async {
        let tenants = Tenants::meet().await;
        let invite = tenants.mine.invite("call", "mallory").await;
        let parts: Vec<&str> = invite.split('.').collect();
        let mut payload = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
        let at = payload.windows(tenants.mine.namespace.len()).position(|part| part == tenants.mine.namespace.as_bytes());
        let at = at.expect("the namespace in the invite");
        payload[at..at + tenants.theirs.namespace.len()].copy_from_slice(tenants.theirs.namespace.as_bytes());
        let forged =
            [parts[0], parts[1], &URL_SAFE_NO_PAD.encode(payload)].iter().chain(&parts[3..]).copied().collect::<Vec<_>>().join(".");
        assert_eq!(tenants.stage.join(&forged).await.problem(), "invalid-invite");
        assert_eq!(tenants.stage.join(&invite).await.status, 200, "the genuine one is good");
    });
}

#[test]
fn a_guest_for_a_room_of_another_namespace_is_nobody() {
    run(async {
        let tenants = Tenants::meet().await;
        let before = tenants.untouched().await;
        let guests = Api::<RoomGuest>::namespaced(tenants.mallory.clone(), &tenants.mine.namespace);
        let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "mallory"},
            "spec": {"roomName": "board", "displayName": "Mallory", "role": "Presenter"}});
        let guest: RoomGuest = serde_json::from_value(guest).expect("a guest");
        guests.create(&PostParams::default(), &guest).await.expect("Mallory may have guests");
        eventually(PATIENCE, async || {
            let guest = guests.get("mallory").await.map_err(|error| error.to_string())?;
            let reasons = guest.status.iter().flat_map(|status| &status.conditions).map(|condition| condition.reason.clone());
            let reasons: Vec<String> = reasons.collect();
            if reasons == ["RoomNotFound"] { Ok(()) } else { Err(format!("{reasons:?}")) }
        })
        .await;
        assert_eq!(tenants.untouched().await, before);
    });
}

#[test]
fn secrets_with_the_names_and_labels_of_invites_are_neither_filled_nor_deleted() {
    run(async {
        let tenants = Tenants::meet().await;
        let board = tenants.theirs.rooms().get("board").await.expect("the Room");
        let secret = |name: &str| {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {
                "roomkeeper.io/room": "board", "roomkeeper.io/room-uid": board.uid(), "roomkeeper.io/participant": "ada",
                "app.kubernetes.io/managed-by": "roomkeeper"}}, "type": "roomkeeper.io/invite", "stringData": {"invite": "mine"}});
            serde_json::from_value::<Secret>(secret).expect("a Secret")
        };
        // Named like an invite of a Room that comes later, and like one of the other's.
        for name in ["late-invite-ada", "board-invite-ada"] {
            tenants.secrets().create(&PostParams::default(), &secret(name)).await.expect("Mallory may have Secrets");
        }
        tenants.rooms().create(&PostParams::default(), &room("late", &json!({"participants": [{"name": "ada"}]}))).await.expect("a Room");
        tenants.mine.until_not("late", "InvitesReady", "NameConflict").await;
        // The other's invites are renewed, withdrawn, and gone with their Room.
        let one = json!({"participants": [{"name": "ada", "role": "Presenter", "inviteGeneration": 1}]});
        tenants.theirs.edit("board", one).await;
        tenants.theirs.until_phase("board", Phase::Open).await;
        tenants.theirs.delete("board").await;
        tenants.theirs.until_gone("board", PATIENCE).await;
        assert_eq!(tenants.theirs.secret_names().await, Vec::<String>::new());
        for name in ["late-invite-ada", "board-invite-ada"] {
            let kept = tenants.secrets().get(name).await.expect("the Secret is still there");
            assert_eq!(value(&kept, "invite"), "mine");
        }
    });
}

#[test]
fn owner_references_to_another_namespace_hold_and_delete_nothing_there() {
    run(async {
        let tenants = Tenants::meet().await;
        let board = tenants.theirs.rooms().get("board").await.expect("the Room");
        let before = tenants.untouched().await;
        let mut owned = room("owned", &json!({"participants": [{"name": "mallory"}]}));
        owned.metadata.owner_references = serde_json::from_value(json!([{"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room",
            "name": "board", "uid": board.uid(), "controller": true}]))
        .ok();
        tenants.rooms().create(&PostParams::default(), &owned).await.expect("Mallory may have Rooms");
        // To Kubernetes the owner does not exist, so the Room that names it goes.
        tenants.mine.until_gone("owned", PATIENCE).await;
        assert_eq!(tenants.untouched().await, before);
    });
}

#[test]
fn a_class_that_is_not_open_to_the_namespace_holds_no_room_of_it() {
    run(async {
        let tenants = Tenants::meet().await;
        let name = format!("closed-to-{}", tenants.mine.namespace);
        let allowed = json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}});
        tenants.stage.class(&name, &tenants.stage.livekit, allowed).await;
        let mut labelled = room("labelled", &json!({"roomClassName": name, "participants": [{"name": "mallory"}]}));
        // Labels of the Room are not those of its namespace.
        labelled.metadata.labels = Some([("calls".to_owned(), "yes".to_owned())].into());
        labelled.metadata.annotations = Some([("roomclass.roomkeeper.io/is-default-class".to_owned(), "true".to_owned())].into());
        tenants.rooms().create(&PostParams::default(), &labelled).await.expect("Mallory may have Rooms");
        tenants.mine.until_not("labelled", "Accepted", "NamespaceNotAllowed").await;
        assert!(tenants.mine.invite_secret("labelled", "mallory").await.is_none());
    });
}
