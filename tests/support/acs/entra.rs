//! Tokens of Microsoft Entra for a workload identity, as far as the service takes them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::identifiers::random;
use super::reply::Reply;
use super::request::Received;

/// What has to be asked for.
const EXPECTED: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ("scope", "https://communication.azure.com//.default"),
];

/// The one identity that is known.
#[derive(Default)]
pub struct Entra {
    /// Client id, and the assertion that proves it.
    pub identity: Option<(String, String)>,
    /// How long its tokens last.
    pub lasts: SignedDuration,
    issued: BTreeMap<String, Timestamp>,
}

impl Entra {
    /// Whether a request is for a token.
    pub fn is_asked(request: &Received) -> bool {
        request.method == "POST"
            && matches!(request.path.as_slice(), [_, oauth2, version, token] if oauth2 == "oauth2" && version == "v2.0" && token == "token")
    }

    /// `POST /{tenant}/oauth2/v2.0/token`
    pub fn issue(&mut self, request: &Received, now: Timestamp) -> Reply {
        let form: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let says = |key: &str, value: &str| form.get(key).is_some_and(|said| said == value);
        let known =
            self.identity.as_ref().is_some_and(|(client, assertion)| says("client_id", client) && says("client_assertion", assertion));
        if !known || !EXPECTED.iter().all(|(key, value)| says(key, value)) || form.len() != 5 {
            return Reply::json(401, json!({"error": "invalid_client", "error_description": "The client is not known."}));
        }
        let token = URL_SAFE_NO_PAD.encode(random::<32>());
        self.issued.insert(token.clone(), now + self.lasts);
        Reply::json(200, json!({"token_type": "Bearer", "expires_in": self.lasts.as_secs(), "access_token": token}))
    }

    /// Refuses a request whose token is none of those.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<(), Reply> {
        let is_good = self.issued.get(token).is_some_and(|end| now < *end);
        if is_good { Ok(()) } else { Err(Reply::refusal(401, "Denied", "The token is not known or has expired.")) }
    }
}
