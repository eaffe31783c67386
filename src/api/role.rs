//! The roles of people in a call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The pre-built roles, as in Azure Communication Services Rooms.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[schemars(inline, transform = schema::plain_enum)]
pub enum Role {
    /// Runs the call: everything a Collaborator may, and mute, remove and add others and end the call for all.
    Presenter,
    /// Takes part fully: microphone, camera, screen share and chat.
    Collaborator,
    /// Takes part: microphone, camera and chat.
    #[default]
    Attendee,
    /// Hears and sees.
    Consumer,
}
