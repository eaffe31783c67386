//! What nobody can spare: a bare client that makes the same Rooms and writes for each what the product has to write, and nothing else.
//!
//! A finalizer, an invite Secret for each person, and one status, each as large as what the product wrote, from the same account. There is
//! no session, no Event, no cache, and nothing is judged.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use roomkeeper::api::{FINALIZER, LABEL_PARTICIPANT, LABEL_ROOM, LABEL_ROOM_UID, MANAGER, Phase, Room, RoomStatus, invite_secret_name};
use serde_json::{Value, json};

use crate::installation::Installation;
use crate::load::{CREATED_AT_ONCE, Sightings, make, room};
use crate::support::cluster::client;

/// Rooms that are worked on at the same time, and Secrets of one of them: as many as the product allows itself.
const ROOMS_AT_ONCE: usize = 32;
const SECRETS_AT_ONCE: usize = 8;
/// Objects of one page of a list, as in the product's watches.
const PAGE: u32 = 100;

/// What the product has written for a Room.
pub struct Sample {
    status: RoomStatus,
    secret: Secret,
}

impl Sample {
    /// Has the product make one Room.
    pub async fn take(installation: &Installation, spec: &Value) -> Result<Self, String> {
        let rooms = installation.rooms();
        let sightings = Sightings::of(rooms.clone(), Phase::Open);
        make(&rooms, "sample", 1, spec).await?;
        sightings.until(1).await?;
        let room = rooms.get("sample-0").await.map_err(|error| error.to_string())?;
        let status = room.status.unwrap_or_default();
        let secret_name = status.participants.first().map(|entry| entry.secret_name.clone()).ok_or("the Room has no invites")?;
        let mut secret = installation.secrets().get(&secret_name).await.map_err(|error| error.to_string())?;
        let metadata = ObjectMeta { labels: secret.metadata.labels, annotations: secret.metadata.annotations, ..ObjectMeta::default() };
        secret.metadata = metadata;
        Ok(Self { status, secret })
    }
}

/// The bare client.
struct Floor<'a> {
    creating: Api<Room>,
    rooms: Api<Room>,
    secrets: Api<Secret>,
    sample: &'a Sample,
}

/// Makes `number` Rooms with all that belongs to them.
pub async fn write(installation: &Installation, sample: &Sample, number: usize, spec: &Value) -> Result<(), String> {
    let (account, namespace) = (client(&installation.account).await, &installation.namespace);
    let floor = Floor {
        creating: installation.rooms(),
        rooms: Api::namespaced(account.clone(), namespace),
        secrets: Api::namespaced(account, namespace),
        sample,
    };
    let floor = &floor;
    let create = async |number: usize| {
        let created = floor.creating.create(&PostParams::default(), &room(&format!("room-{number}"), spec)).await;
        created.map_err(|error| format!("a Room could not be made: {error}"))
    };
    let written = stream::iter(0..number).map(create).buffer_unordered(CREATED_AT_ONCE);
    let written = written.map_ok(|room| async move { floor.complete(room).await }).try_buffer_unordered(ROOMS_AT_ONCE);
    written.try_collect::<()>().await
}

/// Lists all Rooms, and gives how many there are.
pub async fn list(client: Client) -> Result<usize, String> {
    let rooms = Api::<Room>::all(client);
    let mut params = ListParams::default().limit(PAGE);
    let mut number = 0;
    loop {
        let page = rooms.list(&params).await.map_err(|error| format!("the Rooms could not be listed: {error}"))?;
        number += page.items.len();
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(number),
        }
    }
}

impl Floor<'_> {
    /// All writes for a Room that was made.
    async fn complete(&self, room: Room) -> Result<(), String> {
        let told = |error: kube::Error| format!("a write of the floor has failed: {error}");
        let name = room.name_any();
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let finalizer = json!({"metadata": {"resourceVersion": room.metadata.resource_version, "finalizers": [FINALIZER]}});
        let room = self.rooms.patch(&name, &params, &Patch::Merge(finalizer)).await.map_err(told)?;
        let post = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let mut status = self.sample.status.clone();
        let create = async |person: String| {
            let created = self.secrets.create(&post, &self.secret(&room, &person)).await;
            created.map(|secret| secret.metadata.uid.unwrap_or_default())
        };
        let people: Vec<String> = room.spec.participants.iter().map(|person| person.name.clone()).collect();
        let uids: Vec<String> = stream::iter(people).map(create).buffered(SECRETS_AT_ONCE).try_collect().await.map_err(told)?;
        for (entry, uid) in status.participants.iter_mut().zip(uids) {
            (entry.secret_name, entry.secret_uid) = (invite_secret_name(&name, &entry.name), uid);
        }
        let ObjectMeta { name: _, namespace, resource_version, uid, .. } = room.metadata;
        let metadata = ObjectMeta { name: Some(name.clone()), namespace, resource_version, uid, ..ObjectMeta::default() };
        let update = Room { metadata, status: Some(status), ..Room::default() };
        self.rooms.replace_status(&name, &post, &update).await.map(drop).map_err(told)
    }

    fn secret(&self, room: &Room, person: &str) -> Secret {
        let mut secret = self.sample.secret.clone();
        secret.metadata.name = Some(invite_secret_name(&room.name_any(), person));
        secret.metadata.owner_references = room.controller_owner_ref(&()).map(|reference| vec![reference]);
        let own = [(LABEL_ROOM, room.name_any()), (LABEL_ROOM_UID, room.uid().unwrap_or_default()), (LABEL_PARTICIPANT, person.to_owned())];
        secret.metadata.labels.get_or_insert_default().extend(own.map(|(key, value)| (key.to_owned(), value)));
        secret
    }
}
