//! The `Room` resource.

// Doc comments here are what kubectl explain prints: plain text, in which backticks are noise.
#![allow(clippy::doc_markdown)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::Duration;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::role::Role;
use super::schema;
use super::status::RoomStatus;

/// What a call is: who may take part, with which role, and when. Roomkeeper provisions the call session on the media
/// server of the Room's class, issues one invite Secret per participant, and removes both once the window is over.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "roomkeeper.io",
    version = "v1alpha1",
    kind = "Room",
    plural = "rooms",
    namespaced,
    shortname = "mroom",
    category = "roomkeeper",
    status = "RoomStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A call that only invited people can join, within a window of time.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Opens", type_ = "string", json_path = ".status.validFrom"),
    printcolumn(name = "Closes", type_ = "string", json_path = ".status.validUntil"),
    printcolumn(name = "Joined", type_ = "integer", json_path = ".status.counts.joined"),
    printcolumn(name = "Class", type_ = "string", json_path = ".status.roomClassName", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase != 'Open' || has(self.spec.validFrom) == has(oldSelf.spec.validFrom) && (!has(self.spec.validFrom) || self.spec.validFrom == oldSelf.spec.validFrom)")
        .message(Message::Expression("'spec.validFrom: cannot change from %s to %s while the Room is Open; end it by spec.validUntil or set spec.suspend first'.format([has(oldSelf.spec.validFrom) ? string(oldSelf.spec.validFrom) : 'unset', has(self.spec.validFrom) ? string(self.spec.validFrom) : 'unset'])".into()))
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.validUntil) && has(self.duration))")
        .message(Message::Expression("'spec.validUntil (%s) and spec.duration (%s): at most one of the two may be set'.format([self.validUntil, self.duration])".into())),
    validation = Rule::new("!has(self.validFrom) || !has(self.validUntil) || self.validUntil > self.validFrom").message(
        Message::Expression("'spec.validUntil: %s must be after spec.validFrom, which is %s'.format([self.validUntil, self.validFrom])".into())
    ),
    // Not the difference of the two, which overflows after 292 years.
    validation = Rule::new("!has(self.validFrom) || !has(self.validUntil) || self.validUntil <= self.validFrom + duration('4320h')").message(
        Message::Expression("'spec.validUntil: %s must be at most 180 days (4320h) after spec.validFrom, which is %s'.format([self.validUntil, self.validFrom])".into())
    ),
    validation = Rule::new("has(self.id) == has(oldSelf.id) && (!has(self.id) || self.id == oldSelf.id)")
        .message(Message::Expression("'spec.id: cannot change from %s to %s; it is immutable, because invites are bound to it'.format([has(oldSelf.id) ? oldSelf.id : 'unset', has(self.id) ? self.id : 'unset'])".into())),
    validation = Rule::new("has(self.roomClassName) == has(oldSelf.roomClassName) && (!has(self.roomClassName) || self.roomClassName == oldSelf.roomClassName)")
        .message(Message::Expression("'spec.roomClassName: cannot change from %s to %s; it is immutable, because the session lives on the media server of that class'.format([has(oldSelf.roomClassName) ? oldSelf.roomClassName : 'unset', has(self.roomClassName) ? self.roomClassName : 'unset'])".into())),
    validation = Rule::new("(has(self.joinPolicy) ? self.joinPolicy : 'InviteOnly') == (has(oldSelf.joinPolicy) ? oldSelf.joinPolicy : 'InviteOnly')")
        .message(Message::Expression("'spec.joinPolicy: cannot change from %s to %s; it is immutable, because people were invited under it'.format([has(oldSelf.joinPolicy) ? oldSelf.joinPolicy : 'InviteOnly', has(self.joinPolicy) ? self.joinPolicy : 'InviteOnly'])".into())),
    validation = Rule::new("!has(self.link) || has(self.joinPolicy) && self.joinPolicy == 'AnyoneWithLink'")
        .message(Message::Expression("'spec.link: may be set with spec.joinPolicy AnyoneWithLink only; it is %s'.format([has(self.joinPolicy) ? self.joinPolicy : 'InviteOnly'])".into())),
    // Absent is generation 0, so that taking the block away must not bring older links back to life.
    validation = Rule::new("!has(oldSelf.link) || !has(oldSelf.link.generation) || oldSelf.link.generation == 0 || has(self.link)")
        .message("spec.link: cannot be taken away once its generation is more than 0, because older links would work again")
)]
pub struct RoomSpec {
    /// Title of the call, shown to the people who join. At most 128 characters. Default: the name of the Room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// What invites are bound to: 16 to 64 letters, digits or hyphens. Default: the UID of the object. Set it (for
    /// example to a UUID) where join links must outlive a re-creation of the Room or its move to another cluster.
    /// Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 16, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub id: Option<String>,

