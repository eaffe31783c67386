//! What changes while the controller sees nothing is put right as soon as it sees again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use roomkeeper::api::{Phase, Room, RoomClass, RoomGuest, RoomStatus};
use serde_json::{Value, json};

use crate::support::gate::Gate;
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::stage::{CLASS, Lent, PATIENCE, condition, make_class, names};
use crate::support::{eventually, now, run_heavy};

/// Rooms that are there before the watches are cut: several pages of a list.
const ROOMS: usize = 1_000;
/// Rooms to which each thing happens.
const EACH: usize = 20;
/// Requests of the test at the same time.
const AT_ONCE: usize = 24;
/// The watches of a controller: Rooms, guests, removals, classes, namespaces, and the Secrets of its own namespace.
const WATCHES: usize = 6;
/// How long 1,000 Rooms may take at first. Generous: it is only used up by failures.
const FILLED: Duration = Duration::from_mins(2);
/// How long it may take until all is right after the watches are back: seconds, but beside other tests more. A wake-up that is lost comes
/// with the next look at the invites, an hour later.
const SOON: Duration = Duration::from_secs(45);
/// A class that is deleted and made again with other limits.
const AGAIN: &str = "again";
/// A class that comes late.
const LATE: &str = "late";
/// A class for namespaces with a label.
const NORTH: &str = "north";

/// A controller that sees the cluster through a gate.
struct Scene {
    controller: Role,
    gate: Gate,
    livekit: LiveKitServer,
    admin: Client,
    /// Where nearly all Rooms are.
    namespace: String,
    /// The namespace that gets the label, with one Room.
    labelled: String,
    // Given back when nothing runs on it any more.
    _cluster: Lent,
}

impl Scene {
    async fn start() -> Self {
        let (cluster, livekit) = tokio::join!(Lent::new(), LiveKitServer::start(Options::default()));
        let admin = cluster.admin().await;
        make_class(&admin, CLASS, &livekit, json!({}), true).await;
        let gate = Gate::start(&cluster.account_kubeconfig("roomkeeper-controller").await).await;
        let controller = Role::controller(&gate.kubeconfig, "http://127.0.0.1").await;
        let (namespace, labelled) = (cluster.namespace().await, cluster.namespace().await);
        Self { controller, gate, livekit, admin, namespace, labelled, _cluster: cluster }
    }

    fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    fn guests(&self) -> Api<RoomGuest> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    /// Makes Rooms that cost little: their sessions wait for the first person, who never comes.
    async fn create(&self, names: &[String], more: Value) {
        self.create_in(&self.rooms(), names, more).await;
    }

