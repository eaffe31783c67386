//! A real LiveKit server, and real clients of it.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use roomkeeper::backend::{LiveKit, MediaCredentials};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio::time::timeout;

use super::http;
use super::process::{Leashed, free_port, log_file};
use super::tools::tool;

/// How long a server may take to start, and a client to see something. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a server is started on other ports when somebody else was faster to take one.
const ATTEMPTS: usize = 3;

/// Settings of a [`LiveKitServer`].
#[derive(Clone)]
pub struct Options {
    /// Whether joining makes a room, as in LiveKit's own defaults.
    pub auto_create: bool,
    /// The one address that it listens on and tells its clients.
    pub address: Ipv4Addr,
    /// The HTTP port; any free one when `None`.
    pub port: Option<u16>,
    /// The API key.
    pub api_key: String,
    /// The API secret.
    pub api_secret: String,
    /// Where it sends its webhooks.
    pub webhook: Option<String>,
    /// Host and port of the Redis by which it is one cluster with others; alone when `None`.
    pub redis: Option<String>,
    /// The one place that it names for media, wherever they really are; what it finds by itself when `None`.
    pub media_address: Option<Ipv4Addr>,
    /// UDP port of a relay (TURN) of its own; it has none when `None`.
    pub relay_port: Option<u16>,
    /// Further relays that it names besides that one, as its configuration has them.
    pub relays: Vec<Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auto_create: false,
            address: Ipv4Addr::LOCALHOST,
            port: None,
            api_key: "roomkeeper-tests".to_owned(),
            api_secret: "a secret that only tests know, of 32 characters".to_owned(),
            webhook: None,
            redis: None,
            media_address: None,
            relay_port: None,
            relays: Vec::new(),
        }
    }
}

/// A LiveKit server, alone and on loopback unless its settings say otherwise.
pub struct LiveKitServer {
    /// Its settings.
    pub options: Options,
    port: u16,
    process: Option<Leashed>,
}

impl LiveKitServer {
    /// Starts a server and waits until it answers.
    pub async fn start(options: Options) -> Self {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let port = options.port.unwrap_or_else(free_port);
            match launch(&options, port).await {
                Ok(process) => return Self { options, port, process: Some(process) },
                Err(reason) => failure = reason,
            }
        }
        panic!("{failure}");
    }

    /// Stops the server; its rooms are gone.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Stops the server if it runs, and starts it again on the same port: it has forgotten its rooms.
    pub async fn restart(&mut self) {
        self.stop();
        self.process = Some(launch(&self.options, self.port).await.unwrap_or_else(|failure| panic!("{failure}")));
    }

    /// Sends the server a signal, such as `STOP`.
    pub fn signal(&mut self, signal: &str) {
        self.process.as_mut().expect("a server that runs").signal(signal);
    }

    /// Processor time and resident bytes that it has used.
    // By a benchmark alone.
    #[allow(dead_code)]
    pub fn used(&self) -> (Duration, u64) {
        let process = self.process.as_ref().expect("a server that runs");
        (process.processor_time(), process.resident_bytes())
    }

    /// Address of its HTTP API.
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.options.address, self.port)
    }

    /// The backend for this server.
    pub fn backend(&self) -> LiveKit {
        let Options { api_key, api_secret, .. } = &self.options;
        LiveKit::new(&self.url(), None, api_key, api_secret).expect("usable settings")
    }
}

async fn launch(options: &Options, port: u16) -> Result<Leashed, String> {
    let (udp_port, tcp_port) = (free_port(), free_port());
    let mut config = json!({
        "port": port,
        "bind_addresses": [options.address],
        "rtc": {
            "tcp_port": tcp_port,
            "udp_port": udp_port,
            // Without this it names public servers to its clients.
            "stun_servers": ["stun.invalid:3478"],
            "use_external_ip": false,
            "node_ip": options.media_address.unwrap_or(options.address),
            "enable_loopback_candidate": true,
            // Other tests make and remove interfaces with addresses of their own.
            "ips": { "includes": [format!("{}/32", options.address)] },
        },
        "keys": { &options.api_key: options.api_secret },
        "room": { "auto_create": options.auto_create },
        "webhook": { "api_key": &options.api_key, "urls": options.webhook.iter().collect::<Vec<_>>() },
    });
    if let Some(address) = &options.redis {
        config["redis"] = json!({ "address": address });
    }
    if let Some(port) = options.relay_port {
        config["turn"] = json!({"enabled": true, "udp_port": port, "domain": "127.0.0.1"});
        config["rtc"]["turn_servers"] = json!(options.relays);
    }
    let mut command = Command::new(tool("livekit-server"));
    // JSON is YAML too.
    command.env("LIVEKIT_CONFIG", config.to_string());
    let mut process = Leashed::spawn("livekit-server", &command);
    process.ready(PATIENCE, async || answers((options.address, port)).await).await.map(|()| process)
}

