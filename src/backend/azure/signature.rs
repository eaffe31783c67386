//! How requests are signed with an access key: HMAC-SHA256 over method, path with query, time, host, and digest of the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use sha2::{Digest, Sha256};

/// What a signed request carries besides its own headers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// Header `x-ms-date`.
    pub date: String,
    /// Header `x-ms-content-sha256`.
    pub digest: String,
    /// Header `Authorization`: a secret.
    pub authorization: String,
}

/// Signs a request to `path`, with its query, at `host`, with its port where that is not the scheme's own.
pub(super) fn sign(key: &[u8], method: &str, host: &str, path: &str, body: &[u8], now: Timestamp) -> Signed {
    let (date, digest) = (http_date(now), STANDARD.encode(Sha256::digest(body)));
    let text = format!("{method}\n{path}\n{date};{host};{digest}");
    // HMAC takes a key of any length.
    let signature = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(text).finalize().into_bytes()).unwrap_or_default();
    let signature = STANDARD.encode(signature);
    let authorization = format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
    Signed { date, digest, authorization }
}

/// A moment as HTTP has it, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(moment: Timestamp) -> String {
    // Years before 0 have no such form, and no clock shows them.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_service_checks_it() {
        let now = "2027-01-15T09:00:00Z".parse().unwrap();
        let signed = sign(b"key", "POST", "contoso.communication.azure.com", "/rooms?api-version=2025-03-13", b"{}", now);
        assert_eq!(signed.date, "Fri, 15 Jan 2027 09:00:00 GMT");
        assert_eq!(signed.digest, "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
        let signature = "GIFiRRP751dH8DAI4+xpSiBh4kKTV8zscJdZi3gzZas=";
        assert_eq!(signed.authorization, format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"));
    }
}
