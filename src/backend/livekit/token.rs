//! Media tokens: JSON Web Tokens with LiveKit's claims.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use livekit_protocol::TrackSource;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::interface::TokenSubject;
use super::permissions;
use crate::api::Reason;
use crate::domain::{Failure, TokenGrant};

/// Participant attribute with the generation of the invite.
pub(super) const GENERATION: &str = "roomkeeper.io/generation";
/// Participant attribute with the fingerprint of the key that signed the invite.
pub(super) const SIGNED_BY: &str = "roomkeeper.io/signed-by";
/// How far clocks may be apart: what LiveKit allows.
const LEEWAY: SignedDuration = SignedDuration::from_mins(1);
/// Longest token that is looked at, in bytes. Those of LiveKit and our own have less than 2 KiB.
const MAX_LENGTH: usize = 8192;

/// The grants besides joining that a role may give. A token with any other one was not made for people.
const ORDINARY: [&str; 3] = ["canSubscribe", "canPublish", "canPublishData"];

/// Signs media tokens (HS256, RFC 7515), and tells who holds one.
///
/// The token types of livekit-api read the clock themselves, so that neither the start nor the end could be those of the
/// grant, nor could one be judged at a given moment; and they leave out every grant that is false, which LiveKit reads as
/// allowed for some of them.
pub(super) struct Signer {
    api_key: String,
    mac: Hmac<Sha256>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// The claims that decide; LiveKit leaves out what is empty.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    name: String,
    nbf: Option<i64>,
    exp: i64,
    #[serde(default)]
    attributes: HashMap<String, String>,
    video: Option<Grants>,
    #[serde(default)]
    sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grants {
    #[serde(default)]
    room_join: bool,
    #[serde(default)]
    room: String,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

impl Signer {
    /// A signer with these credentials.
    pub(super) fn new(api_key: &str, api_secret: &str) -> Result<Self, Failure> {
        let unusable = |_| Failure::misconfigured(Reason::Misconfigured, "the API secret cannot be used as a key");
        Ok(Self { api_key: api_key.to_owned(), mac: Hmac::new_from_slice(api_secret.as_bytes()).map_err(unusable)? })
    }

    /// The media token of a grant for a room.
    pub(super) fn media_token(&self, room: &str, grant: &TokenGrant, audio_only: bool) -> String {
        self.sign(&self.claims(room, grant, audio_only))
    }

    /// Who holds a token that was signed with these credentials, here or by LiveKit, if it is good at `now` for joining a
    /// room and for nothing else.
    pub(super) fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject> {
        let Claims { sub, name, attributes, video, .. } = self.claims_of(token, now)?;
        let Grants { room_join, room, others } = video?;
        let joins_only = room_join && others.iter().all(|(grant, value)| ORDINARY.contains(&grant.as_str()) || *value != Value::Bool(true));
        if sub.is_empty() || room.is_empty() || !joins_only {
            return None;
        }
        let generation = attributes.get(GENERATION).and_then(|generation| generation.parse().ok());
        let signed_by = attributes.get(SIGNED_BY).cloned();
        Some(TokenSubject { session: room, identity: sub, display_name: name, generation, signed_by })
    }

    /// Whether `authorization` is a token that is good at `now` and names the digest of `body`.
    pub(super) fn signed(&self, authorization: &str, body: &[u8], now: Timestamp) -> bool {
        let named = self.claims_of(authorization, now).and_then(|claims| STANDARD.decode(claims.sha256).ok());
        named.is_some_and(|named| named == Sha256::digest(body).as_slice())
    }

    /// The claims of a token that was signed with these credentials and is good at `now`.
    fn claims_of(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let claims: Claims = serde_json::from_slice(&self.verified(token)?).ok()?;
        let good = now >= Timestamp::from_second(claims.nbf.unwrap_or_default()).ok()?.checked_sub(LEEWAY).ok()?
            && now < Timestamp::from_second(claims.exp).ok()?.checked_add(LEEWAY).ok()?;
        (good && claims.iss == self.api_key).then_some(claims)
    }

    /// The claims of a token, if its signature is right.
    fn verified(&self, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_LENGTH)?;
        self.mac.clone().chain_update(signed).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let Header { alg } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        (alg == "HS256").then(|| URL_SAFE_NO_PAD.decode(claims).ok())?
    }

    fn claims(&self, room: &str, grant: &TokenGrant, audio_only: bool) -> Value {
        let permission = permissions::of(grant.role, audio_only);
        let (role_attribute, role) = permissions::attribute(grant.role);
        let mut attributes = json!({ GENERATION: grant.generation.to_string(), role_attribute: role });
        if let Some(key) = &grant.signed_by {
            attributes[SIGNED_BY] = json!(key);
        }
        json!({
            "iss": self.api_key,
            "sub": grant.identity,
            "name": grant.display_name,
            // Whole seconds, both rounded down: never early by the server's clock, and never longer than the grant.
            "nbf": grant.not_before.as_second(),
            "exp": grant.expires_at.as_second(),
            "attributes": attributes,
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
