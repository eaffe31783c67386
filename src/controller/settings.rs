//! What the controller is told at its start.

use std::time::Duration;

use crate::api::RoomClass;
use crate::cluster::Scope;

/// The settings of a controller.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the operator, where signing keys and credentials are.
    pub operator_namespace: String,
    /// Where the Rooms are.
    pub scope: Scope,
    /// Which classes are looked after.
    pub controller_name: String,
    /// Base of join links.
    pub gateway_url: String,
    /// Whether this one works only as long as it is the leader.
    pub leader_elect: bool,
    /// A class that is applied at the start.
    pub room_class: Option<RoomClass>,
    /// Secret with the keys of a LiveKit server that is installed along; made if it is missing.
    pub livekit_keys_secret: Option<String>,
    /// How often the invites of each Room are looked at.
    pub resync: Duration,
}
