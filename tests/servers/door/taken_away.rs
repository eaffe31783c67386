//! What a Room takes away counts in every state of the Room, on every way in, with the controller dead and the media server slow.

use futures::future::join_all;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Resource};
use roomkeeper::api::{LINK_SUBJECT, Phase, Role, RoomClass, RoomGuest};
use roomkeeper::backend::Backend;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::wire;
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Place, Stage, session, value};
use crate::support::{eventually, now, repetitions, run_heavy};

/// A class of this name lets in fewer people than a Room may ask for.
const CLASS: &str = "limited";
/// How many clients connect at the same time.
const AT_ONCE: usize = 8;

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Removed,
    Suspended,
    Rotated,
    Demoted,
    Closed,
    Ended,
    Deleted,
}

const CHANGES: [Change; 7] =
    [Change::Removed, Change::Suspended, Change::Rotated, Change::Demoted, Change::Closed, Change::Ended, Change::Deleted];

/// How somebody has come in: by an invite of their own, as a guest of that person, or by the shared link. All of them are Collaborators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Invite,
    Guest,
    Link,
}

const WAYS: [Way; 3] = [Way::Invite, Way::Guest, Way::Link];

impl Change {
    /// What it makes of the spec; the guest of a Room has its name.
    fn edit(self) -> Value {
        let ada = |more: Value| {
            let mut ada = json!({"name": "ada", "role": "Collaborator"});
            ada.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            ada
        };
        let link = json!({"role": "Collaborator", "generation": 1});
        match self {
            Self::Removed => json!({"participants": [{"name": "ben"}], "link": link}),
            Self::Suspended => json!({"participants": [ada(json!({"suspended": true}))], "link": link}),
            Self::Rotated => json!({"participants": [ada(json!({"inviteGeneration": 1}))], "link": link}),
            Self::Demoted => json!({"participants": [ada(json!({"role": "Consumer"}))], "link": {"role": "Consumer"}}),
            Self::Closed => json!({"suspend": true}),
            Self::Ended => json!({"validUntil": "2026-01-01T00:00:00Z"}),
            Self::Deleted => json!({}),
        }
    }

    /// The role that is left to who came in this way; `None` when they may not stay.
    fn leaves(self, way: Way) -> Option<Role> {
        match (self, way) {
            (Self::Demoted, _) => Some(Role::Consumer),
            (Self::Suspended | Self::Rotated, Way::Guest) => Some(Role::Attendee),
            _ => None,
        }
    }
}

/// Somebody in a call.
struct InCall {
    room: String,
    change: Change,
    way: Way,
    identity: String,
    session: String,
    invite: String,
    token: String,
    client: Client,
}

/// A Room for each change, whose name begins with this one, and for each somebody in its call who came in by each of these ways.
async fn calls(stage: &Stage, place: &Place<'_>, prefix: &str, class: &str, ways: impl Fn(usize) -> Vec<Way>) -> Vec<InCall> {
    let rooms = CHANGES.map(|change| format!("{prefix}-{change:?}").to_lowercase());
    for room in &rooms {
        let spec = json!({
            "roomClassName": class,
            "joinPolicy": "AnyoneWithLink",
            "link": {"role": "Collaborator"},
            "participants": [{"name": "ada", "role": "Collaborator"}],
        });
        place.apply(room, spec).await;
        let spec = json!({"roomName": room, "displayName": "Eve", "role": "Collaborator", "invitedBy": "ada", "inviterGeneration": 0});
        apply::<RoomGuest>(stage, place, room, json!({"kind": "RoomGuest", "spec": spec})).await;
    }
    let ways: Vec<_> =
        rooms.iter().zip(CHANGES).enumerate().flat_map(|(number, room)| ways(number).into_iter().map(move |way| (room, way))).collect();
    let entering = ways.into_iter().map(async |((room, change), way)| {
        place.until_phase(room, Phase::Open).await;
        enter(stage, place, room, change, way).await
    });
    stream::iter(entering).buffer_unordered(AT_ONCE).collect().await
}

async fn apply<K>(stage: &Stage, place: &Place<'_>, name: &str, mut object: Value)
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    object["apiVersion"] = json!("roomkeeper.io/v1alpha1");
    object["metadata"] = json!({"name": name});
    let api = Api::<K>::namespaced(stage.admin.clone(), &place.namespace);
    api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.expect("the object is accepted");
}

