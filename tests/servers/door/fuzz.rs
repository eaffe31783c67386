//! What strangers can send, changed a little, at the real gateway: each gets a refusal or is cut, and nobody else notices.
//!
//! The seed is printed; `PROPTEST_RNG_SEED` sends the same again, as far as the keys of another run let it be the same.

use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use roomkeeper::api::Phase;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::forgery::{hook_claims, signed};
use super::frames::{self, frames};
use super::mutation::{Mutation, mutated, mutations};
use super::wire::Reply;
use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::stage::{PATIENCE, Place, Stage};
use crate::support::{all_faults, now, run};

/// What is sent by `make test`, and for how long by `make faults`.
const SHORT: usize = 400;
const AT_LENGTH: SignedDuration = SignedDuration::from_mins(10);
/// So many are sent before memory is measured: what the allocator keeps from then on is not what is kept of requests.
const WARM_UP: usize = 100;
/// What ten thousand connections at once may cost, in bytes. Here they come one after the other, so nothing should stay of any.
const MEMORY: u64 = 64 << 20;
/// How old a media token may be that is used again.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// What the HTTP library refuses by itself, before anything of Roomkeeper sees it.
const REFUSED_BY_HTTP: [u16; 5] = [400, 408, 414, 431, 505];

/// Something to send. What it is made of is there when it is sent.
#[derive(Clone, Debug)]
enum Shot {
    Invite {
        request: &'static str,
        changes: Vec<Mutation>,
    },
    MediaToken {
        path: &'static str,
        place: TokenPlace,
        changes: Vec<Mutation>,
    },
    Hook {
        of_body: bool,
        changes: Vec<Mutation>,
    },
    Frames {
        bytes: Vec<u8>,
    },
    /// A good request that ends early.
    Half {
        end: Index,
    },
}

#[derive(Clone, Copy, Debug)]
enum TokenPlace {
    Query,
    Header,
    Subprotocol,
}

fn shots() -> impl Strategy<Value = Shot> {
    let requests = ["GET /v1/room", "POST /v1/join", "GET /v1/guests", "POST /v1/guests", "POST /v1/end", "DELETE /v1/removals/ada"];
    let paths = ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"];
    let places = [TokenPlace::Query, TokenPlace::Header, TokenPlace::Subprotocol];
    prop_oneof![
        3 => (select(requests.to_vec()), mutations()).prop_map(|(request, changes)| Shot::Invite { request, changes }),
        3 => (select(paths.to_vec()), select(places.to_vec()), mutations())
            .prop_map(|(path, place, changes)| Shot::MediaToken { path, place, changes }),
        2 => (any::<bool>(), mutations()).prop_map(|(of_body, changes)| Shot::Hook { of_body, changes }),
        3 => frames().prop_map(|bytes| Shot::Frames { bytes }),
        1 => any::<Index>().prop_map(|end| Shot::Half { end }),
    ]
}

/// Somebody with an invite of their own who sends what they like, each time from another address, so that nobody else's limit is used up.
struct Stranger<'a> {
    stage: &'a Stage,
    livekit: &'a LiveKitServer,
    invite: String,
    other_invite: String,
    token: String,
    token_of: Timestamp,
    sent: u8,
}

impl<'a> Stranger<'a> {
    async fn new(stage: &'a Stage, livekit: &'a LiveKitServer, place: &Place<'_>) -> Self {
        let (invite, other_invite) = (place.invite("call", "eve").await, place.invite("call", "ben").await);
        let token = stage.credentials(&invite).await.token;
        Self { stage, livekit, invite, other_invite, token, token_of: now(), sent: 0 }
    }

