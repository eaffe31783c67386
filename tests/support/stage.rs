//! Everything together: control plane, LiveKit, and both roles of Roomkeeper under their own accounts.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use roomkeeper::api::{LABEL_ROOM, Phase, Room, RoomClass, RoomRemoval, RoomStatus, invite_secret_name};
use roomkeeper::backend::MediaCredentials;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::cluster::{Cluster, OPERATOR_NAMESPACE};
use super::http;
use super::livekit::{Client as Caller, LiveKitServer, Options};
use super::operator::Role;
use super::process::{free_port, log_file};
use super::{eventually, now};

/// How long something that happens by itself may take. Generous: it is only used up by failures.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// The default class.
pub const CLASS: &str = "livekit";

/// A whole installation.
// Whoever holds one beside more roles names it last, so that nothing runs on the control plane any more when it is given back.
pub struct Stage {
    /// The controller.
    pub controller: Role,
    /// The gateway.
    pub gateway: Role,
    /// The media server of the default class.
    pub livekit: LiveKitServer,
    /// A client with all rights.
    pub admin: Client,
    /// The control plane.
    pub cluster: Lent,
}

/// The control plane of one test. When the test has passed, it waits for the next one: starting a control plane takes much longer than
/// clearing one.
pub struct Lent {
    cluster: Option<Cluster>,
    again: bool,
}

/// Control planes that wait for the next test.
static IDLE: Mutex<Vec<Cluster>> = Mutex::new(Vec::new());

impl Lent {
    /// A control plane with nothing but the CRDs and accounts.
    pub async fn new() -> Self {
        let idle = IDLE.lock().expect("no panic beside").pop();
        let cluster = match idle {
            Some(cluster) => {
                cluster.clear().await;
                cluster
            }
            None => Cluster::start(&log_file("cluster").with_extension("d")).await,
        };
        Self { cluster: Some(cluster), again: true }
    }

    /// Keeps this control plane from other tests: what is done to it here is more than what is cleared.
    pub fn retire(&mut self) {
        self.again = false;
    }
}

impl From<Cluster> for Lent {
    /// One that no other test is to have.
    fn from(cluster: Cluster) -> Self {
        Self { cluster: Some(cluster), again: false }
    }
}

impl Deref for Lent {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().expect("there until dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("there until dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let cluster = self.cluster.take();
        if self.again && !std::thread::panicking() {
            IDLE.lock().expect("no panic beside").extend(cluster);
        }
    }
}

/// An answer of the gateway.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// Name of the problem, such as `too-early`.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|name| name.strip_prefix("urn:roomkeeper:problem:")).unwrap_or_default()
    }

    /// What the client joins with.
    pub fn credentials(&self) -> MediaCredentials {
        let text = |key: &str| self.body[key].as_str().unwrap_or_else(|| panic!("no {key} in {self:?}")).to_owned();
        MediaCredentials::by_token(Some(text("url")), text("token"), now())
    }
}

impl Stage {
    /// The installation that tests share when they change nothing that others would notice.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Stage> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A new installation, for tests that change what others would notice.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more flags for both roles.
    pub async fn start_with(flags: &[&str]) -> Self {
        let (cluster, livekit) = tokio::join!(Lent::new(), LiveKitServer::start(Options::default()));
        let admin = cluster.admin().await;
        let (controller, gateway) =
            (cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await);
        make_class(&admin, CLASS, &livekit, json!({}), true).await;
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let (controller, gateway) = {
            let alone = [&["--leader-elect=false"], flags].concat();
            tokio::join!(Role::controller_with(&controller, &url, &alone), Role::gateway_with(&gateway, port, flags))
        };
        Self { controller, gateway, livekit, admin, cluster }
    }

