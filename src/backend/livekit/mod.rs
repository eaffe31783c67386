//! LiveKit, by its official server API.

mod failures;
mod left_over;
mod media_check;
mod permissions;
mod probe;
mod token;
mod webhook;

use std::collections::HashMap;

use async_trait::async_trait;
use futures::future::join;
use jiff::{SignedDuration, Timestamp};
use livekit_api::services::room::{CreateRoomOptions, RoomClient, SendDataOptions, UpdateParticipantOptions};
use livekit_api::services::{ServiceError, ServiceResult};
use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{ParticipantInfo, TrackSource};
use reqwest::Url;

pub use self::media_check::{MediaCheck, RelayCheck, media_check, relay_checks};

use self::left_over::LeftOver;
use self::probe::{Probe, REQUEST_TIMEOUT};
use self::token::{GENERATION, SIGNED_BY, Signer};
use super::interface::{Backend, MediaCredentials, SessionSummary, Signalling, TokenSubject};
use crate::api::{MAX_PARTICIPANTS, MAX_WINDOW, Reason, Role};
use crate::clock;
use crate::domain::{BackendKind, Failure, FailureClass, MediaConnections, Person, SessionMember, SessionSettings, TokenGrant};

/// How long the media of somebody who joined may take to connect. LiveKit's clients give up after 15 seconds, and come again.
const CONNECTS_WITHIN: SignedDuration = SignedDuration::from_secs(8);
/// An identity that nobody has.
const NOBODY: &str = "-";

/// A LiveKit server or cluster.
pub struct LiveKit {
    rooms: RoomClient,
    probe: Probe,
    signer: Signer,
    public_url: String,
    signalling: Signalling,
    audio_only: bool,
    left_over: LeftOver,
}

impl LiveKit {
    /// The server whose HTTP API is at `url`. Clients reach its WebSocket at `public_url`; without one, at `url` with ws in
    /// place of http. Connects to nothing yet.
    pub fn new(url: &str, public_url: Option<&str>, api_key: &str, api_secret: &str) -> Result<Self, Failure> {
        if api_key.is_empty() {
            return Err(Failure::misconfigured(Reason::Misconfigured, "the API key is empty"));
        }
        if api_secret.is_empty() {
            return Err(Failure::misconfigured(Reason::Misconfigured, "the API secret is empty"));
        }
        let url =
            address(url, ["http", "https"], "the URL of the media server must be http:// or https:// with a host and nothing after it")?;
        let public_url = match public_url {
            None => url.as_str().replacen("http", "ws", 1),
            Some(given) => {
                let rule = "the public URL of the media server must be ws:// or wss:// with a host and nothing after it";
                address(given, ["ws", "wss"], rule)?.to_string()
            }
        };
        let rooms = RoomClient::with_api_key(url.as_str(), api_key, api_secret)
            .with_request_timeout(REQUEST_TIMEOUT)
            // Failover is for LiveKit's own cloud, where it would multiply the timeout.
            .with_failover(false);
        Ok(Self {
            rooms,
            probe: Probe::new(&url, api_key, api_secret)?,
            signer: Signer::new(api_key, api_secret)?,
            public_url: public_url.trim_end_matches('/').to_owned(),
            signalling: Signalling::Direct,
            audio_only: false,
            left_over: LeftOver::default(),
        })
    }

    /// The same server, whose signalling clients reach through the gateway instead of at its public address.
    #[must_use]
    pub fn proxied(self, url: &str) -> Self {
        Self { signalling: Signalling::Proxied { upstream: url.trim_end_matches('/').to_owned() }, ..self }
    }

    /// The same server, in whose sessions nobody may send pictures if it is `audio_only`.
    #[must_use]
    pub fn audio_only(self, audio_only: bool) -> Self {
        Self { audio_only, ..self }
    }

    /// What an error of the API means. A refused API key looks like any answer that is not in the API's format, so the
    /// probe, which sees the status, is asked to tell them apart.
    async fn failure(&self, error: ServiceError) -> Failure {
        tracing::debug!(%error, "a call of LiveKit's API failed");
        if failures::lost_its_status(&error)
            && let Err(refusal) = self.probe.run().await
            && refusal.class == FailureClass::Unauthorized
        {
            return refusal;
        }
        failures::classify(&error)
    }

    /// The result of a call for which it is fine that its object does not exist.
    async fn absent_is_fine<T>(&self, result: ServiceResult<T>) -> Result<(), Failure> {
        match result {
            Err(error) if !failures::is_absent(&error) => Err(self.failure(error).await),
            _ => Ok(()),
        }
    }

