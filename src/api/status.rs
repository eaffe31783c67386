//! Status of a Room: what the controller observed and did.

// Doc comments here are what kubectl explain prints: plain text, in which backticks are noise.
#![allow(clippy::doc_markdown)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::ConditionType;
use super::role::Role;
use super::schema;

/// What the controller observed of a Room and did for it. Written by the controller alone, at most once per pass.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the Room is in its life, for people. Pending: not accepted yet, or its session could not be made yet.
    /// Scheduled: before its window. Open: joinable now. Suspended: closed by spec.suspend. Expired: over.
    #[serde(default)]
    pub phase: Phase,

    /// The RoomClass in use. A Room that names none keeps the class that was the default when it was accepted first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_class_name: Option<String>,

    /// The moment from which people can join, as it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,

    /// The moment the call ends, as it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,

    /// When the Room was first seen to be over, from which its TTL counts; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Time>,

    /// When the clock alone will change the Room next: its opening, its end, or its deletion after the TTL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition_time: Option<Time>,

    /// The call session on the media server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionStatus>,

    /// The invites that are issued, one entry per person. Changes only when they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1402))]
    pub participants: Vec<LedgerEntry>,

    /// The people, and the shared link, whose invite was ever rotated, with the highest generation seen. An older one never becomes good
    /// again, not even when somebody is taken off the list and comes back to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub rotated_invites: Vec<RotatedInvite>,

    /// Digest of what all invite Secrets of the Room share: signing key, address of the gateway, window and template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invites_revision: Option<String>,

    /// How many people are invited and have joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,

    /// For machines. Accepted: the spec is valid for its class. InvitesReady: every invite Secret is as it should be.
    /// SessionReady: the session is as it should be. Open: people can join now. Ready: sessions and invites are as the spec wants them
    /// at this moment, which is true of Scheduled and Expired Rooms too. Reconciling and Stalled follow kstatus.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}

impl RoomStatus {
    /// The session that was made and has not ended.
    #[must_use]
    pub fn live_session(&self) -> Option<&SessionStatus> {
        self.session.as_ref().filter(|session| session.ended_at.is_none())
    }

    /// The condition of this type, if it is there and says that it `holds`, or that it does not.
    #[must_use]
    pub fn condition(&self, kind: ConditionType, holds: bool) -> Option<&Condition> {
        let (kind, status) = (kind.to_string(), if holds { "True" } else { "False" });
        self.conditions.iter().find(|condition| condition.type_ == kind && condition.status == status)
    }
}

/// Where a Room is in its life.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum Phase {
    /// Not accepted yet, or its session could not be made yet.
    #[default]
    Pending,
    /// Before its window.
    Scheduled,
    /// Joinable now.
    Open,
    /// Closed by `spec.suspend`.
    Suspended,
    /// Over.
    Expired,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Scheduled, Self::Open, Self::Suspended, Self::Expired];
}

/// A session on the media server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// Name of the session on the media server, never used twice.
    pub id: String,

    /// Counts the sessions of this Room, from 1: a Room that is opened again, or whose session the media server lost,
    /// gets the next one.
    #[schemars(range(min = 1))]
    pub epoch: i64,

    /// When the session was made; absent while it waits for the first person to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,

    /// When the session was closed; absent while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// Somebody whose invite was rotated.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RotatedInvite {
    /// A participant's name, or * for the shared link.
    pub name: String,

    /// Highest generation seen.
    pub invite_generation: i64,
}

/// One issued invite.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Identity that the invite is for: a participant's name, guest-<name> of a RoomGuest, or * for the shared link.
    pub name: String,

    /// Role that the invite Secret states.
    pub role: Role,

    /// Generation of the invite in the Secret.
    #[serde(default)]
    pub invite_generation: i64,

    /// Name of the invite Secret.
    pub secret_name: String,

    /// UID of the invite Secret, by which it is deleted: a Secret of the same name that is not ours is never touched.
    #[serde(rename = "secretUID")]
    pub secret_uid: String,
}

/// How many people are invited and have joined.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// People on the list who are not suspended, and guests.
    #[serde(default)]
    pub invited: i32,

    /// People in the call, refreshed at most every 10 seconds.
    #[serde(default)]
    pub joined: i32,
}
