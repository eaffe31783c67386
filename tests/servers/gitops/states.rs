//! Every state that an object can be in, made for real.

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, RoomClass};
use serde_json::json;

use crate::support::livekit::{LiveKitServer, Options};
use crate::support::run;
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds, set_credentials};

/// One state of one kind, and what the tools have to say of it.
pub struct State {
    pub kind: &'static str,
    /// What the state is called, and the file of its dump.
    pub name: &'static str,
    pub kstatus: &'static str,
    pub argo_cd: &'static str,
}

const fn state(kind: &'static str, name: &'static str, kstatus: &'static str, argo_cd: &'static str) -> State {
    State { kind, name, kstatus, argo_cd }
}

/// All states.
pub const STATES: &[State] = &[
    state("Room", "not-seen-yet", "InProgress", "Progressing"),
    state("Room", "spec-not-seen-yet", "InProgress", "Progressing"),
    state("Room", "scheduled", "Current", "Healthy"),
    state("Room", "open", "Current", "Healthy"),
    state("Room", "suspended", "Current", "Suspended"),
    state("Room", "expired", "Current", "Healthy"),
    state("Room", "media-server-unreachable", "InProgress", "Progressing"),
    state("Room", "media-server-refuses-key", "Failed", "Degraded"),
    state("Room", "class-not-found", "Failed", "Degraded"),
    state("Room", "secret-of-somebody-else", "Failed", "Degraded"),
    state("Room", "deleting", "Terminating", "Progressing"),
    state("RoomClass", "not-seen-yet", "InProgress", "Progressing"),
    state("RoomClass", "spec-not-seen-yet", "InProgress", "Progressing"),
    state("RoomClass", "ready", "Current", "Healthy"),
    state("RoomClass", "unreachable", "InProgress", "Progressing"),
    state("RoomClass", "unauthorized", "Failed", "Degraded"),
    state("RoomClass", "unsafe-auto-create", "Failed", "Degraded"),
    state("RoomGuest", "not-seen-yet", "InProgress", "Progressing"),
    state("RoomGuest", "invited", "Current", "Healthy"),
    state("RoomGuest", "room-not-found", "InProgress", "Progressing"),
    state("RoomGuest", "over", "InProgress", "Healthy"),
];

/// Brings an object into each of the states, and shows it to `look` while it is there, as YAML.
pub fn for_each_state(mut look: impl FnMut(&State, &str)) {
    run(async {
        let mut stage = Stage::start().await;
        stage.cluster.retire();
        stage.cluster.kubectl(&["create", "namespace", "calls"], "");
        let classes = classes(&stage).await;
        let place = stage.place_in("calls".into());
        living(&place).await;
        failing(&place, &stage).await;
        guests(&place, &stage);
        let mut show = |stage: &Stage, name: &str| {
            for state in STATES.iter().filter(|state| state.name == name) {
                let dump = stage.cluster.kubectl(&["get", "-n", "calls", state.kind, state.name, "-o", "yaml"], "");
                look(state, &super::printed(&dump));
            }
        };
        let unseen = ["not-seen-yet", "spec-not-seen-yet", "deleting"];
        let mut seen: Vec<&str> = STATES.iter().map(|state| state.name).filter(|name| !unseen.contains(name)).collect();
        seen.sort_unstable();
        seen.dedup();
        for name in seen {
            show(&stage, name);
        }
        drop(place);
        stage.controller.process.signal("KILL");
        stage.controller.process.ended(PATIENCE).await;
        without_controller(&stage, &classes).await;
        for name in unseen {
            show(&stage, name);
        }
    });
}

/// Classes on media servers that are well, away, closed to us, and dangerous.
async fn classes(stage: &Stage) -> Vec<LiveKitServer> {
    let mut away = LiveKitServer::start(Options::default()).await;
    away.stop();
    let dangerous = LiveKitServer::start(Options { auto_create: true, ..Options::default() }).await;
    stage.class("ready", &stage.livekit, json!({})).await;
    stage.class("spec-not-seen-yet", &stage.livekit, json!({})).await;
    stage.class("unreachable", &away, json!({})).await;
    stage.class("unauthorized", &stage.livekit, json!({})).await;
    stage.class("unsafe-auto-create", &dangerous, json!({})).await;
    let wrong = "not the secret that this server knows, but long";
    set_credentials(&stage.admin, "unauthorized", &stage.livekit.options.api_key, wrong).await;
    stage.class_reason("ready", "Reconciled").await;
    stage.class_reason("spec-not-seen-yet", "Reconciled").await;
    stage.class_reason("unreachable", "Unreachable").await;
    stage.class_reason("unauthorized", "Unauthorized").await;
    stage.class_reason("unsafe-auto-create", "UnsafeAutoCreate").await;
    vec![away, dangerous]
}

