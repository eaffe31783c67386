//! Whether a request is signed by the access key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::moments::http_date;
use super::reply::Reply;
use super::request::Received;

/// What stands before the signature.
const SCHEME: &str = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";

/// How far the date of a request may be from the service's clock.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// Refuses a request that is not signed by this key, or is not of now, or whose body is another than that which was signed.
pub fn check(request: &Received, key: &[u8], now: Timestamp) -> Result<(), Reply> {
    let header = |name: &str| request.header(name).ok_or_else(|| denied(&format!("The request must have one header {name}.")));
    let (date, host, digest) = (header("x-ms-date")?, header("host")?, header("x-ms-content-sha256")?);
    let sent = http_date(date).ok_or_else(|| denied("The header x-ms-date is not a date."))?;
    if sent.duration_since(now).abs() > TOLERANCE {
        return Err(denied("The date of the request is too far from now."));
    }
    if digest != STANDARD.encode(Sha256::digest(&request.body)) {
        return Err(denied("The header x-ms-content-sha256 is not the digest of the body."));
    }
    let signature = header("authorization")?.strip_prefix(SCHEME).and_then(|signature| STANDARD.decode(signature).ok());
    let signature = signature.ok_or_else(|| denied("The header Authorization has another form."))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(format!("{}\n{}\n{date};{host};{digest}", request.method, request.target).as_bytes());
    mac.verify_slice(&signature).map_err(|_| denied("The signature is not that of the request."))
}

fn denied(message: &str) -> Reply {
    Reply::refusal(401, "Denied", message)
}
