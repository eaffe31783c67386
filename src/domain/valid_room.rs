//! A Room that is accepted, and whether it can be joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::capabilities::BackendKind;
use super::roster::Roster;
use super::session::SessionSettings;
use super::window::Window;
use crate::api::{Provision, RoomClass, VideoCodec};

/// A Room whose spec is valid for its class, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRoom {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// What invites are bound to: `spec.id` or the UID.
    pub invite_id: String,
    /// Title of the call.
    pub display_name: String,
    pub class: String,
    /// What kind of media server holds the session.
    pub backend: BackendKind,
    pub window: Window,
    /// Everybody who may come.
    pub roster: Arc<Roster>,
    /// Most people in the call at one time.
    pub max_participants: usize,
    pub suspend: bool,
    /// Whether Presenters may call telephones.
    pub pstn_dial_out: bool,
    /// When the session is made.
    pub provision: Provision,
    /// How long the session stays when nobody is in it; `None` means until the end of the window.
    pub close_when_empty_after: Option<Duration>,
    /// How long after the end the object is deleted; `None` means never.
    pub ttl: Option<Duration>,
    /// What people send.
    pub media: Media,
    /// What the invite Secrets carry besides their own keys.
    pub invite_metadata: InviteMetadata,
}

/// What people in a call send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    pub video_codec: VideoCodec,
    /// Most lines of a camera's picture.
    pub max_video_height: i32,
    /// No pictures, whatever the role.
    pub audio_only: bool,
}

impl Media {
    /// Lines of a camera's picture where a class does not say.
    pub const DEFAULT_HEIGHT: i32 = 720;

    /// That of a class, with every default filled in.
    #[must_use]
    pub fn of(class: &RoomClass) -> Self {
        let media = class.spec.media.clone().unwrap_or_default();
        Self {
            video_codec: media.video_codec.unwrap_or_default(),
            max_video_height: media.max_video_height.unwrap_or(Self::DEFAULT_HEIGHT),
            audio_only: media.audio_only.unwrap_or_default(),
        }
    }
}

/// Labels and annotations for invite Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct InviteMetadata {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// Whether a Room can be joined: what people are told before they join. The phase in the status is what the controller last made of
/// the Room; this is judged by the clock at every use of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Not before the window begins.
    Early,
    Open,
    /// Not before somebody leaves.
    Full,
    /// The window is over.
    Over,
    /// Not while `spec.suspend` is set.
    Suspended,
}

impl ValidRoom {
    /// What its session is to be like.
    #[must_use]
    pub fn session_settings(&self) -> SessionSettings {
        SessionSettings { window: self.window, pstn_dial_out: self.pstn_dial_out }
    }

    /// Whether somebody can join at `now`; `others` is the number of other people in the call or on their way into it.
    #[must_use]
    pub fn availability(&self, others: usize, now: Timestamp) -> Availability {
        if self.window.is_over(now) {
            Availability::Over
        } else if self.suspend {
            Availability::Suspended
        } else if !self.window.contains(now) {
            Availability::Early
        } else if others >= self.max_participants {
            Availability::Full
        } else {
            Availability::Open
        }
    }
}