    /// A new namespace.
    pub async fn place(&self) -> Place<'_> {
        Place { namespace: self.cluster.namespace().await, stage: self }
    }

    /// A namespace that was made before.
    pub fn place_in(&self, namespace: String) -> Place<'_> {
        Place { namespace, stage: self }
    }

    /// A class on a media server of its own; `more` is merged into its spec.
    pub async fn class(&self, name: &str, livekit: &LiveKitServer, more: Value) {
        make_class(&self.admin, name, livekit, more, false).await;
    }

    /// A class on this media server, which the controller reaches through a proxy at this port, and clients without it.
    pub async fn class_behind(&self, name: &str, livekit: &LiveKitServer, port: u16) {
        let (url, public_url) = (format!("http://127.0.0.1:{port}"), livekit.url().replacen("http", "ws", 1));
        let backend = json!({"liveKit": {"signalling": "Direct", "url": url, "publicURL": public_url}});
        self.class(name, livekit, json!({"backend": backend})).await;
    }

    /// The class once `wanted` holds of its Ready condition.
    pub async fn class_reason(&self, name: &str, reason: &str) {
        let classes = Api::<RoomClass>::all(self.admin.clone());
        eventually(PATIENCE, async || {
            let class = classes.get(name).await.expect("the class");
            let ready = class.status.iter().flat_map(|status| &status.conditions).find(|condition| condition.type_ == "Ready").cloned();
            ready.as_ref().filter(|ready| ready.reason == reason).map(|_| ()).ok_or(format!("{ready:?}"))
        })
        .await;
    }

    /// Starts the controller anew, after it was killed.
    pub async fn restart_controller(&mut self) {
        let kubeconfig = self.cluster.account_kubeconfig("roomkeeper-controller").await;
        self.controller.process.signal("KILL");
        self.controller = Role::controller(&kubeconfig, &format!("http://127.0.0.1:{}", self.gateway.port)).await;
    }

    /// `GET /v1/room` with an invite.
    pub async fn view(&self, invite: &str) -> Answer {
        self.get("/v1/room", invite).await
    }

    /// A GET with an invite.
    pub async fn get(&self, path: &str, invite: &str) -> Answer {
        self.ask("GET", path, invite, None).await
    }

    /// `POST /v1/join` with an invite.
    pub async fn join(&self, invite: &str) -> Answer {
        self.post("/v1/join", invite, None).await
    }

    /// What somebody joins with by this invite, once the gateway knows all that it takes: its watches may be some moments behind the
    /// controller's.
    pub async fn credentials(&self, invite: &str) -> MediaCredentials {
        let answer = eventually(PATIENCE, async || match self.join(invite).await {
            answer if answer.status == 200 => Ok(answer),
            answer => Err(format!("{answer:?}")),
        });
        answer.await.credentials()
    }

    /// `POST /v1/join` with the invite of a shared link and a display name of one's own choice.
    pub async fn join_as(&self, invite: &str, display_name: &str) -> Answer {
        self.post("/v1/join", invite, Some(json!({"displayName": display_name}))).await
    }

    /// A POST with an invite, and a body if there is one.
    pub async fn post(&self, path: &str, invite: &str, body: Option<Value>) -> Answer {
        self.ask("POST", path, invite, body).await
    }

    /// A DELETE with an invite.
    pub async fn delete(&self, path: &str, invite: &str) -> Answer {
        self.ask("DELETE", path, invite, None).await
    }

    async fn ask(&self, method: &str, path: &str, invite: &str, body: Option<Value>) -> Answer {
        ask(self.gateway.port, method, path, invite, body).await.expect("an answer of the gateway")
    }
}

/// Asks a gateway on loopback.
pub async fn ask(port: u16, method: &str, path: &str, invite: &str, body: Option<Value>) -> std::io::Result<Answer> {
    ask_at(&format!("127.0.0.1:{port}"), method, path, invite, body).await
}

/// Asks the gateway at `host`, a name or address and a port.
pub async fn ask_at(host: &str, method: &str, path: &str, invite: &str, body: Option<Value>) -> std::io::Result<Answer> {
    let content_type = body.as_ref().map_or("", |_| "content-type: application/json\r\n");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {invite}\r\n{content_type}");
    let request = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let answer = http::exchange(host, request.as_bytes()).await?;
    Ok(Answer { status: answer.status, body: serde_json::from_str(&answer.body).unwrap_or(Value::Null) })
}

/// Makes a class, and the Secret with its credentials.
pub async fn make_class(admin: &Client, name: &str, livekit: &LiveKitServer, more: Value, default: bool) {
    set_credentials(admin, name, &livekit.options.api_key, &livekit.options.api_secret).await;
    let mut class = json!({
        "apiVersion": "roomkeeper.io/v1alpha1",
        "kind": "RoomClass",
        "metadata": {"name": name, "annotations": {"roomclass.roomkeeper.io/is-default-class": default.to_string()}},
        "spec": {"backend": {"liveKit": {"url": livekit.url(), "credentialsSecretRef": {"name": name}}}},
    });
    merge(&mut class["spec"], more);
    let patch = Patch::Apply(class);
    Api::<RoomClass>::all(admin.clone()).patch(name, &PatchParams::apply("tests").force(), &patch).await.expect("the class is accepted");
}

