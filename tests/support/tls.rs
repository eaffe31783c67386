//! TLS with a certificate that nobody knows: an authority of a company's own, and proxies that end TLS with what it issues.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::process::log_file;

const EXTENSIONS: &str = "[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
";

/// An authority that has issued a certificate for loopback.
pub struct Authority {
    directory: PathBuf,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// One that nobody knows yet.
    pub fn new() -> Self {
        let directory = log_file("authority").with_extension("d");
        fs::create_dir_all(directory.join("trusted")).expect("a directory");
        fs::write(directory.join("openssl.cnf"), EXTENSIONS).expect("a file");
        issue(&directory, &["-extensions", "authority", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "trusted/ca.crt"]);
        let by = ["-CA", "trusted/ca.crt", "-CAkey", "ca.key"];
        issue(
            &directory,
            &[&by[..], &["-extensions", "server", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.crt"]].concat(),
        );
        let certificate = CertificateDer::from_pem_file(directory.join("server.crt")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions of TLS");
        let config = versions.with_no_client_auth().with_single_cert(vec![certificate], key).expect("a certificate with its key");
        Self { directory, config: Arc::new(config) }
    }

    /// The directory with its own certificate, as `SSL_CERT_DIR` takes it.
    pub fn trusted(&self) -> String {
        self.directory.join("trusted").display().to_string()
    }

    /// Issues a certificate for a name: the files with it and with its key.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        let by = ["-CA", "trusted/ca.crt", "-CAkey", "ca.key", "-subj", &format!("/CN={name}")];
        let names = ["-addext", &format!("subjectAltName = DNS:{name}"), "-addext", "basicConstraints = critical, CA:FALSE"];
        issue(&self.directory, &[&by[..], &names, &["-keyout", &key, "-out", &certificate]].concat());
        (self.directory.join(certificate), self.directory.join(key))
    }

    /// The file with its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("trusted/ca.crt")
    }

    /// A proxy on loopback that ends TLS before the HTTP server at `url`, such as `http://127.0.0.1:7880`; its address. It lives as long as the
    /// tests do.
    pub fn before(&self, url: &str) -> String {
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("its address"));
        let config = self.config.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let config = config.clone();
                // A client that trusts nobody hangs up.
                thread::spawn(move || pass(client, config, port));
            }
        });
        url
    }
}

fn issue(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-config", "openssl.cnf", "-noenc", "-days", "2"]);
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]).args(arguments);
    let output = command.current_dir(directory).output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Passes one request and its answer.
fn pass(client: TcpStream, config: Arc<ServerConfig>, port: u16) -> io::Result<()> {
    let mut client = StreamOwned::new(ServerConnection::new(config).map_err(io::Error::other)?, client);
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let head = loop {
        let read = client.read(&mut chunk)?;
        request.extend_from_slice(&chunk[..read]);
        let end = request.windows(4).position(|window| window == b"\r\n\r\n");
        match end {
            Some(end) if request.len() >= end + 4 + body_length(&request[..end]) => break end,
            _ if read == 0 => return Ok(()),
            _ => {}
        }
    };
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(&request[..head])?;
    // So that the end of the answer is that of the connection.
    server.write_all(b"\r\nconnection: close")?;
    server.write_all(&request[head..])?;
    io::copy(&mut server, &mut client)?;
    client.conn.send_close_notify();
    client.flush()
}

fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0)
}
