//! Media tokens: JSON Web Tokens with LiveKit's claims.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use livekit_protocol::TrackSource;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{GENERATION, permissions};
use crate::api::Reason;
use crate::domain::{Failure, Ticket};

/// Signs media tokens (HS256, RFC 7515).
///
/// The token type of livekit-api reads the clock itself, so that neither the start nor the end could be those of the
/// ticket, and leaves out every grant that is false, which LiveKit reads as allowed for some of them.
pub(super) struct Signer {
    api_key: String,
    mac: Hmac<Sha256>,
}

impl Signer {
    /// A signer with these credentials.
    pub(super) fn new(api_key: &str, api_secret: &str) -> Result<Self, Failure> {
        let unusable = |_| Failure::misconfigured(Reason::Misconfigured, "the API secret cannot be used as a key");
        Ok(Self { api_key: api_key.to_owned(), mac: Hmac::new_from_slice(api_secret.as_bytes()).map_err(unusable)? })
    }

    /// The media token of a ticket for a room.
    pub(super) fn media_token(&self, room: &str, ticket: &Ticket) -> String {
        self.sign(&self.claims(room, ticket))
    }

    fn claims(&self, room: &str, ticket: &Ticket) -> Value {
        let permission = permissions::of(ticket.role);
        let (role_attribute, role) = permissions::attribute(ticket.role);
        json!({
            "iss": self.api_key,
            "sub": ticket.identity,
            "name": ticket.display_name,
            // Whole seconds, both rounded down: never early by the server's clock, and never longer than the ticket.
            "nbf": ticket.not_before.as_second(),
            "exp": ticket.expires_at.as_second(),
            "attributes": { GENERATION: ticket.generation.to_string(), role_attribute: role },
            "video": {
                "roomJoin": true,
                "room": room,
                "canSubscribe": permission.can_subscribe,
                "canPublish": permission.can_publish,
                "canPublishSources": permission.can_publish_sources().map(claim_name).collect::<Vec<_>>(),
                "canPublishData": permission.can_publish_data,
                "canUpdateOwnMetadata": permission.can_update_metadata,
                "canSubscribeMetrics": permission.can_subscribe_metrics,
                "canManageAgentSession": permission.can_manage_agent_session,
                "hidden": permission.hidden,
                "recorder": false,
                "agent": false,
                "roomAdmin": false,
                "roomCreate": false,
                "roomList": false,
                "roomRecord": false,
                "ingressAdmin": false,
            },
        })
    }

    fn sign(&self, claims: &Value) -> String {
        let mut token = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = self.mac.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

/// A source as tokens spell it, such as `screen_share`.
fn claim_name(source: TrackSource) -> String {
    source.as_str_name().to_ascii_lowercase()
}
