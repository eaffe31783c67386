//! Azure Communication Services, by its REST API. Its Rooms have a roster: whoever is to come has an identity there and is on it.
//!
//! The service gives out the ids of rooms and identities, and answers no question by any other name. They are kept in a ledger, before anything
//! depends on them: a room before somebody is on its roster, an identity before it is on one.

mod client;
mod credential;
mod failures;
mod record;
mod signature;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

pub use self::credential::WorkloadIdentity;

use self::client::Client;
use self::failures::transient;
use self::record::{PersonRecord, SessionRecord};
use super::interface::{Backend, MediaCredentials, ServiceIds, SessionSummary, Signalling, TokenSubject};
use super::session_ledger::{LedgerRecord, SessionLedger};
use crate::api::{Reason, Role};
use crate::clock;
use crate::domain::{BackendKind, Failure, FailureClass, MediaConnections, Person, SessionMember, SessionSettings, TokenGrant};

/// How many requests of one session are under way at the same time. As many identities may be left behind by a crash, which are on no roster.
const AT_ONCE: usize = 8;
/// How often the rooms of the resource are listed. Those that are not among the newest are asked for one by one.
const LIST_EVERY: Duration = Duration::from_secs(30);
/// How many sessions can be changed at the same time; two may have to wait for each other.
const LOCKS: usize = 64;
/// For how long a creation is taken for the same one when it is sent again.
const REPEATED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// What is in all raw ids of people, and in no name of ours.
const RAW_ID: char = ':';

/// A resource of Azure Communication Services.
pub struct AzureCommunicationServices {
    client: Client,
    ledger: Arc<dyn SessionLedger>,
    /// The newest rooms of the resource, and when they were listed.
    listed: Mutex<Option<(Duration, HashSet<String>)>>,
    /// What is kept of a session is changed by one at a time.
    changes: [tokio::sync::Mutex<()>; LOCKS],
}

/// A session with what is kept of it.
struct Kept {
    session: String,
    record: SessionRecord,
    version: Option<String>,
}

impl AzureCommunicationServices {
    /// The resource at `endpoint`, with one of its access keys. Connects to nothing yet.
    ///
    /// # Errors
    /// When endpoint or key cannot be right.
    pub fn new(endpoint: &str, access_key: &str, ledger: Arc<dyn SessionLedger>) -> Result<Self, Failure> {
        Ok(Self::of(Client::with_key(endpoint, access_key)?, ledger))
    }

    /// The resource at `endpoint`, by a workload identity that has the right to it. Connects to nothing yet.
    ///
    /// # Errors
    /// When the endpoint cannot be right.
    pub fn with_identity(endpoint: &str, identity: WorkloadIdentity, ledger: Arc<dyn SessionLedger>) -> Result<Self, Failure> {
        Ok(Self::of(Client::with_identity(endpoint, identity)?, ledger))
    }

    fn of(client: Client, ledger: Arc<dyn SessionLedger>) -> Self {
        let changes = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self { client, ledger, listed: Mutex::default(), changes }
    }

    /// Waits for the turn to change what is kept of a session.
    async fn turn(&self, session: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(session);
        self.changes[usize::try_from(hash % LOCKS as u64).unwrap_or_default()].lock().await
    }

    async fn kept(&self, session: &str) -> Result<Option<Kept>, Failure> {
        let Some(kept) = self.ledger.get(session).await? else { return Ok(None) };
        Ok(Some(Kept { session: session.to_owned(), record: SessionRecord::read(&kept)?, version: kept.version }))
    }

    async fn keep(&self, kept: &mut Kept) -> Result<(), Failure> {
        kept.version = self.ledger.put(&kept.session, &kept.record.write(kept.version.take())?).await?;
        Ok(())
    }