async fn enter(stage: &Stage, place: &Place<'_>, room: &str, change: Change, way: Way) -> InCall {
    let holder = match way {
        Way::Invite => "ada".to_owned(),
        Way::Guest => format!("guest-{room}"),
        Way::Link => LINK_SUBJECT.to_owned(),
    };
    let secret = eventually(PATIENCE, async || place.invite_secret(room, &holder).await.ok_or("no invite")).await;
    let invite = value(&secret, "invite");
    let answer = eventually(PATIENCE, async || {
        let answer = if way == Way::Link { stage.join_as(&invite, "Vera").await } else { stage.join(&invite).await };
        if answer.status == 200 { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;
    let credentials = answer.credentials();
    let client = Client::join(&credentials, &[]).await.expect("in the call");
    let identity = answer.body["identity"]
        .as_str()
        .map_or_else(|| client.events()[0]["identity"].as_str().expect("an identity").to_owned(), str::to_owned);
    let session = session(&place.rooms().get(room).await.expect("the Room"));
    InCall { room: room.to_owned(), change, way, identity, session, invite, token: credentials.token, client }
}

/// Takes away from everybody, each in the Room of its change. Returns when each change was made.
async fn take_away(stage: &Stage, place: &Place<'_>, people: &[InCall], spoil: &Value) -> Vec<(String, Timestamp)> {
    let mut rooms: Vec<(&str, Change)> = people.iter().map(|person| (person.room.as_str(), person.change)).collect();
    rooms.dedup();
    let taking = rooms.into_iter().map(async |(room, change)| {
        let mut edit = change.edit();
        edit.as_object_mut().expect("an object").extend(spoil.as_object().expect("an object").clone());
        let changed_at = now();
        place.edit(room, edit).await;
        if change == Change::Removed {
            let guests = Api::<RoomGuest>::namespaced(stage.admin.clone(), &place.namespace);
            // The controller may have done so, because the one who has invited them is gone.
            let deleted = guests.delete(room, &DeleteParams::default()).await;
            assert!(deleted.is_ok() || guests.get_opt(room).await.expect("an answer").is_none(), "{deleted:?}");
        }
        if change == Change::Deleted {
            place.delete(room).await;
        }
        (room.to_owned(), changed_at)
    });
    join_all(taking).await
}

/// Waits until nobody has what was taken away, and tells how long that took.
async fn everything_is_gone(stage: &Stage, situation: &str, people: Vec<InCall>, changed_at: &[(String, Timestamp)]) {
    join_all(people.iter().map(|person| notices(situation, person, changed_at))).await;
    join_all(people.into_iter().map(|person| is_gone(stage, situation, person))).await;
}

/// Waits for the first that somebody sees of it, and tells how long that took.
async fn notices(situation: &str, person: &InCall, changed_at: &[(String, Timestamp)]) {
    let InCall { room, change, way, client, .. } = person;
    let case = format!("{situation}: {change:?} of {way:?}");
    let signs: &[&str] = match change.leaves(*way) {
        Some(_) => &["permissions-changed"],
        // While the media server does not answer, that their signalling is gone.
        None => &["disconnected", "reconnecting"],
    };
    client.wait_for(&case, |event| signs.iter().any(|sign| event["event"] == *sign)).await;
    let since = changed_at.iter().find(|(changed, _)| changed == room).expect("a change").1;
    println!("{case}: {} ms", now().duration_since(since).as_millis());
}

async fn is_gone(stage: &Stage, situation: &str, person: InCall) {
    let InCall { change, way, identity, session, invite, token, client, .. } = person;
    let case = format!("{situation}: {change:?} of {way:?}");
    let left = change.leaves(way);
    if left.is_none() {
        // Whose signalling is cut while the media server does not answer hears nothing of it but that there is no way back.
        client.wait_for(&case, |event| event["event"] == "disconnected" || event["event"] == "reconnect-refused").await;
    }
    eventually(PATIENCE, async || {
        let members = stage.livekit.backend().observe(&session).await.map_err(|failure| format!("{case}: {failure}"))?;
        let member = members.into_iter().flatten().find(|member| member.identity == identity);
        if member.as_ref().map(|member| member.role) == left.map(Some) { Ok(()) } else { Err(format!("{case}: {member:?}")) }
    })
    .await;
    if left.is_none() {
        assert_ne!(stage.join_as(&invite, "Vera").await.status, 200, "{case}");
        assert_ne!(stage.join(&invite).await.status, 200, "{case}");
        let (answer, _) = wire::upgrade(stage.gateway.port, &format!("/rtc?access_token={token}"), &[]).await;
        assert!([401, 403, 503].contains(&answer.status), "{case}: {answer:?}");
    }
    client.close().await;
}

/// An edit that the class does not accept.
fn unaccepted() -> Value {
    json!({"maxParticipants": 100})
}

async fn limited_class(stage: &Stage, name: &str) {
    stage.class(name, &stage.livekit, json!({"limits": {"maxParticipants": 50}})).await;
    stage.class_reason(name, "Reconciled").await;
}

/// Every way in for every change where tests take their time, else one, so that each state sees each way.
fn ways_in(state: usize) -> impl Fn(usize) -> Vec<Way> {
    move |change| match repetitions(1, WAYS.len()) {
        1 => vec![WAYS[(state + change) % WAYS.len()]],
        _ => WAYS.to_vec(),
    }
}

#[test]
fn what_is_taken_away_is_gone_whether_or_not_the_spec_is_accepted() {
    run_heavy(async {
        let stage = Stage::shared().await;
        limited_class(stage, CLASS).await;
        let place = stage.place().await;
        for (number, (state, spoil)) in [("accepted", json!({})), ("unaccepted", unaccepted())].into_iter().enumerate() {
            let people = calls(stage, &place, state, CLASS, ways_in(number)).await;
            let changed_at = take_away(stage, &place, &people, &spoil).await;
            everything_is_gone(stage, state, people, &changed_at).await;
        }
    });
}

#[test]
fn what_is_taken_away_is_gone_without_the_class_and_without_the_controller_and_with_a_media_server_that_does_not_answer_at_first() {
    run_heavy(async {
        let mut stage = Stage::start().await;
        limited_class(&stage, CLASS).await;
        limited_class(&stage, "goes").await;
        let place = stage.place().await;
        let without_class = calls(&stage, &place, "classless", "goes", ways_in(2)).await;
        let dead = calls(&stage, &place, "dead", CLASS, ways_in(0)).await;
        let dead_and_unaccepted = calls(&stage, &place, "both", CLASS, ways_in(1)).await;
        let slow = calls(&stage, &place, "slow", CLASS, ways_in(2)).await;

        Api::<RoomClass>::all(stage.admin.clone()).delete("goes", &DeleteParams::default()).await.expect("the class is deleted");
        place.until_not("classless-removed", "Accepted", "ClassNotFound").await;
        let changed_at = take_away(&stage, &place, &without_class, &json!({})).await;
        everything_is_gone(&stage, "without class", without_class, &changed_at).await;

        let namespace = place.namespace.clone();
        stage.controller.process.signal("KILL");
        stage.controller.process.ended(PATIENCE).await;
        let place = stage.place_in(namespace.clone());
        for (state, people, spoil) in [("controller dead", dead, json!({})), ("dead, unaccepted", dead_and_unaccepted, unaccepted())] {
            let changed_at = take_away(&stage, &place, &people, &spoil).await;
            everything_is_gone(&stage, state, people, &changed_at).await;
        }

        stage.livekit.signal("STOP");
        let place = stage.place_in(namespace);
        let changed_at = take_away(&stage, &place, &slow, &json!({})).await;
        let (staying, leaving): (Vec<InCall>, Vec<InCall>) =
            slow.into_iter().partition(|person| person.change.leaves(person.way).is_some());
        join_all(leaving.iter().map(|person| notices("media server slow", person, &changed_at))).await;
        eventually(PATIENCE, async || {
            let metrics = stage.gateway.metrics().await;
            // Whoever may not stay is cut off, although nobody has heard of it at the media server.
            if metrics.contains(&format!("roomkeeper_proxied_connections {}\n", staying.len())) { Ok(()) } else { Err(metrics) }
        })
        .await;
        stage.livekit.signal("CONT");
        join_all(leaving.into_iter().map(|person| is_gone(&stage, "media server slow", person))).await;
        everything_is_gone(&stage, "media server slow", staying, &changed_at).await;
    });
}
