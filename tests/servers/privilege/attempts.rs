//! What somebody who may have calls in one namespace asks the API server for, to get at what is not theirs.

use serde_json::{Value, json};

/// One request that must fail.
pub struct Attempt {
    /// What it is for.
    pub what: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path, with its query.
    pub path: String,
    /// The body, or null.
    pub body: Value,
    /// With which HTTP status it fails.
    pub status: u16,
}

const GROUP: &str = "/apis/roomkeeper.io/v1alpha1";
const OPERATOR: &str = "/api/v1/namespaces/roomkeeper-system";

fn room(spec: &Value) -> Value {
    json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": "trick"}, "spec": spec})
}

fn forbidden(what: &'static str, method: &'static str, path: String, body: Value) -> Attempt {
    Attempt { what, method, path, body, status: 403 }
}

/// All of them, by somebody whose namespace is `mine` and who has the Room `call` there, at somebody with the Room `board` in `theirs`.
pub fn attempts(mine: &str, theirs: &str) -> Vec<Attempt> {
    [
        at_secrets(theirs),
        at_rooms(theirs),
        by_status(mine),
        at_the_class(),
        at_others_words(theirs),
        for_more_rights(mine),
        by_spec(mine, theirs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn at_secrets(theirs: &str) -> Vec<Attempt> {
    let invites = format!("/api/v1/namespaces/{theirs}/secrets");
    let keys = format!("{OPERATOR}/secrets/roomkeeper-invite-keys");
    let empty = json!({"data": {}});
    vec![
        forbidden("read the invite of another", "GET", format!("{invites}/board-invite-ada"), Value::Null),
        forbidden("list the invites of others", "GET", invites.clone(), Value::Null),
        forbidden("replace the invite of another", "PATCH", format!("{invites}/board-invite-ada"), empty.clone()),
        forbidden("read the keys that sign invites", "GET", keys.clone(), Value::Null),
        forbidden("replace the keys that sign invites", "PATCH", keys, empty),
        forbidden("read the credentials of the media server", "GET", format!("{OPERATOR}/secrets/livekit"), Value::Null),
    ]
}

fn at_rooms(theirs: &str) -> Vec<Attempt> {
    let rooms = format!("{GROUP}/namespaces/{theirs}/rooms");
    let board = format!("{rooms}/board");
    let me = json!([{"op": "add", "path": "/spec/participants/-", "value": {"name": "mallory", "role": "Presenter"}}]);
    let no_finalizers = json!({"metadata": {"finalizers": []}});
    vec![
        forbidden("see who is invited elsewhere", "GET", rooms.clone(), Value::Null),
        forbidden("see all Rooms of the cluster", "GET", format!("{GROUP}/rooms"), Value::Null),
        forbidden("make a Room elsewhere", "POST", rooms, room(&json!({}))),
        forbidden("invite oneself to the Room of another", "PATCH", board.clone(), me),
        forbidden("end the call of another", "DELETE", board.clone(), Value::Null),
        forbidden("take the finalizer off the Room of another", "PATCH", board, no_finalizers),
    ]
}

fn by_status(mine: &str) -> Vec<Attempt> {
    let here = format!("{GROUP}/namespaces/{mine}");
    let over = json!({"status": {"phase": "Open", "roomClassName": "livekit", "session": {"id": "theirs", "epoch": 0}}});
    let ready = json!({"status": {"secretName": "board-invite-ada"}});
    vec![
        forbidden("have one's Room take over the session of another", "PATCH", format!("{here}/rooms/call/status"), over),
        forbidden("have one's guest get the invite of another", "PATCH", format!("{here}/roomguests/mallory/status"), ready),
    ]
}

fn at_the_class() -> Vec<Attempt> {
    let classes = format!("{GROUP}/roomclasses");
    let class = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomClass", "metadata": {"name": "mine"},
        "spec": {"backend": {"liveKit": {"url": "http://mallory.example.org", "credentialsSecretRef": {"name": "livekit"}}}}});
    let url = json!({"spec": {"backend": {"liveKit": {"url": "http://mallory.example.org"}}}});
    let default = json!({"metadata": {"annotations": {"roomclass.roomkeeper.io/is-default-class": "false"}}});
    vec![
        forbidden("make a class with the credentials of another", "POST", classes.clone(), class),
        forbidden("point the class at a server of one's own", "PATCH", format!("{classes}/livekit"), url),
        forbidden("change which class is the default", "PATCH", format!("{classes}/livekit"), default),
        forbidden("have the class count as broken", "PATCH", format!("{classes}/livekit/status"), json!({"status": {}})),
        forbidden("delete the class", "DELETE", format!("{classes}/livekit"), Value::Null),
    ]
}

fn at_others_words(theirs: &str) -> Vec<Attempt> {
    let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "mallory"},
        "spec": {"roomName": "board", "displayName": "Mallory", "role": "Presenter"}});
    let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "lie"}, "eventTime": "2030-01-01T00:00:00.000000Z",
        "action": "Reconcile", "reason": "Opened", "type": "Normal", "reportingController": "roomkeeper.io/controller", "reportingInstance": "a",
        "regarding": {"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "name": "board", "namespace": theirs}});
    let removal = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomRemoval", "metadata": {"name": "lockout"},
        "spec": {"roomName": "board", "identity": "ada"}});
    let (there, events) = (format!("{GROUP}/namespaces/{theirs}"), format!("/apis/events.k8s.io/v1/namespaces/{theirs}/events"));
    vec![
        forbidden("make oneself a guest of the Room of another", "POST", format!("{there}/roomguests"), guest),
        forbidden("keep somebody out of the Room of another", "POST", format!("{there}/roomremovals"), removal),
        forbidden("tell lies about the Room of another in an Event", "POST", events, event),
    ]
}

