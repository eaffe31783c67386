//! Redis, by which LiveKit servers are one cluster.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::{Leashed, free_port, log_file};

/// How long it may take to start. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Redis server without persistence.
pub struct Redis {
    /// Host and port.
    pub address: String,
    _process: Leashed,
}

impl Redis {
    /// Starts a server that listens at this address, and waits until it does.
    pub async fn start(address: Ipv4Addr) -> Self {
        Self::start_with(address, &[]).await
    }

    /// The same with more settings, such as `--requirepass`.
    pub async fn start_with(address: Ipv4Addr, settings: &[&str]) -> Self {
        let (directory, port) = (log_file("redis").with_extension("d"), free_port());
        fs::create_dir_all(&directory).expect("a directory");
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", &address.to_string(), "--protected-mode", "no"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(directory).args(settings);
        let mut process = Leashed::spawn("redis", &command);
        let ready = process.ready(PATIENCE, async || TcpStream::connect((address, port)).await.map(drop)).await;
        ready.unwrap_or_else(|failure| panic!("{failure}"));
        Self { address: format!("{address}:{port}"), _process: process }
    }

    /// The entries of a hash.
    pub async fn entries(&self, hash: &str) -> BTreeMap<String, String> {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection to Redis");
        stream.write_all(format!("HGETALL {hash}\r\nQUIT\r\n").as_bytes()).await.expect("Redis reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer of Redis in UTF-8");
        // What else there is are lengths.
        let words: Vec<&str> = answer.split("\r\n").filter(|line| !line.starts_with(['*', '$', '+'])).collect();
        words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
    }
}
