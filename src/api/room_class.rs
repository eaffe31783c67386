//! The `RoomClass` resource: which media server, for whom, within which limits.

// Doc comments here are what kubectl explain prints: plain text, in which backticks are noise.
#![allow(clippy::doc_markdown)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::core::Duration;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{DEFAULT_CLASS_ANNOTATION, DEFAULT_CONTROLLER};
use super::room::Provision;
use super::schema;

/// `ttlSecondsAfterExpired` of a class that sets none: 24 hours.
pub const DEFAULT_TTL_SECONDS: i32 = 86_400;

/// Where Rooms of this class are held and which limits they have. Made by administrators, as StorageClass is: only a
/// class names a media server and its credentials, a Room never does.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "roomkeeper.io",
    version = "v1alpha1",
    kind = "RoomClass",
    plural = "roomclasses",
    shortname = "mroomclass",
    category = "roomkeeper",
    status = "RoomClassStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A media server that holds Rooms, with the limits and the namespaces it is open to.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Media", type_ = "string", json_path = ".status.conditions[?(@.type==\"MediaReachable\")].status"),
    printcolumn(name = "Rooms", type_ = "integer", json_path = ".status.rooms"),
    printcolumn(name = "Default", type_ = "string", json_path = ".metadata.annotations.roomclass\\.roomkeeper\\.io/is-default-class"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.backend.liveKit.url", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.controllerName) == has(oldSelf.controllerName) && (!has(self.controllerName) || self.controllerName == oldSelf.controllerName)")
        .message("spec.controllerName: cannot be changed"),
    validation = Rule::new("!has(self.backend.azureCommunicationServices) || !has(self.media)")
        .message("spec.media: cannot be set with spec.backend.azureCommunicationServices, where each client decides what it sends"),
    validation = Rule::new("!has(self.backend.azureCommunicationServices) || !has(self.session) || !has(self.session.provision) || self.session.provision == 'OnOpen'")
        .message("spec.session.provision: must be OnOpen with spec.backend.azureCommunicationServices")
)]
pub struct RoomClassSpec {
    /// The media server. Exactly one kind of backend is set.
    pub backend: Backend,

    /// Which installation of Roomkeeper looks after this class, where there are several in the cluster: the one whose
    /// setting --controller-name is the same. Default: roomkeeper.io/controller. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9.-]+/[a-zA-Z0-9/._-]+$"))]
    pub controller_name: Option<String>,

    /// Namespaces whose Rooms may use this class. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,

    /// Limits of the Rooms of this class. A Room that asks for more is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<RoomClassLimits>,

    /// Seconds after it was first seen to be over at which a Room is deleted, unless it says otherwise itself or Argo CD, Flux
    /// or Helm tracks it. Default: 86400 (24 hours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub ttl_seconds_after_expired: Option<i32>,

    /// What Rooms of this class do with their session unless they say otherwise themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<RoomClassSession>,

    /// What people in Rooms of this class send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<RoomClassMedia>,
}

impl RoomClass {
    /// Which installation looks after this class.
    #[must_use]
    pub fn controller(&self) -> &str {
        self.spec.controller_name.as_deref().unwrap_or(DEFAULT_CONTROLLER)
    }

    /// Whether it is the class of Rooms that name none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(DEFAULT_CLASS_ANNOTATION)).is_some_and(|value| value == "true")
    }
}

/// What Rooms of a class do with their session.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomClassSession {
    /// OnOpen: the session is made when the window of a Room opens. OnFirstJoin: it is made when the first person joins.
    /// Default: OnOpen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision: Option<Provision>,
}

/// What people in Rooms of a class send.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomClassMedia {
    /// Codec of the pictures that people send. VP8: every browser has it. VP9: fewer bytes for the same picture, and more
    /// work. H264: many phones have hardware for it. AV1: the fewest bytes, and the most work. Browsers that cannot send it
    /// send VP8. Told to the join page and to your own clients, which may do otherwise. Default: VP8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<VideoCodec>,

    /// Most lines of the pictures that cameras send, 90 to 2160, for example 360. Told to the join page and to your own
    /// clients, which may do otherwise. Default: 720.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 90, max = 2160))]
    pub max_video_height: Option<i32>,

    /// Nobody can send pictures, whatever their role: neither of a camera nor of a screen. Holds for everybody within
    /// seconds of a change, in running calls too. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_only: Option<bool>,
}

/// A codec of video.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline, transform = schema::plain_enum)]
pub enum VideoCodec {
    /// Every browser has it.
    #[default]
    Vp8,
    /// Fewer bytes for the same picture, for more work.
    Vp9,
    /// Many phones have hardware for it.
    H264,
    /// The fewest bytes, for the most work.
    Av1,
}