    /// All that is in a session, services of the media server too; none if there is no such session.
    async fn participants(&self, session: &str) -> Result<Option<Vec<ParticipantInfo>>, Failure> {
        match self.rooms.list_participants(session).await {
            Ok(people) => Ok(Some(people)),
            Err(error) if failures::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// Makes the session if it is absent.
    async fn make(&self, session: &str) -> Result<(), Failure> {
        // The widest values: a second call changes neither on a living room, so the gateway keeps to the capacity of the Room and the
        // controller to its end.
        let widest = u32::try_from(MAX_WINDOW.as_secs()).unwrap_or(u32::MAX);
        let options = CreateRoomOptions {
            empty_timeout: widest,
            departure_timeout: widest,
            max_participants: MAX_PARTICIPANTS.unsigned_abs(),
            ..CreateRoomOptions::default()
        };
        match self.rooms.create_room(session, options).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// How many people are in a session; none if there is no such session, of which the list of people is as empty as that of an empty one.
    async fn number_of_people(&self, session: &str) -> Result<Option<u32>, Failure> {
        match self.rooms.list_rooms(vec![session.to_owned()]).await {
            Ok(rooms) => Ok(rooms.iter().find(|room| room.name == session).map(|room| room.num_participants)),
            Err(error) => Err(self.failure(error).await),
        }
    }
}

#[async_trait]
impl Backend for LiveKit {
    fn kind(&self) -> BackendKind {
        BackendKind::LiveKit
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.probe.run().await
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        let (people, number) = join(self.participants(session), self.number_of_people(session)).await;
        let Some(people) = people? else { return Ok(None) };
        let Some(number) = number? else { return Ok(None) };
        let people = self.left_over.take_off(&self.rooms, session, people, number, clock::now()).await;
        Ok(Some(people.into_iter().filter_map(|person| member(person, self.audio_only)).collect()))
    }

    async fn media_connections(&self, session: &str, now: Timestamp) -> Result<MediaConnections, Failure> {
        let people = self.participants(session).await?.unwrap_or_default();
        let people: Vec<ParticipantInfo> = people.into_iter().filter(|person| person.kind() == Kind::Standard).collect();
        let latest = (now - CONNECTS_WITHIN).as_millisecond();
        let waits = |person: &&ParticipantInfo| person.state() == State::Joined && person.joined_at_ms <= latest;
        Ok(MediaConnections {
            connected: people.iter().any(|person| person.state() == State::Active),
            waiting: people.iter().filter(waits).map(|person| format!("{session}/{}", person.identity)).collect(),
        })
    }

    async fn ensure(&self, session: &str, _: SessionSettings) -> Result<(), Failure> {
        self.make(session).await
    }

    async fn admit(&self, _: &str, _: SessionSettings, _: &[Person], _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        let url = (self.signalling == Signalling::Direct).then(|| self.public_url.clone());
        let token = self.signer.media_token(session, grant, self.audio_only);
        Ok(MediaCredentials::by_token(url, token, grant.expires_at))
    }

    fn signalling(&self) -> Signalling {
        self.signalling.clone()
    }

    fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject> {
        self.signer.token_subject(token, now)
    }

    fn webhook_session(&self, authorization: &str, body: &[u8], now: Timestamp) -> Option<String> {
        self.signer.signed(authorization, body, now).then(|| webhook::room(body))?
    }

    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure> {
        let options = UpdateParticipantOptions {
            permission: Some(permissions::of(role, self.audio_only)),
            attributes: HashMap::from([permissions::attribute(role)]),
            name: display_name.to_owned(),
            ..UpdateParticipantOptions::default()
        };
        self.absent_is_fine(self.rooms.update_participant(session, identity, options).await).await
    }

    async fn mute(&self, session: &str, identity: &str) -> Result<(), Failure> {
        let person = match self.rooms.get_participant(session, identity).await {
            Ok(person) => person,
            Err(error) if failures::is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.failure(error).await),
        };
        for track in person.tracks.into_iter().filter(|track| track.source() == TrackSource::Microphone && !track.muted) {
            self.absent_is_fine(self.rooms.mute_published_track(session, identity, &track.sid, true).await).await?;
        }
        Ok(())
    }

    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure> {
        self.absent_is_fine(self.rooms.remove_participant(session, identity).await).await
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        let closed = match self.rooms.delete_room(session).await {
            // A room whose server is dead can only be closed once another one has it.
            Err(error) if failures::is_unanswered(&error) => {
                self.make(session).await?;
                self.rooms.delete_room(session).await
            }
            closed => closed,
        };
        self.absent_is_fine(closed).await
    }

    async fn hold(&self, session: &str) -> Result<(), Failure> {
        let to_nobody = SendDataOptions { destination_identities: vec![NOBODY.to_owned()], ..SendDataOptions::default() };
        match self.rooms.send_data(session, Vec::new(), to_nobody).await {
            // A room that does not exist is not answered for either.
            Err(error) if failures::is_unanswered(&error) && self.number_of_people(session).await?.is_some() => {
                tracing::warn!(session, "the server of a session does not answer; another one is to take it over");
                self.make(session).await?;
                // People are counted when something has changed, and nobody reads this.
                let counted = self.rooms.update_room_metadata(session, &format!("moved at {}", clock::now())).await;
                self.absent_is_fine(counted).await
            }
            _ => Ok(()),
        }
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        match self.rooms.list_rooms(Vec::new()).await {
            Ok(rooms) => Ok(rooms
                .into_iter()
                .filter(|room| room.name.starts_with(prefix))
                .map(|room| SessionSummary { id: room.name, joined: room.num_participants })
                .collect()),
            Err(error) => Err(self.failure(error).await),
        }
    }
}

/// The session member of a participant; none for the media server's own services, nor for who has left.
fn member(person: ParticipantInfo, audio_only: bool) -> Option<SessionMember> {
    if person.kind() != Kind::Standard || person.state() == State::Disconnected {
        return None;
    }
    Some(SessionMember {
        role: permissions::role_of(person.permission.as_ref(), &person.attributes, audio_only),
        generation: person.attributes.get(GENERATION).and_then(|generation| generation.parse().ok()),
        signed_by: person.attributes.get(SIGNED_BY).cloned(),
        identity: person.identity,
        display_name: person.name,
    })
}

/// Parses an address that is a scheme and a host: livekit-api would drop a path, and logs show addresses.
fn address(given: &str, schemes: [&str; 2], rule: &str) -> Result<Url, Failure> {
    let bare = |url: &Url| {
        schemes.contains(&url.scheme())
            && url.has_host()
            && url.path().trim_end_matches('/').is_empty()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    Url::parse(given).ok().filter(bare).ok_or_else(|| Failure::misconfigured(Reason::Misconfigured, rule))
}

#[cfg(test)]
mod tests {
    mod fuzz;

    use super::*;

    fn refusal(url: &str, public_url: Option<&str>, key: &str, secret: &str) -> Failure {
        LiveKit::new(url, public_url, key, secret).err().expect("must be refused")
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        for (failure, named) in [
            (refusal("http://livekit:7880", None, "", "secret"), "API key"),
            (refusal("http://livekit:7880", None, "key", ""), "API secret"),
            (refusal("livekit:7880", None, "key", "secret"), "URL"),
            (refusal("not a URL", None, "key", "secret"), "URL"),
            (refusal("http://user:password@livekit", None, "key", "secret"), "URL"),
            (refusal("http://livekit/path", None, "key", "secret"), "URL"),
            (refusal("http://livekit", Some("https://livekit"), "key", "secret"), "public URL"),
        ] {
            assert_eq!((failure.class, failure.reason), (FailureClass::Misconfigured, Reason::Misconfigured));
            assert!(failure.message.contains(named), "{failure}");
            assert!(!failure.message.contains("password"), "{failure}");
        }
    }

    #[test]
    fn clients_get_the_public_url_or_else_the_url_as_websocket() {
        for (url, public_url, expected) in [
            ("http://livekit:7880", None, "ws://livekit:7880"),
            ("https://livekit.example.org/", None, "wss://livekit.example.org"),
            ("http://livekit:7880", Some("wss://calls.example.org/"), "wss://calls.example.org"),
        ] {
            assert_eq!(LiveKit::new(url, public_url, "key", "secret").expect("usable").public_url, expected);
        }
    }

    #[test]
    fn services_of_the_media_server_and_people_who_left_have_no_seat() {
        let somebody = |kind: Kind, state: State| ParticipantInfo {
            identity: "ada".to_owned(),
            kind: kind.into(),
            state: state.into(),
            ..ParticipantInfo::default()
        };
        for kind in [Kind::Agent, Kind::Egress, Kind::Ingress, Kind::Sip] {
            assert_eq!(member(somebody(kind, State::Active), false), None);
        }
        assert_eq!(member(somebody(Kind::Standard, State::Disconnected), false), None);
        for state in [State::Joining, State::Joined, State::Active] {
            let member = member(somebody(Kind::Standard, state), false).expect("a member");
            assert_eq!((member.identity.as_str(), member.role, member.generation), ("ada", None, None));
        }
    }
}