    /// Sends it; says what is wrong with what came back.
    async fn send(&mut self, shot: &Shot) -> Result<(), String> {
        self.sent = self.sent.wrapping_add(1);
        if now().duration_since(self.token_of) > FRESH {
            (self.token, self.token_of) = (self.stage.credentials(&self.invite).await.token, now());
        }
        match shot {
            Shot::Invite { request, changes } => {
                let changed = mutated(self.invite.as_bytes(), &[self.other_invite.clone().into_bytes()], changes);
                let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\nauthorization: Bearer ");
                let reply = self.exchange(&[head.as_bytes(), changed.as_slice(), b"\r\n\r\n"].concat(), false).await;
                judge(&reply, [&self.invite, &self.other_invite].iter().any(|invite| first_line(&changed) == invite.as_bytes()))
            }
            Shot::MediaToken { path, place, changes } => {
                let changed = mutated(self.token.as_bytes(), &[self.invite.clone().into_bytes()], changes);
                let reply = self.exchange(&connect(path, *place, &changed), false).await;
                judge(&reply, self.is_genuine(*place, &changed))
            }
            Shot::Hook { of_body, changes } => {
                let (body, by) = self.hook();
                let (sent, by_sent) = if *of_body { (changed(&body, changes), by.clone()) } else { (body.clone(), changed(&by, changes)) };
                let reply = self.exchange(&post_hook(&sent, &by_sent), false).await;
                judge(&reply, sent == body && first_line(&by_sent) == by)
            }
            Shot::Frames { bytes } => self.send_frames(bytes).await,
            Shot::Half { end } => {
                let (body, by) = self.hook();
                let whole = post_hook(&body, &by);
                let reply = self.exchange(&whole[..end.index(whole.len())], true).await;
                judge(&reply, false)
            }
        }
    }

    /// A webhook about a session that there is not, and by what it is genuine.
    fn hook(&self) -> (Vec<u8>, Vec<u8>) {
        let body = json!({"event": "participant_joined", "room": {"name": "rk-ffffffffffff-x-1"}}).to_string().into_bytes();
        let Options { api_key, api_secret, .. } = &self.livekit.options;
        let claims = hook_claims(api_key, &body, 0, now().as_second() + 60);
        let by = signed(&json!({"alg": "HS256"}), &claims, api_secret).into_bytes();
        (body, by)
    }

    /// Whether what was sent is read as the token itself.
    fn is_genuine(&self, place: TokenPlace, sent: &[u8]) -> bool {
        let line = first_line(sent);
        match place {
            TokenPlace::Header => line == self.token.as_bytes(),
            TokenPlace::Subprotocol => line.split(|byte| *byte == b',').any(|part| {
                let part = part.trim_ascii();
                part == self.token.as_bytes() || part.strip_prefix(frames::BEARER) == Some(self.token.as_bytes())
            }),
            TokenPlace::Query => {
                let query = [b"access_token=", line.split(|byte| *byte == b'#').next().unwrap_or_default()].concat();
                form_urlencoded::parse(&query).any(|(key, value)| key == "access_token" && value == self.token.as_str())
            }
        }
    }

    /// Connects as any client, and then sends something else than a client.
    async fn send_frames(&self, bytes: &[u8]) -> Result<(), String> {
        let mut stream = self.open().await;
        let _ = stream.write_all(&connect("/rtc", TokenPlace::Header, self.token.as_bytes())).await;
        let reply = answer(&mut stream).await;
        if reply.status != 101 {
            return Err(format!("a good token is refused: {reply:?}"));
        }
        // It may be cut before all of it is sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        ended.map(drop).map_err(|_| format!("the connection is still open after {} bytes", rest.len()))
    }

    async fn exchange(&self, request: &[u8], ends: bool) -> Reply {
        let mut stream = self.open().await;
        // Who does not want all of it may close before it was sent.
        let _ = stream.write_all(request).await;
        if ends {
            let _ = stream.shutdown().await;
        }
        answer(&mut stream).await
    }

    async fn open(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::new(127, 0, 1, self.sent), 0).into()).expect("an address of loopback");
        socket.connect((Ipv4Addr::LOCALHOST, self.stage.gateway.port).into()).await.expect("a gateway that listens")
    }
}

fn changed(valid: &[u8], changes: &[Mutation]) -> Vec<u8> {
    mutated(valid, &[], changes)
}

/// As much of a header's value as it keeps when other lines follow in it.
fn first_line(value: &[u8]) -> &[u8] {
    value.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default().trim_ascii()
}

/// A request for a WebSocket with this token.
fn connect(path: &str, place: TokenPlace, token: &[u8]) -> Vec<u8> {
    let upgrade = "host: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (query, before, header) = match place {
        TokenPlace::Query => ("?access_token=", token, ""),
        TokenPlace::Header => ("?auto_subscribe=1", &b""[..], "authorization: Bearer "),
        TokenPlace::Subprotocol => ("?auto_subscribe=1", &b""[..], "sec-websocket-protocol: roomkeeper, roomkeeper.bearer."),
    };
    let after = if header.is_empty() { &b""[..] } else { token };
    let end = if header.is_empty() { "\r\n" } else { "\r\n\r\n" };
    [format!("GET {path}{query}").as_bytes(), before, format!(" HTTP/1.1\r\n{upgrade}{header}").as_bytes(), after, end.as_bytes()].concat()
}

