//! What a real API server takes and refuses of Rooms and RoomClasses, and what kubectl shows of them.
//!
//! Every rule is tried from both sides: the last value that is accepted, the first that is refused, and the words that tell
//! its author what to change.

// Clippy takes only functions marked as tests for tests, and these are their parts: they take what `json!` makes as it is.
#![allow(clippy::expect_used, clippy::needless_pass_by_value, clippy::panic, clippy::unwrap_used)]

mod support;

#[path = "api/fields.rs"]
mod fields;
#[path = "api/invite_template.rs"]
mod invite_template;
#[path = "api/joining.rs"]
mod joining;
#[path = "api/kubectl.rs"]
mod kubectl;
#[path = "api/objects.rs"]
mod objects;
#[path = "api/participants.rs"]
mod participants;
#[path = "api/phases.rs"]
mod phases;
#[path = "api/room_class.rs"]
mod room_class;
#[path = "api/window.rs"]
mod window;
