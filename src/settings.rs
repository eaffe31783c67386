//! From the arguments to the settings of the roles.

use crate::args::{ControllerArgs, GatewayArgs};
use crate::cluster::{self, ClassFileError, Scope};
use crate::{controller, gateway};

/// The settings of the controller.
///
/// # Errors
/// When the file with the RoomClass cannot be read.
pub fn controller(args: ControllerArgs) -> Result<controller::Settings, ClassFileError> {
    Ok(controller::Settings {
        operator_namespace: args.operator_namespace,
        scope: Scope::new(&args.watch_namespaces),
        controller_name: args.controller_name,
        gateway_url: args.gateway_url,
        leader_elect: args.leader_elect,
        room_class: args.room_class_file.as_deref().map(cluster::read_class).transpose()?,
        livekit_keys_secret: args.livekit_keys_secret,
        resync: args.resync.into(),
    })
}

/// The settings of the gateway.
#[must_use]
pub fn gateway(args: GatewayArgs) -> gateway::Settings {
    gateway::Settings {
        listen: args.listen,
        operator_namespace: args.operator_namespace,
        scope: Scope::new(&args.watch_namespaces),
        controller_name: args.controller_name,
        gateway_url: args.gateway_url,
        trusted_proxies: args.trusted_proxies,
        frame_ancestors: args.frame_ancestors,
        rate_limit_per_address: args.rate_limit_per_address,
        longest_silence: gateway::LONGEST_SILENCE,
    }
}
