//! The cluster as both roles see it: the client, watches, and the Secrets in the operator's own namespace.

mod backends;
mod changes;
mod client;
mod definitions;
mod freshness;
mod guarded;
mod lists;
mod merge;
mod other_classes;
mod preflight;
mod room_class_file;
mod room_objects;
mod rooms;
mod scope;
mod secrets;
mod signing_keys;
mod unreadable;
mod versions;
mod watch;
mod watch_ages;
mod writes;

pub use backends::{BackendConfig, sync_backends};
pub use changes::{Change, ChangeStream, is_older};
pub use client::{ClientError, REQUEST_TIMEOUT, client, watching_client};
pub use freshness::{Freshness, Proof};
pub use lists::Lists;
pub use other_classes::OtherClasses;
pub use preflight::{PreflightError, installation, may_list, may_read};
pub use room_class_file::{ClassFileError, apply_class, read_class};
pub use room_objects::{Guests, Removals, RoomObjects, room_of, watch_room_object_changes, watch_room_objects};
pub use rooms::{Rooms, watch_rooms};
pub use scope::Scope;
pub use secrets::{KeysError, OwnSecrets, ensure_invite_keys, ensure_livekit_keys, watch_own_secrets};
pub use signing_keys::INVITE_KEYS_SECRET;
pub use unreadable::Unreadable;
pub use versions::{Version, version_now, version_of, versions_now};
pub use watch::{
    WatchStream, keep_what_is_read, watch, watch_class_changes, watch_classes, watch_namespace_changes, watch_scope_changes,
};
pub use watch_ages::WatchAges;
pub use writes::{apply_params, delete_object, delete_params, patch_params, post_params, publish_event};
