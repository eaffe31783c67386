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
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
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
/// What the raw ids of people begin with.
const RAW_ID: &str = "8:";

/// A resource of Azure Communication Services.
pub struct AzureCommunicationServices {
    client: Client,
    ledger: Arc<dyn SessionLedger>,
    /// The newest rooms of the resource, and when they were listed.
    listed: Mutex<Option<(Duration, Arc<HashSet<String>>)>>,
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
    async fn turn(&self, session: &str) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        match self.changes.get(number) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
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

    /// The newest rooms of the resource, as they were half a minute ago at most.
    async fn rooms(&self) -> Result<Arc<HashSet<String>>, Failure> {
        let uptime = clock::uptime();
        let recent = self.listed.lock().clone().filter(|(at, _)| uptime.saturating_sub(*at) < LIST_EVERY);
        if let Some((_, rooms)) = recent {
            return Ok(rooms);
        }
        let rooms = Arc::new(self.client.newest_rooms().await?.into_iter().collect());
        *self.listed.lock() = Some((uptime, Arc::clone(&rooms)));
        Ok(rooms)
    }

    /// Whether the room of a session is there. One that was not listed is asked for by itself.
    async fn has_room(&self, room: &str, listed: &HashSet<String>) -> Result<bool, Failure> {
        Ok(listed.contains(room) || self.client.has_room(room).await?)
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
        if let Some(room) = &kept.record.room {
            if self.client.has_room(room).await? {
                return Ok(());
            }
            // Another moment, by which another room is made.
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
        if known.is_none() && !identity.starts_with(RAW_ID) {
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
            self.client.delete_room(&room).await?;
        }
        self.delete_identities(&kept.record.users().collect::<Vec<_>>()).await?;
        self.ledger.delete(session).await
    }

    // The service moves its rooms itself.
    async fn hold(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        let kept = self.ledger.list(prefix).await?;
        if kept.is_empty() {
            // So that one that does not answer is noticed all the same.
            return self.rooms().await.map(|_| Vec::new());
        }
        let listed = self.rooms().await?;
        let summary = async |(session, kept): (String, LedgerRecord)| {
            let room = SessionRecord::read(&kept).ok().and_then(|record| record.room);
            let is_lost = match &room {
                Some(room) => !self.has_room(room, &listed).await?,
                None => false,
            };
            if is_lost {
                tracing::info!(session, "the room of a session is gone; what is left of it is put away");
                self.close(&session).await?;
                return Ok(None);
            }
            Ok(Some(SessionSummary { id: session, joined: 0 }))
        };
        let all = stream::iter(kept.into_iter().map(summary)).buffer_unordered(AT_ONCE);
        all.try_filter_map(async |summary| Ok(summary)).try_collect().await
    }
}