fn for_more_rights(mine: &str) -> Vec<Attempt> {
    let lease = "/apis/coordination.k8s.io/v1/namespaces/roomkeeper-system/leases/roomkeeper-controller".to_owned();
    let holder = json!({"spec": {"holderIdentity": "mallory"}});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let label = json!({"metadata": {"labels": {"calls": "yes"}}});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "roomkeeper-controller"},
        "subjects": [{"kind": "ServiceAccount", "name": "mallory", "namespace": mine}]});
    let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{mine}/rolebindings");
    let tokens = format!("{OPERATOR}/serviceaccounts/roomkeeper-controller/token");
    vec![
        forbidden("stop the controller by taking its Lease", "PATCH", lease, holder),
        forbidden("become the controller by a token", "POST", tokens, token),
        forbidden("label one's namespace so that more classes are open", "PATCH", format!("/api/v1/namespaces/{mine}"), label),
        forbidden("bind oneself to what the controller may", "POST", bindings, binding),
    ]
}

/// By what the spec of one's own Room says. The API server refuses it as invalid, or as a field that it does not know.
fn by_spec(mine: &str, theirs: &str) -> Vec<Attempt> {
    let rooms = format!("{GROUP}/namespaces/{mine}/rooms");
    let strict = format!("{rooms}?fieldValidation=Strict");
    let invalid = |what, spec| Attempt { what, method: "POST", path: rooms.clone(), body: room(&spec), status: 422 };
    let unknown = |what, spec| Attempt { what, method: "POST", path: strict.clone(), body: room(&spec), status: 400 };
    let label = json!({"inviteTemplate": {"metadata": {"labels": {"roomkeeper.io/room-uid": "theirs"}}}});
    let secret = json!({"credentialsSecretRef": {"name": "livekit", "namespace": "roomkeeper-system"}});
    vec![
        invalid("have one's Secrets count as those of another's Room", label),
        invalid("leave one's namespace by the name of a participant", json!({"participants": [{"name": "../../board/ada"}]})),
        invalid("be whoever comes by the shared link", json!({"participants": [{"name": "*"}]})),
        unknown("name a media server in a Room", json!({"backend": {"liveKit": {"url": "http://mallory.example.org"}}})),
        unknown("name the Secret of another in a Room", secret),
        unknown("name another namespace in a Room", json!({"namespace": theirs})),
    ]
}