/// Whether the HTTP port says that the server is well.
async fn answers(address: (Ipv4Addr, u16)) -> Result<(), String> {
    match http::get(address, "/").await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("{answer:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// A real LiveKit client in a process of its own, and what it has told so far: one JSON object per event, whose kinds are
/// listed in `tools/livekit-client/events.go`.
pub struct Client {
    events: watch::Receiver<Vec<Value>>,
    input: ChildStdin,
    process: Child,
}

/// Why a client did not get into a call.
#[derive(Debug, thiserror::Error)]
#[error("not in the call, by HTTP status {status:?}: {message}")]
pub struct NotIn {
    /// The HTTP status of the refusal, where there was one.
    pub status: Option<u64>,
    message: String,
}

impl Client {
    /// Starts a client that joins by `credentials` and publishes these sources, such as `camera`.
    pub fn start(credentials: &MediaCredentials, publish: &[&str]) -> Self {
        Self::start_with(credentials, publish, &[])
    }

    /// The same with more flags, such as `--print-refreshed-token`.
    pub fn start_with(credentials: &MediaCredentials, publish: &[&str], flags: &[&str]) -> Self {
        let log = std::fs::File::create(log_file("livekit-client")).expect("a log file");
        let mut process = tokio::process::Command::new(tool("livekit-client"))
            .args(["--url", credentials.url.as_deref().expect("an address"), "--publish", &publish.join(",")])
            .args(flags)
            .env("LIVEKIT_TOKEN", &credentials.token)
            // It leaves at the end of its stdin, which is the end of this process at the latest.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("livekit-client");
        let input = process.stdin.take().expect("its stdin");
        let mut lines = BufReader::new(process.stdout.take().expect("its stdout")).lines();
        let (sender, events) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "event": "not JSON", "line": line }));
                sender.send_modify(|events: &mut Vec<Value>| events.push(event));
            }
        });
        Self { events, input, process }
    }

    /// Starts a client that tells the tokens that the server renews for it, and waits until it is in.
    pub async fn join_telling_tokens(credentials: &MediaCredentials) -> Self {
        let client = Self::start_with(credentials, &[], &["--print-refreshed-token"]);
        client.event("connected").await;
        client
    }

    /// Starts a client and waits until it is in, or says why it is not.
    pub async fn join(credentials: &MediaCredentials, publish: &[&str]) -> Result<Self, NotIn> {
        let client = Self::start(credentials, publish);
        let first = client.wait_for("to be in or refused", |_| true).await;
        if first["event"] == "connected" {
            return Ok(client);
        }
        Err(NotIn { status: first["status"].as_u64(), message: first["message"].as_str().unwrap_or_default().to_owned() })
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.borrow().clone()
    }

    /// Waits for the first event, past ones included, that is `wanted`; `what` names it in the failure.
    pub async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut events = self.events.clone();
        let told = || json!(self.events());
        let seen = timeout(PATIENCE, events.wait_for(|events| events.iter().any(&wanted))).await;
        let seen = seen.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}; the client's events: {}", told()));
        let events = seen.unwrap_or_else(|_| panic!("the client ended before: {what}; its events: {}", told()));
        events.iter().find(|event| wanted(event)).expect("just seen").clone()
    }

    /// Waits for an event of this kind.
    pub async fn event(&self, kind: &str) -> Value {
        self.wait_for(kind, |event| event["event"] == kind).await
    }

    /// Has the client do something: `say TEXT` or `publish SOURCE`.
    pub async fn command(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("a client that listens");
    }

    /// Leaves, and waits until that is done.
    pub async fn close(mut self) {
        drop(self.input);
        let left = timeout(PATIENCE, self.process.wait()).await;
        left.expect("the client leaves at the end of its input").expect("the state of a child");
    }
}
