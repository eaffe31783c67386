//! Whether media reach this process: the check by which WebRTC connects two places (ICE, RFC 8445), in both directions, by one protocol at a
//! time. It is done in a session for such checks, so that nobody is disturbed. Sound itself is not sent.

mod relay;
mod signalling;
mod ways;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use livekit_protocol::{SessionDescription, signal_request, signal_response};
use reqwest::Client;
use tokio::time::{sleep, timeout};

pub use self::relay::{RelayCheck, relay_checks};

use self::signalling::Signalling;
use self::ways::{Opened, Ways, open};
use crate::clock;

/// How long a media server and the ways to it may take, for each protocol: as long as clients wait.
const WITHIN: Duration = Duration::from_secs(15);
/// How long it may take to name its places.
const NAMED_WITHIN: Duration = Duration::from_secs(5);
/// Longest pause in which nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was found of one protocol.
#[derive(Debug, PartialEq, Eq)]
pub enum MediaCheck {
    /// Media get through, to this place.
    Connected { place: String },
    /// None of the places that the media server named has answered.
    Unanswered { places: BTreeSet<String> },
    /// The media server named no place of this protocol.
    NotOffered,
}

/// One check on its way.
struct Check {
    agent: IceAgent,
    ways: Ways,
    /// Sockets on their way, each with the place that it is for.
    opening: FuturesUnordered<BoxFuture<'static, (Candidate, io::Result<Opened>)>>,
    protocol: Protocol,
    places: BTreeSet<String>,
}

/// Checks one protocol, in the session of a media token: at `url`, where the media server's signalling is, or that of a gateway before it.
///
/// # Errors
/// In words, when signalling does not get through, so that nothing is known of media.
pub async fn media_check(http: &Client, url: &str, token: &str, protocol: Protocol) -> Result<MediaCheck, String> {
    let mut signalling = Signalling::connect(http, url, token).await?;
    let mut agent = IceAgent::new(IceCreds::new());
    // Whoever offers is in control.
    agent.set_controlling(false);
    let mut check = Check { agent, ways: Ways::new(), opening: FuturesUnordered::new(), protocol, places: BTreeSet::new() };
    match timeout(WITHIN, check.run(&mut signalling)).await {
        Ok(Ok(place)) => Ok(place.map_or(MediaCheck::NotOffered, |place| MediaCheck::Connected { place })),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(MediaCheck::Unanswered { places: check.places }),
    }
}

impl Check {
    /// Goes on until media get through; the place that they get through to, or none when the media server names no place.
    async fn run(&mut self, signalling: &mut Signalling) -> Result<Option<String>, String> {
        let begun = clock::instant();
        loop {
            let now = clock::instant();
            if self.places.is_empty() && now.duration_since(begun) > NAMED_WITHIN {
                return Ok(None);
            }
            self.agent.handle_timeout(now);
            while let Some(event) = self.agent.poll_event() {
                if let IceAgentEvent::NominatedSend { destination, .. } = event {
                    return Ok(Some(destination.to_string()));
                }
            }
            while let Some(packet) = self.agent.poll_transmit() {
                self.ways.send(packet.source, packet.destination, &packet.contents).await;
            }
            let pause = self.agent.poll_timeout().map_or(LOOK_EVERY, |at| at.saturating_duration_since(now));
            tokio::select! {
                said = signalling.next() => self.hear(said?, signalling).await?,
                packet = self.ways.receive() => {
                    if let Some(packet) = packet
                        && let Ok(message) = StunMessage::parse(&packet.bytes)
                    {
                        let packet = StunPacket { proto: self.protocol, source: packet.from, destination: packet.to, message };
                        self.agent.handle_packet(clock::instant(), packet);
                    }
                }
                Some((candidate, opened)) = self.opening.next() => self.opened(candidate, opened),
                () = sleep(pause.min(LOOK_EVERY)) => {}
            }
        }
    }

    async fn hear(&mut self, said: signal_response::Message, signalling: &mut Signalling) -> Result<(), String> {
        match said {
            signal_response::Message::Offer(offer) => {
                let value = |name: &str| offer.sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)).map(str::to_owned);
                let creds = value("ice-ufrag:").zip(value("ice-pwd:")).map(|(ufrag, pass)| IceCreds { ufrag, pass });
                self.agent.set_remote_credentials(creds.ok_or("the media server's offer has no credentials")?);
                let answer = answer(&offer.sdp, self.agent.local_credentials())?;
                let answer = SessionDescription { r#type: "answer".into(), sdp: answer, id: offer.id, ..SessionDescription::default() };
                signalling.send(signal_request::Message::Answer(answer)).await?;
                let candidates = offer.sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
                for candidate in candidates {
                    self.meet(&format!("candidate:{candidate}"));
                }
            }
            signal_response::Message::Trickle(trickle) => {
                let named: serde_json::Value = serde_json::from_str(&trickle.candidate_init).unwrap_or_default();
                self.meet(named["candidate"].as_str().unwrap_or_default());
            }
            signal_response::Message::Leave(_) => return Err("the media server has ended the check".to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Takes note of a place that the media server names, if it is one of this protocol.
    fn meet(&mut self, candidate: &str) {
        let Ok(candidate) = Candidate::from_sdp_string(candidate) else { return };
        let (protocol, place) = (self.protocol, candidate.addr());
        if candidate.proto() == protocol && self.places.insert(place.to_string()) {
            self.opening.push(async move { (candidate, open(protocol, place).await) }.boxed());
        }
    }

    /// Goes on with a place. One that cannot be reached at all does not answer.
    fn opened(&mut self, candidate: Candidate, opened: io::Result<Opened>) {
        let Ok(local) = opened.and_then(|opened| self.ways.add(opened)) else { return };
        if let Some(local) = local {
            self.agent.add_local_candidate(local);
        }
        self.agent.add_remote_candidate(candidate);
    }
}

/// The answer to an offer: all that is in it is refused, but what the places are told by.
fn answer(offer: &str, IceCreds { ufrag, pass }: &IceCreds) -> Result<String, String> {
    let mut fingerprint = [0; 32];
    getrandom::fill(&mut fingerprint).map_err(|_| "the system gives no random numbers")?;
    let fingerprint = fingerprint.map(|byte| format!("{byte:02X}")).join(":");
    let mut sections = String::new();
    let mut bundled = String::new();
    for section in offer.split("\nm=").skip(1) {
        let mut first_line = section.lines().next().unwrap_or_default().split_whitespace();
        let (kind, port) = (first_line.next().unwrap_or_default(), first_line.next().unwrap_or_default());
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default().trim();
        let rest = first_line.collect::<Vec<_>>().join(" ");
        if kind != "application" {
            let _ = write!(sections, "m={kind} 0 {rest}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=inactive\r\n");
            continue;
        }
        let _ =
            write!(sections, "m={kind} {port} {rest}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pass}\r\n");
        let _ = write!(sections, "a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\na=sctp-port:5000\r\n");
        let _ = write!(bundled, " {mid}");
    }
    Ok(format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{bundled}\r\n{sections}"))
}