    /// Name of the RoomClass that says which media server holds the call and which limits apply. Default: the class
    /// annotated with roomclass.roomkeeper.io/is-default-class: "true". Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub room_class_name: Option<String>,

    /// The moment from which people can join, as RFC 3339 time such as 2027-01-15T09:00:00Z. Default: the Room's creation. Free to
    /// change until the Room is Open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub valid_from: Option<Time>,

    /// The moment the call ends and every invite stops working, as RFC 3339 time. At most 180 days after validFrom, and
    /// no longer than the class's limits.maxDuration. May change at any time: a moment in the past ends the call now, a
    /// later moment opens an Expired Room again with the same invites. Default: validFrom plus the class's longest
    /// window. Excludes duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub valid_until: Option<Time>,

    /// Length of the window, counted from validFrom, as Kubernetes duration such as 45m or 4320h. More than 0, at most
    /// 4320h (180 days). Excludes validUntil.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(schema::DURATION_RULE).message(
        Message::Expression("'spec.duration: \"%s\" must be a duration such as 45m or 8h, more than 0 and at most 4320h (180 days)'.format([self])".into())
    ))]
    pub duration: Option<Duration>,

    /// Who may join. InviteOnly: the people on the list and guests (RoomGuest), each by an invite of their own.
    /// AnyoneWithLink: also everybody who has the shared link, which is in the Secret <room>-link and is dead at the end
    /// of the window or when link.generation is raised. Immutable. Default: InviteOnly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_policy: Option<JoinPolicy>,

    /// The shared link of a Room with joinPolicy: AnyoneWithLink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,

    /// Most people in the call at one time, 1 to 350. Default: the class's limits.maxParticipants. More people than this
    /// may be invited; who comes when the call is full is told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 350))]
    pub max_participants: Option<i32>,

    /// The invited people, at most 350, each under a name of their own. Each gets an invite Secret named
    /// <room>-invite-<name> that holds the join link. People can be added and removed at any time: who is removed from
    /// the list is disconnected from the call and the invite is dead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 350))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub participants: Vec<Participant>,

    /// When the call session is made and closed on the media server, within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<RoomSession>,

    /// Labels and annotations for the invite Secrets, for tools that pick Secrets up by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_template: Option<InviteTemplate>,

    /// Refuses joins and disconnects everybody, but keeps the Room and its invites. Set it back to false to go on within
    /// the same window. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// Lets Presenters call telephones from the call and bring them in, where the media server of the class can do that
    /// (PstnDialOut in its status.capabilities) and the resource there has a number. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pstn_dial_out_enabled: bool,

    /// Seconds after the Room was first seen to be over at which the object itself is deleted; 0 deletes it at once. Default:
    /// the class's ttlSecondsAfterExpired, but never for a Room that Argo CD, Flux or Helm tracks, because they would only
    /// create it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub ttl_seconds_after_expired: Option<i32>,
}

/// Who may join a Room.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum JoinPolicy {
    /// People with an invite of their own.
    #[default]
    InviteOnly,
    /// Also everybody who has the shared link.
    AnyoneWithLink,
}

/// The shared link of a Room.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.generation) || (has(self.generation) ? self.generation : 0) >= oldSelf.generation").message(
        Message::Expression("'spec.link.generation: is %d and was %d; it never shrinks, because older links would work again'.format([has(self.generation) ? self.generation : 0, oldSelf.generation])".into())
    )
)]
pub struct Link {
    /// Role of everybody who comes by the link. Presenter: runs the call. Collaborator: microphone, camera, screen, chat.
    /// Attendee: microphone, camera, chat. Consumer: only hears and sees. A change reaches joined people without reconnecting. Default: Attendee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,

    /// Generation of the link, 0 or more, which never shrinks. Raise it to replace the link: the old one is dead, whoever
    /// came by it is disconnected, and the Secret holds a new one. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub generation: Option<i64>,
}

/// When the call session of a Room lives on the media server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomSession {
    /// OnOpen: the session is made when the window opens. OnFirstJoin: it is made when the first person joins, which spares
    /// the media server Rooms that stay empty for long. Default: the class's session.provision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision: Option<Provision>,

    /// Closes the session when nobody has been in it for this long, as Kubernetes duration such as 30m; the next person who
    /// joins has it created again. More than 0, at most 4320h. Default: it stays until the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(schema::DURATION_RULE).message(
        Message::Expression("'spec.session.closeWhenEmptyAfter: \"%s\" must be a duration such as 90s or 30m, more than 0 and at most 4320h (180 days)'.format([self])".into())
    ))]
    pub close_when_empty_after: Option<Duration>,
}