fn post_hook(body: &[u8], by: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /v1/hooks/livekit HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\nauthorization: ", body.len());
    [head.as_bytes(), by, b"\r\n\r\n", body].concat()
}

/// Reads until all of the answer is there, or the other side closes.
async fn answer(stream: &mut TcpStream) -> Reply {
    let mut answer = Vec::new();
    let reading = async {
        let mut chunk = [0; 4096];
        while length_of(&answer).is_none_or(|length| answer.len() < length) {
            match stream.read(&mut chunk).await {
                Ok(read) if read > 0 => answer.extend_from_slice(&chunk[..read]),
                _ => break,
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an end of the answer in time");
    // What was inserted may have made two requests of one.
    answer.truncate(length_of(&answer).unwrap_or(usize::MAX));
    Reply::parse(&answer)
}

/// How long an answer is, head included, if it says so. After that of a WebSocket come its frames.
fn length_of(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let reply = Reply::parse(&answer[..head]);
    let length = reply.head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.or((reply.status == 101).then_some(0)).map(|length| head + length)
}

/// Whether it was refused as it must be, or is as good as what it was made of.
fn judge(reply: &Reply, is_genuine: bool) -> Result<(), String> {
    let is_problem = || {
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let is_named = body["type"].as_str().is_some_and(|name| name.starts_with("urn:roomkeeper:problem:"));
        is_named && body["status"] == reply.status && reply.head.contains("content-type: application/problem+json")
    };
    let fits = match reply.status {
        // Closed without a word.
        0 => true,
        101 | 200..=299 => is_genuine,
        status if reply.body.is_empty() => REFUSED_BY_HTTP.contains(&status),
        400..=499 | 503 => is_problem() && reply.body.len() <= 1024,
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{reply:?}")) }
}

/// The seed that is asked for, or another one each time.
fn seed() -> u64 {
    match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => now().as_millisecond().unsigned_abs(),
    }
}

#[test]
fn whatever_strangers_send_is_refused_or_cut_and_a_call_beside_goes_on() {
    run(async {
        let stage = Stage::shared().await;
        // Of its own: what passes the gateway is for it alone to bear.
        let livekit = LiveKitServer::start(Options::default()).await;
        stage.class("fuzzed", &livekit, json!({})).await;
        let place = stage.place().await;
        let people = json!([{"name": "ada"}, {"name": "ben"}, {"name": "eve"}]);
        place.apply("call", json!({"roomClassName": "fuzzed", "participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let (mut ada, ben) = (place.joined("call", "ada", &["microphone"]).await, place.joined("call", "ben", &["microphone"]).await);
        ben.event("media-received").await;

        let seed = seed();
        println!("PROPTEST_RNG_SEED={seed}");
        let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
        let mut stranger = Stranger::new(stage, &livekit, &place).await;
        let (started, mut sent, mut before) = (now(), 0, 0);
        while sent < SHORT || all_faults() && now().duration_since(started) < AT_LENGTH {
            let shot = shots().new_tree(&mut runner).expect("something to send").current();
            let outcome = stranger.send(&shot).await;
            outcome.unwrap_or_else(|wrong| panic!("PROPTEST_RNG_SEED={seed}, number {sent}: {wrong}\n{shot:?}"));
            sent += 1;
            if sent == WARM_UP {
                before = stage.gateway.process.resident_bytes();
            }
        }
        let grown = stage.gateway.process.resident_bytes().saturating_sub(before);
        println!("{sent} were sent, {} KiB more than before", grown >> 10);
        assert!(grown < MEMORY, "{} MiB more", grown >> 20);
        assert_eq!(stage.gateway.probes().await, (true, true), "{}", stage.gateway.process.log_tail());
        assert!(!stage.gateway.log().contains("panicked"), "{}", stage.gateway.process.log_tail());
        goes_on(&mut ada, &ben).await;
    });
}

/// The two are in their call, and have been all the time.
async fn goes_on(ada: &mut Client, ben: &Client) {
    ada.command("say hello").await;
    ben.event("data-received").await;
    let lost = |event: &Value| event["event"] == "reconnecting" || event["event"] == "disconnected";
    assert!(!ada.events().iter().chain(&ben.events()).any(lost), "{:?} {:?}", ada.events(), ben.events());
}
