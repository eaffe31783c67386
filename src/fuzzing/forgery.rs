//! JSON Web Tokens as somebody can make them who has a secret, whichever that is.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A token with this header and these claims, signed by HS256 whatever the header says.
pub fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The claims by which a media server says that it sends this body, from one second since 1970 to another.
pub fn hook_claims(api_key: &str, body: &[u8], from: i64, to: i64) -> Value {
    json!({"iss": api_key, "nbf": from, "exp": to, "sha256": STANDARD.encode(Sha256::digest(body))})
}