/// Writes the Secret with the credentials of a media server.
pub async fn set_credentials(admin: &Client, name: &str, key: &str, secret: &str) {
    set_secret(admin, name, &[("apiKey", key), ("apiSecret", secret)]).await;
}

/// Writes a Secret in the operator's namespace.
pub async fn set_secret(admin: &Client, name: &str, data: &[(&str, &str)]) {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect();
    let secret =
        Secret { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, data: Some(data), ..Secret::default() };
    let secrets = Api::<Secret>::namespaced(admin.clone(), OPERATOR_NAMESPACE);
    secrets.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(secret)).await.expect("the Secret is written");
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            more.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, more) => *into = more,
    }
}

/// A namespace of a [`Stage`].
pub struct Place<'a> {
    /// Its name.
    pub namespace: String,
    stage: &'a Stage,
}

impl Place<'_> {
    /// The Rooms.
    pub fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.stage.admin.clone(), &self.namespace)
    }

    /// The Secrets.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.stage.admin.clone(), &self.namespace)
    }

    /// The RoomRemovals.
    pub fn removals(&self) -> Api<RoomRemoval> {
        Api::namespaced(self.stage.admin.clone(), &self.namespace)
    }

    /// Keeps somebody out of a Room as with kubectl, by an object of their name.
    pub async fn keep_out(&self, room: &str, identity: &str) {
        let removal = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomRemoval", "metadata": {"name": identity},
            "spec": {"roomName": room, "identity": identity}});
        let removal = serde_json::from_value(removal).expect("a removal");
        self.removals().create(&PostParams::default(), &removal).await.expect("accepted");
    }

    /// Applies a Room with this spec.
    pub async fn apply(&self, name: &str, spec: Value) -> Room {
        self.apply_with(name, json!({}), spec).await
    }

    /// Applies so many Rooms with ada and ben, waits until all are open, and gives their names: `call-0`, `call-1` and so on.
    pub async fn open_calls(&self, number: usize) -> Vec<String> {
        let names = names("call", number);
        for name in &names {
            self.apply(name, json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        }
        for name in &names {
            self.until_phase(name, Phase::Open).await;
        }
        names
    }

    /// Applies a Room with this metadata and spec.
    pub async fn apply_with(&self, name: &str, metadata: Value, spec: Value) -> Room {
        let mut room = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": spec});
        merge(&mut room["metadata"], metadata);
        let params = PatchParams::apply("tests").force();
        self.rooms().patch(name, &params, &Patch::Apply(room)).await.unwrap_or_else(|error| panic!("{name} is refused: {error}"))
    }

    /// Merges a patch into a Room's spec.
    pub async fn edit(&self, name: &str, spec: Value) -> Room {
        self.rooms().patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await.expect("the edit is accepted")
    }

    /// Deletes a Room.
    pub async fn delete(&self, name: &str) {
        self.rooms().delete(name, &DeleteParams::default()).await.expect("the deletion is accepted");
    }

    /// The Room once `wanted` holds of its status.
    pub async fn until(&self, name: &str, wanted: impl Fn(&RoomStatus) -> bool) -> Room {
        let rooms = self.rooms();
        eventually(PATIENCE, async || {
            let room = rooms.get(name).await.map_err(|error| error.to_string())?;
            let current =
                room.status.as_ref().is_some_and(|status| status.observed_generation == room.metadata.generation && wanted(status));
            if current { Ok(room) } else { Err(serde_json::to_string(&room.status).expect("JSON")) }
        })
        .await
    }

    /// The Room once it is in this phase and Ready.
    pub async fn until_phase(&self, name: &str, phase: Phase) -> Room {
        self.until(name, |status| status.phase == phase && condition(status, "Ready").0 == "True").await
    }

    /// The Room once a condition is False for this reason.
    pub async fn until_not(&self, name: &str, kind: &str, reason: &str) -> Room {
        self.until(name, |status| condition(status, kind) == ("False", reason)).await
    }

    /// Waits until the Room is gone.
    pub async fn until_gone(&self, name: &str, patience: Duration) {
        let rooms = self.rooms();
        eventually(patience, async || match rooms.get_opt(name).await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(room) => Err(serde_json::to_string(&room.status).expect("JSON")),
        })
        .await;
    }

    /// A person's invite Secret.
    pub async fn invite_secret(&self, room: &str, participant: &str) -> Option<Secret> {
        self.secrets().get_opt(&invite_secret_name(room, participant)).await.expect("the API server answers")
    }

    /// A person's invite, once the gateway knows it too: its watch may be some moments behind the controller's.
    pub async fn invite(&self, room: &str, participant: &str) -> String {
        let secret = self.invite_secret(room, participant).await.unwrap_or_else(|| panic!("{participant} has no invite"));
        let invite = value(&secret, "invite");
        eventually(PATIENCE, async || match ask(self.stage.gateway.port, "GET", "/v1/room", &invite, None).await {
            Ok(answer) if answer.problem() == "invalid-invite" => Err(format!("{answer:?}")),
            // Where the gateway is not there, that is up to the test.
            _ => Ok(()),
        })
        .await;
        invite
    }

    /// All invites of a Room, by the names of the people.
    pub async fn invites(&self, room: &str) -> BTreeMap<String, String> {
        let of_room = ListParams::default().labels(&format!("{LABEL_ROOM}={room}"));
        let secrets = self.secrets().list(&of_room).await.expect("the API server answers");
        secrets.items.iter().map(|secret| (value(secret, "participant"), value(secret, "invite"))).collect()
    }

    /// What a person joins with by their own invite.
    pub async fn credentials(&self, room: &str, name: &str) -> MediaCredentials {
        self.stage.credentials(&self.invite(room, name).await).await
    }

    /// A person in the call of a Room, by their own invite, who publishes these sources.
    pub async fn joined(&self, room: &str, name: &str, publish: &[&str]) -> Caller {
        Caller::join(&self.credentials(room, name).await, publish).await.unwrap_or_else(|status| panic!("{name} is refused with {status}"))
    }

    /// Names of all Secrets of the namespace.
    pub async fn secret_names(&self) -> Vec<String> {
        let secrets = self.secrets().list(&ListParams::default()).await.expect("the API server answers");
        secrets.items.iter().map(ResourceExt::name_any).collect()
    }

    /// Versions of all Rooms and Secrets.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        fn all<K: ResourceExt>(kind: &'static str, objects: Vec<K>) -> impl Iterator<Item = (String, String)> {
            objects.into_iter().map(move |it| (format!("{kind} {}", it.name_any()), it.resource_version().unwrap_or_default()))
        }
        let rooms = self.rooms().list(&ListParams::default()).await.expect("Rooms");
        let secrets = self.secrets().list(&ListParams::default()).await.expect("Secrets");
        all("Room", rooms.items).chain(all("Secret", secrets.items)).collect()
    }

    /// Reasons of the Events on a Room, once one of them is `wanted`.
    pub async fn event(&self, room: &str, wanted: &str) -> String {
        eventually(PATIENCE, async || {
            let told = self.events(room).await?;
            told.iter().find(|(reason, _)| reason == wanted).map(|(_, note)| note.clone()).ok_or(format!("{told:?}"))
        })
        .await
    }

    /// Reason and note of each Event on a Room.
    pub async fn events(&self, room: &str) -> Result<Vec<(String, String)>, String> {
        use k8s_openapi::api::events::v1::Event;
        let events = Api::<Event>::namespaced(self.stage.admin.clone(), &self.namespace);
        let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.into_iter();
        let ours = events.filter(|event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(room)));
        Ok(ours.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect())
    }
}

