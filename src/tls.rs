//! TLS of connections that Roomkeeper opens to media servers and to the receiver of traces: rustls on ring, with the roots of the system, or of
//! `SSL_CERT_FILE` and `SSL_CERT_DIR`. livekit-api sets up the same for its own calls, and keeps it to itself.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::Arc;

use rustls::CertificateError;

/// The TLS configuration of a client.
///
/// # Errors
/// When ring has no cipher for the protocol versions of rustls.
pub fn client() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "certificates of authorities cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// What was wrong with the certificate of the server, if a request failed by that.
#[must_use]
pub fn certificate_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    successors(Some(error), |&error| cause(error)).find_map(|error| match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    })
}

/// What an error came of. Asked for its source, an I/O error passes over the error that it holds.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}