/// The kinds of media server; exactly one is set.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.liveKit) != has(self.azureCommunicationServices)")
    .message("spec.backend: exactly one backend must be set (liveKit or azureCommunicationServices)"))]
pub struct Backend {
    /// A LiveKit server or cluster, version 1.9.11 or later. It must run with room.auto_create: false, otherwise every
    /// media token could revive an ended call, and the class is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_kit: Option<LiveKit>,

    /// A resource of Azure Communication Services, whose Rooms hold the calls. People join with a client of your own: the join page has
    /// none. What it cannot do is missing from status.capabilities, and a Room that asks for it is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_communication_services: Option<AzureCommunicationServices>,
}

/// How to reach a resource of Azure Communication Services.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AzureCommunicationServices {
    /// Endpoint of the resource, for example https://contoso.europe.communication.azure.com.
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^\s/?#@]+/?$"))]
    pub endpoint: String,

    /// The Secret in Roomkeeper's own namespace whose key accessKey holds one of the two access keys of the resource. Default:
    /// none; the workload identity of Roomkeeper's pods is used, which needs the role Contributor of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<CredentialsSecretRef>,
}

/// How to reach a LiveKit server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LiveKit {
    /// Address of LiveKit's HTTP API as Roomkeeper reaches it, for example http://livekit.livekit.svc:7880.
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^\s/?#@]+/?$"))]
    pub url: String,

    /// How clients reach LiveKit's signalling. Proxied: through the gateway, which checks the live Room on every connect and
    /// reconnect; only LiveKit's media ports need to be reachable for clients. Direct: at publicURL, where a client that was
    /// removed can come back for some minutes by a token that LiveKit renewed, and is removed again. Default: Proxied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signalling: Option<Signalling>,

    /// Address of LiveKit's WebSocket as clients reach it, for example wss://livekit.example.org. Used with signalling:
    /// Direct only. Default: url with ws in place of http.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "publicURL")]
    #[schemars(length(max = 2048), regex(pattern = r"^wss?://[^\s/?#@]+/?$"))]
    pub public_url: Option<String>,

    /// The Secret in Roomkeeper's own namespace whose keys apiKey and apiSecret hold LiveKit's API key and secret.
    pub credentials_secret_ref: CredentialsSecretRef,
}

/// How clients reach a media server's signalling.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum Signalling {
    /// Through the gateway.
    #[default]
    Proxied,
    /// At the media server's public address.
    Direct,
}

/// Reference to a Secret in Roomkeeper's own namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Which namespaces may use a class.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.selector) == (self.from == 'Selector')")
    .message(Message::Expression("'spec.allowedNamespaces.selector: must be set if, and only if, from is Selector; from is %s'.format([self.from])".into())))]
pub struct AllowedNamespaces {
    /// All: every namespace. Selector: namespaces whose labels match the selector.
    pub from: NamespacesFrom,

    /// Label selector of namespaces, used with from: Selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How a class picks namespaces.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum NamespacesFrom {
    /// Every namespace.
    #[default]
    All,
    /// Namespaces whose labels match the selector.
    Selector,
}

/// Limits of the Rooms of a class.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomClassLimits {
    /// Most people in one call, 1 to 350. Default: 350.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 350))]
    pub max_participants: Option<i32>,

    /// Longest window of a Room, as Kubernetes duration such as 8h. More than 0, at most 4320h (180 days). Default: 4320h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(schema::DURATION_RULE).message(
        Message::Expression("'spec.limits.maxDuration: \"%s\" must be a duration such as 45m or 8h, more than 0 and at most 4320h (180 days)'.format([self])".into())
    ))]
    pub max_duration: Option<Duration>,
}

/// What the controller observed of a class.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomClassStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What the media server of this class can do: LiveRoles (a changed role reaches joined people), LiveRemoval (people
    /// can be removed from a call), LiveEnd (whoever is still in a call is put out at its end), LiveMute (Presenters can
    /// mute people), TypedSources (camera and screen are told apart), Presence (it says who is in a call), SharedLinks
    /// (people can come by a shared link), OnFirstJoin (a session can be made when somebody joins), ConnectionCheck (people
    /// can check their connection before a call), PstnDialOut (Presenters can call telephones).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub capabilities: Vec<String>,

    /// Number of Rooms of this class, refreshed at most every 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms: Option<i32>,

    /// Ready says whether the media server can be used; reasons when not: Unreachable, Unauthorized, UnsafeAutoCreate,
    /// Misconfigured, Rejected, Refused, ApiServerUnavailable. Stalled is there while somebody has to change something, which
    /// is so for all of them but Unreachable and ApiServerUnavailable. MediaReachable says whether audio and video reach people, by those who joined: MediaConnected, or
    /// MediaNotConnected; Unknown with NobodyJoined until somebody does. NoMediaAddress: the load balancer of the included
    /// LiveKit has no address. NotReported: the media server does not say who has joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
