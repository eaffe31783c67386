//! TLS of connections that Roomkeeper opens to media servers: rustls on ring, with the roots of the system. livekit-api sets
//! up the same for its own calls, and keeps it to itself.

use std::sync::Arc;

/// The TLS configuration of a client.
///
/// # Errors
/// When ring has no cipher for the protocol versions of rustls.
pub fn client() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
