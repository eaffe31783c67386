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

/// All of them, by somebody whose namespace is `mine` and who has the Room `call` there, at somebody with the Room `board` in `theirs`.
pub fn attempts(mine: &str, theirs: &str) -> Vec<Attempt> {
    let their_secrets = format!("/api/v1/namespaces/{theirs}/secrets");
    let (my_rooms, their_rooms) = (format!("{GROUP}/namespaces/{mine}/rooms"), format!("{GROUP}/namespaces/{theirs}/rooms"));
    let their_guests = format!("{GROUP}/namespaces/{theirs}/roomguests");
    let classes = format!("{GROUP}/roomclasses");
    let forbidden = |what, method, path: String, body| Attempt { what, method, path, body, status: 403 };
    let invalid = |what, spec| Attempt { what, method: "POST", path: my_rooms.clone(), body: room(&spec), status: 422 };
    let unknown =
        |what, spec| Attempt { what, method: "POST", path: format!("{my_rooms}?fieldValidation=Strict"), body: room(&spec), status: 400 };
    let me = json!([{"op": "add", "path": "/spec/participants/-", "value": {"name": "mallory", "role": "Presenter"}}]);
    let default = json!({"metadata": {"annotations": {"roomclass.roomkeeper.io/is-default-class": "false"}}});
    let class = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomClass", "metadata": {"name": "mine"},
        "spec": {"backend": {"liveKit": {"url": "http://mallory.example.org", "credentialsSecretRef": {"name": "livekit"}}}}});
    let url = json!({"spec": {"backend": {"liveKit": {"url": "http://mallory.example.org"}}}});
    let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "mallory"},
        "spec": {"roomName": "board", "displayName": "Mallory", "role": "Presenter"}});
    let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "lie"}, "eventTime": "2030-01-01T00:00:00.000000Z",
        "action": "Reconcile", "reason": "Opened", "type": "Normal", "reportingController": "roomkeeper.io/controller", "reportingInstance": "a",
        "regarding": {"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "name": "board", "namespace": theirs}});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "roomkeeper-controller"},
        "subjects": [{"kind": "ServiceAccount", "name": "mallory", "namespace": mine}]});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let over = json!({"status": {"phase": "Open", "roomClassName": "livekit", "session": {"id": "theirs", "epoch": 0}}});
    let ready = json!({"status": {"secretName": "board-invite-ada"}});
    vec![
        forbidden("read the invite of another", "GET", format!("{their_secrets}/board-invite-ada"), Value::Null),
        forbidden("list the invites of others", "GET", their_secrets.clone(), Value::Null),
        forbidden("replace the invite of another", "PATCH", format!("{their_secrets}/board-invite-ada"), json!({"data": {}})),
        forbidden("read the keys that sign invites", "GET", format!("{OPERATOR}/secrets/roomkeeper-invite-keys"), Value::Null),
        forbidden("replace the keys that sign invites", "PATCH", format!("{OPERATOR}/secrets/roomkeeper-invite-keys"), json!({"data": {}})),
        forbidden("read the credentials of the media server", "GET", format!("{OPERATOR}/secrets/livekit"), Value::Null),
        forbidden("see who is invited elsewhere", "GET", their_rooms.clone(), Value::Null),
        forbidden("see all Rooms of the cluster", "GET", format!("{GROUP}/rooms"), Value::Null),
        forbidden("make a Room elsewhere", "POST", their_rooms.clone(), room(&json!({}))),
        forbidden("invite oneself to the Room of another", "PATCH", format!("{their_rooms}/board"), me),
        forbidden("end the call of another", "DELETE", format!("{their_rooms}/board"), Value::Null),
        forbidden(
            "take the finalizer off the Room of another",
            "PATCH",
            format!("{their_rooms}/board"),
            json!({"metadata": {"finalizers": []}}),
        ),
        forbidden("have one's Room take over the session of another, by its status", "PATCH", format!("{my_rooms}/call/status"), over),
        forbidden(
            "have one's guest get the invite of another, by its status",
            "PATCH",
            format!("{GROUP}/namespaces/{mine}/roomguests/mallory/status"),
            ready,
        ),
        forbidden("make a class with the credentials of another", "POST", classes.clone(), class),
        forbidden("point the class at a server of one's own", "PATCH", format!("{classes}/livekit"), url),
        forbidden("change which class is the default", "PATCH", format!("{classes}/livekit"), default),
        forbidden("have the class count as broken", "PATCH", format!("{classes}/livekit/status"), json!({"status": {}})),
        forbidden("delete the class", "DELETE", format!("{classes}/livekit"), Value::Null),
        forbidden("make oneself a guest of the Room of another", "POST", their_guests, guest),
        forbidden(
            "tell lies about the Room of another in an Event",
            "POST",
            format!("/apis/events.k8s.io/v1/namespaces/{theirs}/events"),
            event,
        ),
        forbidden(
            "stop the controller by taking its Lease",
            "PATCH",
            "/apis/coordination.k8s.io/v1/namespaces/roomkeeper-system/leases/roomkeeper-controller".into(),
            json!({"spec": {"holderIdentity": "mallory"}}),
        ),
        forbidden("become the controller by a token", "POST", format!("{OPERATOR}/serviceaccounts/roomkeeper-controller/token"), token),
        forbidden(
            "label one's namespace so that more classes are open",
            "PATCH",
            format!("/api/v1/namespaces/{mine}"),
            json!({"metadata": {"labels": {"calls": "yes"}}}),
        ),
        forbidden(
            "bind oneself to what the controller may",
            "POST",
            format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{mine}/rolebindings"),
            binding,
        ),
        invalid(
            "have one's Secrets count as those of another's Room",
            json!({"inviteTemplate": {"metadata": {"labels": {"roomkeeper.io/room-uid": "theirs"}}}}),
        ),
        invalid("leave one's namespace by the name of a participant", json!({"participants": [{"name": "../../board/ada"}]})),
        invalid("be whoever comes by the shared link", json!({"participants": [{"name": "*"}]})),
        unknown("name a media server in a Room", json!({"backend": {"liveKit": {"url": "http://mallory.example.org"}}})),
        unknown(
            "name the Secret of another in a Room",
            json!({"credentialsSecretRef": {"name": "livekit", "namespace": "roomkeeper-system"}}),
        ),
        unknown("name another namespace in a Room", json!({"namespace": theirs})),
    ]
}