    /// Makes the room of a session, or finds the one that was made when the answer was lost.
    async fn make_room(&self, kept: &mut Kept) -> Result<String, Failure> {
        let SessionRecord { first_sent, wanted, .. } = kept.record;
        let room = self.client.create_room(&kept.session, first_sent, wanted).await?;
        kept.record.room = Some(room.clone());
        self.keep(kept).await?;
        Ok(room)
    }

    /// The room of a session that is to end. One whose id is not known may be there all the same; not where the service would not make it, because
    /// its end has passed.
    async fn room_to_delete(&self, kept: &mut Kept) -> Result<Option<String>, Failure> {
        if let Some(room) = &kept.record.room {
            return Ok(Some(room.clone()));
        }
        match self.make_room(kept).await {
            Err(failure) if failure.class == FailureClass::Rejected => Ok(None),
            made => made.map(Some),
        }
    }

    /// Gives people identities who have none that fits their invite.
    async fn identify(&self, kept: &mut Kept, people: &[Person], signed_by: &str) -> Result<(), Failure> {
        let fits = |kept: &Kept, person: &&Person| {
            kept.record.people.get(&person.name).is_some_and(|known| known.generation == person.generation && known.signed_by == signed_by)
        };
        let strangers: Vec<&Person> = people.iter().filter(|person| !fits(kept, person)).collect();
        for some in strangers.chunks(AT_ONCE) {
            let made = join_all(some.iter().map(|_| self.client.create_identity())).await;
            let mut failure = None;
            for (person, made) in some.iter().zip(made) {
                let Person { name, display_name, generation, .. } = (*person).clone();
                match made {
                    Ok(user) => {
                        let known = PersonRecord { user, display_name, generation, signed_by: signed_by.to_owned() };
                        // Whoever has a token by an invite that was replaced may not use it any more.
                        let earlier = kept.record.people.insert(name, known);
                        kept.record.replaced.extend(earlier.map(|earlier| earlier.user));
                    }
                    Err(error) => failure = Some(error),
                }
            }
            // Those that were made are kept, whatever became of the others.
            self.keep(kept).await?;
            failure.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Deletes the identities that are of no use any more, and notes that.
    async fn delete_replaced(&self, kept: &mut Kept) -> Result<(), Failure> {
        let replaced = std::mem::take(&mut kept.record.replaced);
        if replaced.is_empty() {
            return Ok(());
        }
        self.delete_identities(&replaced.iter().collect::<Vec<_>>()).await?;
        self.keep(kept).await
    }

    async fn delete_identities(&self, users: &[&String]) -> Result<(), Failure> {
        let users = stream::iter(users.iter().map(Ok::<_, Failure>));
        users.try_for_each_concurrent(AT_ONCE, |user| self.client.delete_identity(user)).await
    }

    /// Lists the newest rooms of the resource, unless they were listed half a minute ago at most.
    async fn list_rooms(&self) -> Result<(), Failure> {
        let uptime = clock::uptime();
        let is_recent = |(at, _): &(Duration, HashSet<String>)| uptime.saturating_sub(*at) < LIST_EVERY;
        if self.listed.lock().as_ref().is_some_and(is_recent) {
            return Ok(());
        }
        let rooms = self.client.newest_rooms().await?.into_iter().collect();
        *self.listed.lock() = Some((uptime, rooms));
        Ok(())
    }

    /// Whether the room of a session is gone. One that was not listed is asked for by itself, and counts as listed if it is there.
    async fn is_gone(&self, room: &str) -> Result<bool, Failure> {
        if self.listed.lock().as_ref().is_some_and(|(_, rooms)| rooms.contains(room)) {
            return Ok(false);
        }
        let is_there = self.client.has_room(room).await?;
        if is_there && let Some((_, rooms)) = self.listed.lock().as_mut() {
            rooms.insert(room.to_owned());
        }
        Ok(!is_there)
    }

    /// A session as it is kept; none if its room is gone, of which nothing is left then. One whose room cannot be asked for is taken to be there.
    async fn summary(&self, (session, kept): (String, LedgerRecord)) -> Option<SessionSummary> {
        let room = SessionRecord::read(&kept).ok().and_then(|record| record.room);
        let is_gone = match &room {
            Some(room) => self.is_gone(room).await.unwrap_or(false),
            None => false,
        };
        if !is_gone {
            return Some(SessionSummary { id: session, joined: 0 });
        }
        tracing::info!(session, "the room of a session is gone; what is left of it is put away");
        if let Err(failure) = self.close(&session).await {
            tracing::info!(session, %failure, "what is left of a session could not be put away; it is tried again");
        }
        None
    }
}

#[async_trait]
impl Backend for AzureCommunicationServices {
    fn kind(&self) -> BackendKind {
        BackendKind::AzureCommunicationServices
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.client.probe().await
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        let Some(Kept { record: SessionRecord { room: Some(room), people, .. }, .. }) = self.kept(session).await? else { return Ok(None) };
        let Some(roster) = self.client.participants(&room).await? else { return Ok(None) };
        let names: BTreeMap<&str, (&String, &PersonRecord)> =
            people.iter().map(|(name, person)| (person.user.as_str(), (name, person))).collect();
        let member = |(user, role): (String, Option<Role>)| match names.get(user.as_str()) {
            Some(&(name, person)) => SessionMember {
                identity: name.clone(),
                display_name: person.display_name.clone(),
                role,
                generation: Some(person.generation),
                signed_by: Some(person.signed_by.clone()),
            },
            // Somebody whom another program has put there.
            None => SessionMember { identity: user, display_name: String::new(), role, generation: None, signed_by: None },
        };
        Ok(Some(roster.into_iter().map(member).collect()))
    }

    async fn media_connections(&self, _: &str, _: Timestamp) -> Result<MediaConnections, Failure> {
        Ok(MediaConnections::default())
    }

    async fn ensure(&self, session: &str, settings: SessionSettings) -> Result<(), Failure> {
        let _turn = self.turn(session).await;
        let new = || SessionRecord::new(clock::now(), settings);
        let mut kept = if let Some(kept) = self.kept(session).await? {
            kept
        } else {
            let mut kept = Kept { session: session.to_owned(), record: new(), version: None };
            self.keep(&mut kept).await?;
            kept
        };
        let is_outdated = match &kept.record.room {
            Some(room) if self.client.has_room(room).await? => return Ok(()),
            Some(_) => true,
            // It may have been made long ago, and its end may be another by now.
            None => kept.record.wanted != settings.into() || clock::now().duration_since(kept.record.first_sent) > REPEATED_FOR,
        };
        if is_outdated {
            // Another moment, by which another room is made. One that was made before has nobody on its roster.
            let SessionRecord { people, replaced, .. } = kept.record;
            kept.record = SessionRecord { people, replaced, ..new() };
            self.keep(&mut kept).await?;
        }
        self.make_room(&mut kept).await.map(drop)
    }

    async fn admit(&self, session: &str, settings: SessionSettings, people: &[Person], signed_by: &str) -> Result<(), Failure> {
        let _turn = self.turn(session).await;
        let absent = || transient("the room is not there");
        let mut kept = self.kept(session).await?.ok_or_else(absent)?;
        let room = kept.record.room.clone().ok_or_else(absent)?;
        let wanted = settings.into();
        if kept.record.wanted != wanted {
            if !self.client.update_room(&room, wanted).await? {
                return Err(absent());
            }
            kept.record.wanted = wanted;
            self.keep(&mut kept).await?;
        }
        if people.is_empty() && kept.record.replaced.is_empty() {
            return Ok(());
        }
        self.identify(&mut kept, people, signed_by).await?;
        let user = |person: &Person| kept.record.people.get(&person.name).map(|known| (known.user.clone(), Some(person.role)));
        let off = kept.record.replaced.iter().map(|user| (user.clone(), None));
        if !self.client.set_participants(&room, &people.iter().filter_map(user).chain(off).collect()).await? {
            return Err(absent());
        }
        self.delete_replaced(&mut kept).await
    }

    async fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        let not_yet = || transient("the person is not on the roster yet");
        let Kept { record, .. } = self.kept(session).await?.ok_or_else(not_yet)?;
        let room = record.room.ok_or_else(not_yet)?;
        let known = record.people.get(&grant.identity).filter(|known| known.generation == grant.generation).ok_or_else(not_yet)?;
        let issued = self.client.issue_token(&known.user).await?.ok_or_else(not_yet)?;
        Ok(MediaCredentials {
            url: Some(self.client.endpoint()),
            token: issued.token,
            expires_at: issued.expires_on,
            ids: Some(ServiceIds { room, user: known.user.clone() }),
        })
    }

    fn signalling(&self) -> Signalling {
        Signalling::Direct
    }

    // Clients bring their tokens to the service alone.
    fn token_subject(&self, _: &str, _: Timestamp) -> Option<TokenSubject> {
        None
    }

    fn webhook_session(&self, _: &str, _: &[u8], _: Timestamp) -> Option<String> {
        None
    }

    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure> {
        let _turn = self.turn(session).await;
        let Some(mut kept) = self.kept(session).await? else { return Ok(()) };
        let SessionRecord { room: Some(room), people, .. } = &mut kept.record else { return Ok(()) };
        let Some(known) = people.get_mut(identity) else { return Ok(()) };
        let (room, user) = (room.clone(), known.user.clone());
        let is_renamed = known.display_name != display_name;
        display_name.clone_into(&mut known.display_name);
        self.client.set_participants(&room, &BTreeMap::from([(user, Some(role))])).await?;
        if is_renamed { self.keep(&mut kept).await } else { Ok(()) }
    }

    async fn mute(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(Failure::rejected(Reason::Rejected, "Azure Communication Services lets nobody but clients mute people"))
    }

    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure> {
        let _turn = self.turn(session).await;
        let Some(mut kept) = self.kept(session).await? else { return Ok(()) };
        let Some(room) = kept.record.room.clone() else { return Ok(()) };
        let known = kept.record.people.remove(identity).map(|known| known.user);
        let user = known.as_deref().unwrap_or(identity);
        if known.is_none() && !identity.contains(RAW_ID) {
            return Ok(());
        }
        // Off the roster first, which puts them out, and needs no record; without the identity their tokens are worth nothing.
        self.client.set_participants(&room, &BTreeMap::from([(user.to_owned(), None)])).await?;
        let Some(user) = known else { return Ok(()) };
        // Before it is deleted, so that nobody is ever put on the roster by an identity that is gone.
        kept.record.replaced.insert(user);
        self.keep(&mut kept).await?;
        self.delete_replaced(&mut kept).await
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        let _turn = self.turn(session).await;
        let Some(mut kept) = self.kept(session).await? else { return Ok(()) };
        if let Some(room) = self.room_to_delete(&mut kept).await? {
            // The deletion of a room is not known to put anybody out, and being taken off its roster is.
            let everybody: BTreeMap<String, Option<Role>> = kept.record.users().map(|user| (user.clone(), None)).collect();
            let is_there = match self.client.set_participants(&room, &everybody).await {
                // Whatever it has against the request, the room has to go.
                Err(failure) if failure.class == FailureClass::Rejected => true,
                taken_off => taken_off?,
            };
            if is_there {
                self.client.delete_room(&room).await?;
            }
        }
        self.delete_identities(&kept.record.users().collect::<Vec<_>>()).await?;
        self.ledger.delete(session).await
    }

    // The service moves its rooms itself.
    async fn hold(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        // First, so that one that does not answer is noticed although there are no sessions.
        self.list_rooms().await?;
        let kept = self.ledger.list(prefix).await?;
        let summaries = stream::iter(kept.into_iter().map(|kept| self.summary(kept))).buffer_unordered(AT_ONCE);
        Ok(summaries.filter_map(async |summary| summary).collect().await)
    }
}
