//! `make bench`: what the door costs and how fast it shuts, on real servers on this machine.
//!
//! Prints figures and judges nothing: what must hold exactly is judged by the tests. `cargo bench --bench door -- joins hammered` runs those
//! two parts alone.

// The benchmark talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used)]

// A part of it is used.
#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use jiff::SignedDuration;
use roomkeeper::api::Phase;
use roomkeeper::domain::{Invite, KeyRing, generate_key};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use support::http::Response;
use support::livekit::Client;
use support::stage::Stage;
use support::{eventually, now, run};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many idle connections are held, in Rooms of at most 350.
const IDLE: usize = 1000;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    run(async {
        if wanted("forged") {
            forged_invites();
        }
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        if wanted("joins") {
            joins(&stage).await;
        }
        if wanted("hammered") {
            hammered(&stage).await;
        }
        if wanted("revocations") {
            revocations(&stage).await;
        }
        if wanted("idle") {
            idle_connections(&stage).await;
        }
    });
}

/// Invites that nobody was given, each a little different from one that somebody was.
fn forged_invites() {
    let (ours, theirs) = (generate_key("1"), generate_key("1"));
    let ring = |(name, pem): &(String, String)| KeyRing::read([(name.as_str(), pem.as_bytes())], None).0.expect("a key");
    let (ours, theirs) = (ring(&ours), ring(&theirs));
    let (mut accepted, mut took) = (0, Vec::new());
    for number in 0..100_000_usize {
        let invite = Invite {
            namespace: "board".into(),
            room: "board-meeting".into(),
            id: "11111111-2222-3333-4444-555555555555".into(),
            participant: format!("person-{number}"),
            generation: 0,
            signed_by: None,
        };
        let good = ours.sign(&invite).expect("an invite");
        let token = match number % 5 {
            0 => theirs.sign(&invite).expect("an invite"),
            // One character of payload or signature.
            1 => {
                let at = "v4.public.".len() + number % (good.len() - "v4.public.".len() - 20);
                let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
                format!("{}{other}{}", &good[..at], &good[at + 1..])
            }
            2 => good[..good.len() - 1 - number % 40].to_owned(),
            3 => good.replace("v4.public", "v4.local"),
            _ => format!("{number:x}").repeat(20),
        };
        let started = now();
        accepted += usize::from(ours.verify(&token).is_ok());
        took.push(now().duration_since(started));
    }
    println!("100,000 forged or near-miss invites: {accepted} accepted");
    print_spread("  one judgement", took, SignedDuration::as_micros, "µs");
}

fn people(number: usize) -> Vec<Value> {
    (0..number).map(|number| json!({"name": format!("person-{number}")})).collect()
}

/// `POST /v1/join`, one after the other.
async fn joins(stage: &Stage) {
    let place = stage.place().await;
    place.apply("call", json!({"participants": people(250)})).await;
    place.until_phase("call", Phase::Open).await;
    let mut took = Vec::new();
    for number in 0..500 {
        let invite = place.invite("call", &format!("person-{}", number % 250)).await;
        let started = now();
        let answer = stage.join(&invite).await;
        took.push(now().duration_since(started));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    print_spread("join, 500 times", took, SignedDuration::as_micros, "µs");
}

/// Joins of others, quiet and while one holder of a link sends `POST /v1/join` as fast as answers come, by turns.
async fn hammered(stage: &Stage) {
    let place = stage.place().await;
    let link = json!({"joinPolicy": "AnyoneWithLink", "participants": people(20)});
    place.apply("open", link).await;
    place.apply("other", json!({"participants": people(20)})).await;
    for room in ["open", "other"] {
        place.until_phase(room, Phase::Open).await;
    }
    let shared = place.invite("open", "*").await;
    let (mut listed, mut elsewhere) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let name = format!("person-{number}");
        listed.push(place.invite("open", &name).await);
        elsewhere.push(place.invite("other", &name).await);
    }
    let (mut quiet, mut loud) = (Joins::default(), Joins::default());
    for _ in 0..ROUNDS {
        quiet.add(stage, &listed, &elsewhere, &shared).await;
        let hammer = async { join_all((0..HAMMERS).map(|_| hammer(stage, &shared))).await };
        tokio::select! {
            _ = hammer => {}
            () = loud.add(stage, &listed, &elsewhere, &shared) => {}
        }
    }
    quiet.print("quiet");
    loud.print("hammered");
}

/// How often it is quiet, and hammered, in turn.
const ROUNDS: usize = 10;
/// Requests of the holder at the same time.
const HAMMERS: usize = 8;
/// Addresses on loopback: the holder's, and that of another one with the same link.
const HOLDER: [u8; 4] = [127, 0, 0, 2];
const VISITOR: [u8; 4] = [127, 0, 0, 3];

/// How long joins took.
#[derive(Default)]
struct Joins {
    listed: Vec<SignedDuration>,
    elsewhere: Vec<SignedDuration>,
    visitors: Vec<SignedDuration>,
}