/// Status and reason of a condition.
pub fn condition<'a>(status: &'a RoomStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind);
    found.map_or(("", ""), |condition| (condition.status.as_str(), condition.reason.as_str()))
}

/// One value of a Secret.
pub fn value(secret: &Secret, key: &str) -> String {
    let value = secret.data.as_ref().and_then(|data| data.get(key)).unwrap_or_else(|| panic!("no {key}"));
    String::from_utf8(value.0.clone()).expect("text")
}

/// Id of the living session of a Room.
pub fn session(room: &Room) -> String {
    room.status.as_ref().and_then(|status| status.session.as_ref()).expect("a session").id.clone()
}

/// Id of the first session of another Room of the installation that made this one.
pub fn session_of_another(session: &str, uid: &str) -> String {
    let installation = session.split('-').take(2).collect::<Vec<_>>().join("-");
    format!("{installation}-{uid}-1")
}

/// Names of so many Rooms: `call-0`, `call-1` and so on.
pub fn names(of: &str, number: usize) -> Vec<String> {
    (0..number).map(|number| format!("{of}-{number}")).collect()
}

/// A moment in `seconds` from now, as manifests spell it.
pub fn in_seconds(seconds: i64) -> String {
    let moment = now().checked_add(jiff::SignedDuration::from_secs(seconds)).expect("a moment");
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
