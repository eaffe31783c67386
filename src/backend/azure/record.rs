//! What is kept of a session: the ids that the service has given out for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::Reason;
use crate::backend::session_ledger::LedgerRecord;
use crate::domain::{Failure, SessionSettings};

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionRecord {
    /// When the room was asked for first. It is asked for again by the same moment, so that there is no second one.
    pub first_sent: Timestamp,
    /// What the room is asked to be.
    #[serde(flatten)]
    pub wanted: RoomSettings,
    /// Id of the room, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Everybody who has an identity, by their name.
    #[serde(default)]
    pub people: BTreeMap<String, PersonRecord>,
    /// Raw ids of identities in whose place others are, until they are deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replaced: BTreeSet<String>,
}

impl SessionRecord {
    /// One whose room is to be asked for from now on.
    pub(super) fn new(now: Timestamp, settings: SessionSettings) -> Self {
        Self { first_sent: now, wanted: settings.into(), room: None, people: BTreeMap::new(), replaced: BTreeSet::new() }
    }

    /// The raw ids of all identities that there may be.
    pub(super) fn users(&self) -> impl Iterator<Item = &String> {
        self.people.values().map(|person| &person.user).chain(&self.replaced)
    }
}

/// What a room can be asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomSettings {
    /// When it ends.
    pub until: Timestamp,
    /// Whether Presenters may call telephones.
    #[serde(default)]
    pub pstn_dial_out: bool,
}

impl From<SessionSettings> for RoomSettings {
    fn from(SessionSettings { window, pstn_dial_out }: SessionSettings) -> Self {
        Self { until: window.until, pstn_dial_out }
    }
}

/// A person as they are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonRecord {
    /// Raw id of the identity.
    pub user: String,
    pub display_name: String,
    /// Generation of the invite for which the identity was made.
    pub generation: i64,
    /// Fingerprint of the key that signed it.
    pub signed_by: String,
}

impl SessionRecord {
    pub(super) fn read(kept: &LedgerRecord) -> Result<Self, Failure> {
        serde_json::from_str(&kept.content)
            .map_err(|_| Failure::misconfigured(Reason::Misconfigured, "what is kept of the session cannot be read"))
    }

    /// As the next state of what is kept.
    pub(super) fn write(&self, version: Option<String>) -> Result<LedgerRecord, Failure> {
        let content = serde_json::to_string(self);
        let content = content.map_err(|_| Failure::misconfigured(Reason::Misconfigured, "the session cannot be kept"))?;
        Ok(LedgerRecord { content, version })
    }
}