impl Joins {
    async fn add(&mut self, stage: &Stage, listed: &[String], elsewhere: &[String], shared: &str) {
        for (of_list, of_other) in listed.iter().zip(elsewhere) {
            for (invite, took) in [(of_list, &mut self.listed), (of_other, &mut self.elsewhere)] {
                let started = now();
                let answer = stage.join(invite).await;
                took.push(now().duration_since(started));
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            let started = now();
            let status = visit(stage, VISITOR, shared).await;
            self.visitors.push(now().duration_since(started));
            assert_eq!(status, 200);
        }
    }

    fn print(self, when: &str) {
        for (whose, took) in [("the list of that Room", self.listed), ("another Room", self.elsewhere), ("the same link", self.visitors)] {
            print_spread(&format!("join of {whose}, {when}"), took, SignedDuration::as_micros, "µs");
        }
    }
}

/// Joins again and again, by the link; counts nothing.
async fn hammer(stage: &Stage, shared: &str) {
    loop {
        visit(stage, HOLDER, shared).await;
    }
}

/// `POST /v1/join` by a link, from an address on loopback; the status.
async fn visit(stage: &Stage, from: [u8; 4], shared: &str) -> u16 {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address on loopback");
    let mut stream = socket.connect(([127, 0, 0, 1], stage.gateway.port).into()).await.expect("connected");
    let body = r#"{"displayName": "Visitor"}"#;
    let head = format!("POST /v1/join HTTP/1.1\r\nhost: meet.test\r\nauthorization: Bearer {shared}\r\ncontent-type: application/json\r\n");
    let request = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    Response::parse(&answer).status
}

/// From the edit's answer to the client's disconnection.
async fn revocations(stage: &Stage) {
    let place = stage.place().await;
    let mut took = Vec::new();
    for number in 0..20 {
        let name = format!("room-{number}");
        place.apply(&name, json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase(&name, Phase::Open).await;
        let ada = Client::join(&stage.join(&place.invite(&name, "ada").await).await.credentials(), &[]).await.expect("ada is in");
        let started = now();
        place.edit(&name, json!({"participants": []})).await;
        ada.event("disconnected").await;
        took.push(now().duration_since(started));
    }
    print_spread("taken off the list to disconnected, 20 times", took, SignedDuration::as_millis, "ms");
}

/// A thousand people who are connected and say nothing. They have no media, so that LiveKit puts them out after a while.
async fn idle_connections(stage: &Stage) {
    let place = stage.place().await;
    let gateway = &stage.gateway;
    for room in 0..IDLE.div_ceil(350) {
        let name = format!("room-{room}");
        place.apply(&name, json!({"participants": people(350)})).await;
        place.until_phase(&name, Phase::Open).await;
    }
    let mut invites = Vec::new();
    for number in 0..IDLE {
        invites.push(place.invite(&format!("room-{}", number / 350), &format!("person-{}", number % 350)).await);
    }
    let before = gateway.process.resident_bytes();
    let connect = |invite: String| async move {
        let credentials = stage.join(&invite).await.credentials();
        let url = format!("ws://127.0.0.1:{}/rtc?protocol=16&access_token={}", gateway.port, credentials.token);
        let stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.expect("connected");
        let (socket, _) = tokio_tungstenite::client_async(url.into_client_request().expect("a request"), stream).await.expect("let in");
        // Answers LiveKit's pings as long as it is polled.
        tokio::spawn(socket.for_each(|_| std::future::ready(()))).abort_handle()
    };
    let started = now();
    let tasks: Vec<_> = futures::stream::iter(invites).map(connect).buffer_unordered(8).collect().await;
    println!("{IDLE} joins and connects: {} ms", now().duration_since(started).as_millis());
    let open = eventually(PATIENCE, async || {
        let metrics = gateway.metrics().await;
        let open = metrics.lines().find_map(|line| line.strip_prefix("roomkeeper_proxied_connections ")?.parse::<usize>().ok());
        open.filter(|open| *open >= IDLE * 9 / 10).ok_or("fewer connections than asked for")
    })
    .await;
    let after = gateway.process.resident_bytes();
    println!("{open} idle connections: resident memory {:.1} MiB before, {:.1} MiB with them", mebibytes(before), mebibytes(after));
    let used = gateway.process.processor_time();
    let watched_from = now();
    sleep(Duration::from_secs(30)).await;
    let (used, passed) = (gateway.process.processor_time().saturating_sub(used), now().duration_since(watched_from));
    let still = gateway.metrics().await.lines().find_map(|line| line.strip_prefix("roomkeeper_proxied_connections ").map(str::to_owned));
    println!("  processor time in {:.0} s: {} ms; still open: {still:?}", passed.as_secs_f64(), used.as_millis());
    for task in tasks {
        task.abort();
    }
}

fn print_spread(what: &str, mut took: Vec<SignedDuration>, unit: impl Fn(&SignedDuration) -> i128, name: &str) {
    took.sort();
    let at = |part: usize| unit(&took[(took.len() - 1) * part / 100]);
    println!("{what}: min {} {name}, median {} {name}, p99 {} {name}, max {} {name}", at(0), at(50), at(99), at(100));
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