    async fn create_in(&self, rooms: &Api<Room>, names: &[String], more: Value) {
        let create = async |name: &String| {
            let mut spec = json!({"session": {"provision": "OnFirstJoin"}});
            spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let room = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": spec});
            let room = serde_json::from_value(room).expect("a Room");
            rooms.create(&PostParams::default(), &room).await.expect("the Room is accepted");
        };
        stream::iter(names).map(create).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn each(&self, names: &[String], patch: Value) {
        let patch = &Patch::Merge(patch);
        let edit =
            async |name: &String| drop(self.rooms().patch(name, &PatchParams::default(), patch).await.expect("the edit is accepted"));
        stream::iter(names).map(edit).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn delete(&self, names: &[String]) {
        let delete =
            async |name: &String| drop(self.rooms().delete(name, &DeleteParams::default()).await.expect("the deletion is accepted"));
        stream::iter(names).map(delete).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn class(&self, name: &str, spec: Value) {
        make_class(&self.admin, name, &self.livekit, spec, false).await;
    }

    /// Deletes a class and makes it again, with other limits.
    async fn make_again(&self, most: i32) {
        let classes = Api::<RoomClass>::all(self.admin.clone());
        classes.delete(AGAIN, &DeleteParams::default()).await.expect("the class is deleted");
        self.class(AGAIN, json!({"limits": {"maxParticipants": most}})).await;
    }

    async fn add_guest(&self, name: &str) {
        let spec = json!({"roomName": "guested", "displayName": name, "role": "Attendee"});
        let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": name}, "spec": spec});
        let guest = serde_json::from_value(guest).expect("a guest");
        self.guests().create(&PostParams::default(), &guest).await.expect("the guest is accepted");
    }

    /// Where the labelled namespace has its Room.
    fn north(&self) -> Api<Room> {
        Api::namespaced(self.admin.clone(), &self.labelled)
    }

    /// Waits until exactly these Rooms are there, each in its phase by its newest spec, and exactly these guests, each invited.
    async fn until(&self, patience: Duration, rooms: &BTreeMap<String, Expected>, guests: &[&str]) {
        eventually(patience, async || {
            let mut missing: BTreeSet<&str> = rooms.keys().map(String::as_str).collect();
            let mut wrong = Vec::new();
            for api in [self.rooms(), self.north()] {
                for room in api.list(&ListParams::default()).await.map_err(|error| error.to_string())? {
                    let name = room.name_any();
                    missing.remove(name.as_str());
                    if !rooms.get(&name).is_some_and(|expected| expected.holds(&room)) {
                        wrong.push(told(&room));
                    }
                }
            }
            wrong.extend(missing.into_iter().map(|name| format!("{name} is missing")));
            wrong.extend(self.wrong_guests(guests).await);
            if wrong.is_empty() { Ok(()) } else { Err(format!("{} are not right: {:?}", wrong.len(), &wrong[..wrong.len().min(8)])) }
        })
        .await;
    }

    /// What is not as it should be with the guests and their invites.
    async fn wrong_guests(&self, expected: &[&str]) -> Vec<String> {
        let guests = self.guests().list(&ListParams::default()).await.expect("guests");
        let is_invited = |guest: &&RoomGuest| {
            let mut conditions = guest.status.iter().flat_map(|status| &status.conditions);
            expected.contains(&guest.name_any().as_str()) && conditions.any(|condition| condition.reason == "Issued")
        };
        let invited = guests.items.iter().filter(is_invited).count();
        let secrets = Api::<Secret>::namespaced(self.admin.clone(), &self.namespace);
        let secrets = secrets.list_metadata(&ListParams::default()).await.expect("Secrets");
        let mut secrets: Vec<String> = secrets
            .items
            .iter()
            .map(ResourceExt::name_any)
            .filter_map(|name| Some(name.strip_prefix("guested-invite-guest-")?.to_owned()))
            .collect();
        secrets.sort();
        let right = invited == expected.len() && guests.items.len() == expected.len() && secrets == expected;
        if right { Vec::new() } else { vec![format!("{invited} of {} guests are invited, with {secrets:?}", guests.items.len())] }
    }
}

/// What is expected of a Room.
#[derive(Clone, Copy)]
enum Expected {
    Is(Phase),
    NotAccepted(&'static str),
}

impl Expected {
    fn holds(self, room: &Room) -> bool {
        let Some(status) = &room.status else { return false };
        let holds = match self {
            Self::Is(phase) => status.phase == phase && condition(status, "Ready").0 == "True",
            Self::NotAccepted(reason) => condition(status, "Accepted") == ("False", reason),
        };
        holds && status.observed_generation == room.metadata.generation && room.metadata.deletion_timestamp.is_none()
    }
}

fn told(room: &Room) -> String {
    let state = |status: &RoomStatus| (status.phase, condition(status, "Accepted").1.to_owned(), condition(status, "Ready").1.to_owned());
    let generations = (room.metadata.generation, room.status.as_ref().and_then(|status| status.observed_generation));
    format!("{} {generations:?} {:?}", room.name_any(), room.status.as_ref().map(state))
}

/// The Rooms, by what happens to them.
struct Rooms {
    kept: Vec<String>,
    edited: Vec<String>,
    deleted: Vec<String>,
    remade: Vec<String>,
    created: Vec<String>,
    /// Of the class that is made again, with more and with fewer places than it allows at first.
    large: Vec<String>,
    small: Vec<String>,
    /// One each: with guests, of a class that comes late, of a class that the namespace may not use at first.
    guested: Vec<String>,
    late: Vec<String>,
    north: Vec<String>,
}

impl Rooms {
    fn new() -> Self {
        let of = |name: &str| names(name, EACH);
        let one = |name: &str| vec![name.to_owned()];
        Self {
            kept: names("kept", ROOMS - 5 * EACH - 3),
            edited: of("edited"),
            deleted: of("deleted"),
            remade: of("remade"),
            created: of("created"),
            large: of("large"),
            small: of("small"),
            guested: one("guested"),
            late: one("late"),
            north: one("north"),
        }
    }

    /// Makes what is there before the watches are cut; what is expected of it.
    async fn create(&self, scene: &Scene) -> BTreeMap<String, Expected> {
        scene.class(AGAIN, json!({"limits": {"maxParticipants": 2}})).await;
        let selector = json!({"from": "Selector", "selector": {"matchLabels": {"team": "north"}}});
        scene.class(NORTH, json!({"allowedNamespaces": selector})).await;
        let plain = [&self.kept, &self.edited, &self.deleted, &self.remade, &self.guested];
        for names in plain {
            scene.create(names, json!({})).await;
        }
        scene.create(&self.large, json!({"roomClassName": AGAIN, "maxParticipants": 3})).await;
        scene.create(&self.small, json!({"roomClassName": AGAIN, "maxParticipants": 1})).await;
        scene.create(&self.late, json!({"roomClassName": LATE})).await;
        scene.create_in(&scene.north(), &self.north, json!({"roomClassName": NORTH})).await;
        scene.add_guest("gone").await;
        scene.add_guest("kept").await;
        let mut expected = BTreeMap::new();
        for names in plain {
            expect(&mut expected, names, Expected::Is(Phase::Open));
        }
        expect(&mut expected, &self.small, Expected::Is(Phase::Open));
        expect(&mut expected, &self.large, Expected::NotAccepted("TooManyParticipants"));
        expect(&mut expected, &self.late, Expected::NotAccepted("ClassNotFound"));
        expect(&mut expected, &self.north, Expected::NotAccepted("NamespaceNotAllowed"));
        expected
    }

    /// What happens while the watches are cut.
    async fn change(&self, scene: &Scene, expected: &mut BTreeMap<String, Expected>) {
        scene.each(&self.edited, json!({"spec": {"suspend": true}})).await;
        scene.create(&self.created, json!({})).await;
        scene.delete(&self.deleted).await;
        // Without its finalizer an object goes at once, and is never seen as being deleted.
        scene.each(&self.remade, json!({"metadata": {"finalizers": null}})).await;
        scene.delete(&self.remade).await;
        scene.create(&self.remade, json!({"suspend": true})).await;
        scene.guests().delete("gone", &DeleteParams::default()).await.expect("the guest is deleted");
        scene.add_guest("new").await;
        scene.make_again(3).await;
        scene.class(LATE, json!({})).await;
        let label = Patch::Merge(json!({"metadata": {"labels": {"team": "north"}}}));
        let namespaces = Api::<Namespace>::all(scene.admin.clone());
        namespaces.patch(&scene.labelled, &PatchParams::default(), &label).await.expect("the label is set");
        expected.retain(|name, _| !self.deleted.contains(name));
        for names in [&self.edited, &self.remade] {
            expect(expected, names, Expected::Is(Phase::Suspended));
        }
        for names in [&self.created, &self.large, &self.late, &self.north] {
            expect(expected, names, Expected::Is(Phase::Open));
        }
    }
}

fn expect(all: &mut BTreeMap<String, Expected>, names: &[String], expected: Expected) {
    all.extend(names.iter().map(|name| (name.clone(), expected)));
}

#[test]
fn all_that_changed_while_the_watches_were_cut_is_right_soon_after_they_list_anew_and_nothing_else_is_touched() {
    run_heavy(async {
        let (scene, rooms) = (Scene::start().await, Rooms::new());
        let mut expected = rooms.create(&scene).await;
        assert_eq!(expected.len(), ROOMS);
        scene.until(FILLED, &expected, &["gone", "kept"]).await;

        scene.gate.close();
        eventually(PATIENCE, async || match scene.gate.waiting() {
            WATCHES => Ok(()),
            waiting => Err(format!("{waiting} watches wait")),
        })
        .await;
        rooms.change(&scene, &mut expected).await;
        let reconciliations = async || scene.controller.metric("roomkeeper_reconcile_duration_seconds_count").await.unwrap_or_default();
        let before = reconciliations().await;
        scene.gate.open();
        let opened = now();
        scene.until(SOON, &expected, &["kept", "new"]).await;
        println!("all is right {:.1} s after the watches are back", now().duration_since(opened).as_secs_f64());
        let woken = reconciliations().await - before;
        let untouched = f64::from(u32::try_from(rooms.kept.len()).expect("few"));
        assert!(woken < untouched, "{woken} reconciliations, although {untouched} Rooms did not change");

        // A class that is made again while the watches see it.
        scene.make_again(2).await;
        expect(&mut expected, &rooms.large, Expected::NotAccepted("TooManyParticipants"));
        scene.until(SOON, &expected, &["kept", "new"]).await;
    });
}
