//! What a real API server takes and refuses of Rooms and RoomClasses, and what kubectl shows of them.
//!
//! Every rule is tried from both sides: the last value that is accepted, the first that is refused, and the words that tell
//! its author what to change.

mod fields;
mod invite_template;
mod joining;
mod kubectl;
mod objects;
mod participants;
mod phases;
mod room_class;
mod window;