/// When a call session is made.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum Provision {
    /// When the window opens.
    #[default]
    OnOpen,
    /// When the first person joins.
    OnFirstJoin,
}

impl Room {
    /// The class that the Room names, or the one it was accepted with; `None` while the default class decides.
    #[must_use]
    pub fn class_name(&self) -> Option<&str> {
        let accepted = || self.status.as_ref()?.room_class_name.as_deref();
        self.spec.room_class_name.as_deref().or_else(accepted)
    }
}

/// One invited person.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.inviteGeneration) || (has(self.inviteGeneration) ? self.inviteGeneration : 0) >= oldSelf.inviteGeneration").message(
        Message::Expression("'spec.participants: inviteGeneration of \"%s\" is %d and was %d; it never shrinks, because the invites of older generations would work again'.format([self.name, has(self.inviteGeneration) ? self.inviteGeneration : 0, oldSelf.inviteGeneration])".into())
    )
)]
pub struct Participant {
    /// Stable identity of the person within the Room, a DNS label of at most 63 characters. It names the invite Secret
    /// and is the person's identity in the call.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The name that others see in the call. At most 128 characters. Default: name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// What the person may do. Presenter: microphone, camera, screen, chat, and mute others, remove others, end the call
    /// and add people. Collaborator: microphone, camera, screen, chat. Attendee: microphone, camera, chat. Consumer: only
    /// hear and see. A change reaches a joined person without reconnecting. Default: Attendee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,

    /// Puts the person out and keeps them out, but on the list: the invite works again when this is set back to false.
    /// Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,

    /// Generation of the person's invite, 0 or more, which never shrinks. Raise it to replace the invite: the person is
    /// disconnected, the old join link is dead and the Secret holds a new one. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub invite_generation: Option<i64>,
}

/// What the invite Secrets of a Room carry besides their own keys.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct InviteTemplate {
    /// Labels and annotations that every invite Secret of this Room gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<InviteTemplateMetadata>,
}

/// Labels and annotations for the invite Secrets.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct InviteTemplateMetadata {
    /// Labels for the invite Secrets, at most 16. Keys of roomkeeper.io, the recommended app.kubernetes.io keys and those
    /// by which Argo CD and Flux track objects are refused: such a tool would take the Secrets for its own and prune them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels_schema")]
    pub labels: BTreeMap<String, String>,

    /// Annotations for the invite Secrets, at most 16, each value at most 1024 characters. The same keys are refused as
    /// for labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations_schema")]
    pub annotations: BTreeMap<String, String>,
}

/// Key prefixes that Roomkeeper or a GitOps tool reads meaning into.
const RESERVED: &str = "roomkeeper\\.io|app\\.kubernetes\\.io|argoproj\\.io|fluxcd\\.io|helm\\.sh";

fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    metadata_map_schema("labels", &json!({"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"}))
}

fn annotations_schema(_: &mut SchemaGenerator) -> Schema {
    metadata_map_schema("annotations", &json!({"type": "string", "maxLength": 1024}))
}

/// The schema of a map of metadata for invite Secrets; `field` is its name in messages.
fn metadata_map_schema(field: &str, values: &serde_json::Value) -> Schema {
    let bad_key = "!k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')";
    let reserved = format!("k.matches('^([-a-z0-9.]+\\\\.)?({})/')", RESERVED.replace('\\', "\\\\"));
    let naming =
        |text: &str, filter: &str| format!("'spec.inviteTemplate.metadata.{field}: {text}: %s'.format([self.filter(k, {filter})])");
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": values,
        "x-kubernetes-validations": [
            {
                "rule": format!("!self.exists(k, {reserved})"),
                "messageExpression": naming("keys of roomkeeper.io, app.kubernetes.io, Argo CD, Flux and Helm are not allowed", &reserved),
                "message": format!("spec.inviteTemplate.metadata.{field}: keys of roomkeeper.io, app.kubernetes.io, Argo CD, Flux and Helm are not allowed"),
            },
            {
                "rule": format!("!self.exists(k, {bad_key})"),
                "messageExpression": naming("keys must be an optional DNS prefix and slash, then at most 63 letters, digits, -, _ or .", bad_key),
                "message": format!("spec.inviteTemplate.metadata.{field}: keys must be an optional DNS prefix and slash, then at most 63 letters, digits, -, _ or ."),
            },
        ],
    })
}