/// Rooms as they should be.
async fn living(place: &Place<'_>) {
    let people = json!([{"name": "ada", "role": "Presenter"}, {"name": "ben"}]);
    place.apply("scheduled", json!({"validFrom": in_seconds(3600), "duration": "1h", "participants": people})).await;
    place.apply("open", json!({"duration": "1h", "participants": people})).await;
    place.apply("suspended", json!({"duration": "1h", "suspend": true, "participants": people})).await;
    place.apply("expired", json!({"validUntil": in_seconds(-60), "participants": people})).await;
    place.apply("spec-not-seen-yet", json!({"duration": "1h", "participants": people})).await;
    place.apply("deleting", json!({"duration": "1h", "participants": people})).await;
    place.until_phase("scheduled", Phase::Scheduled).await;
    place.until_phase("suspended", Phase::Suspended).await;
    place.until_phase("expired", Phase::Expired).await;
    for open in ["open", "spec-not-seen-yet", "deleting"] {
        place.until_phase(open, Phase::Open).await;
    }
}

/// Rooms that something is wrong with.
async fn failing(place: &Place<'_>, stage: &Stage) {
    place.apply("media-server-unreachable", json!({"roomClassName": "unreachable", "duration": "1h"})).await;
    place.apply("media-server-refuses-key", json!({"roomClassName": "unauthorized", "duration": "1h"})).await;
    place.apply("class-not-found", json!({"roomClassName": "nowhere", "duration": "1h"})).await;
    let secret = ["create", "secret", "generic", "-n", "calls", "secret-of-somebody-else-invite-ada", "--from-literal=a=b"];
    super::printed(&stage.cluster.kubectl(&secret, ""));
    place.apply("secret-of-somebody-else", json!({"duration": "1h", "participants": [{"name": "ada"}]})).await;
    place.until_not("media-server-unreachable", "Ready", "Unreachable").await;
    place.until_not("media-server-refuses-key", "Ready", "Unauthorized").await;
    place.until_not("class-not-found", "Ready", "ClassNotFound").await;
    place.until_not("secret-of-somebody-else", "Ready", "NameConflict").await;
}

/// Guests, each waited for by the reason of its condition.
fn guests(place: &Place<'_>, stage: &Stage) {
    for (name, room, reason) in
        [("invited", "open", "Issued"), ("room-not-found", "nowhere", "RoomNotFound"), ("over", "expired", "Expired")]
    {
        make_guest(stage, name, room);
        let wait = format!("--for=jsonpath={{.status.conditions[?(@.type==\"Ready\")].reason}}={reason}");
        super::printed(&stage.cluster.kubectl(&["wait", "-n", &place.namespace, &wait, "roomguest", name, "--timeout=30s"], ""));
    }
}

fn make_guest(stage: &Stage, name: &str, room: &str) {
    let guest = json!({
        "apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": name},
        "spec": {"roomName": room, "displayName": "Eve", "role": "Attendee"},
    });
    super::printed(&stage.cluster.kubectl(&["create", "-n", "calls", "-f", "-"], &guest.to_string()));
}

/// What nobody has seen yet, because there is no controller any more.
async fn without_controller(stage: &Stage, classes: &[LiveKitServer]) {
    let place = stage.place_in("calls".into());
    place.apply("not-seen-yet", json!({"duration": "1h"})).await;
    place.edit("spec-not-seen-yet", json!({"suspend": true})).await;
    place.rooms().delete("deleting", &DeleteParams::default()).await.expect("the deletion is accepted");
    make_guest(stage, "not-seen-yet", "open");
    stage.class("not-seen-yet", &classes[0], json!({})).await;
    let all = Api::<RoomClass>::all(stage.admin.clone());
    let change = Patch::Merge(json!({"spec": {"ttlSecondsAfterExpired": 60}}));
    let class = all.patch("spec-not-seen-yet", &PatchParams::default(), &change).await.expect("the change is accepted");
    assert_eq!(class.name_any(), "spec-not-seen-yet");
}
