//! Many windows end while no controller is there.

use std::time::Duration;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use kube::api::ListParams;
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::stage::{PATIENCE, Place, Stage, condition, in_seconds, names, session};
use crate::support::{all_faults, eventually, now, run};

/// Rooms that end, in a short run and in a long one.
const ENDS: (usize, usize) = (40, 200);
/// Of these, Rooms with somebody in the call.
const USED: usize = 3;
/// Rooms that go on.
const LIVE: usize = 5;
/// From the edit to the end of the windows: the controller has to see it before.
const UNTIL_THE_END: i64 = 15;
/// Requests of the test at the same time.
const AT_ONCE: usize = 24;
/// How long it may take until all is as it must be, beside other tests.
const CONVERGES: Duration = Duration::from_mins(2);

#[test]
fn what_ended_while_the_controller_was_down_is_ended_once_when_it_is_back_and_nothing_else() {
    run(async {
        let mut stage = Stage::start().await;
        let ends = if all_faults() { ENDS.1 } else { ENDS.0 };
        let namespace = stage.cluster.namespace().await;
        let place = stage.place_in(namespace.clone());
        let (ending, live) = (names("ending", ends), names("live", LIVE));
        let people = json!([{"name": "ada"}, {"name": "ben"}]);
        let make = async |name: &String| drop(place.apply(name, json!({"validUntil": in_seconds(900), "participants": people})).await);
        stream::iter(ending.iter().chain(&live)).map(make).buffer_unordered(AT_ONCE).collect::<()>().await;
        for name in ending.iter().chain(&live) {
            place.until_phase(name, Phase::Open).await;
        }
        let mut out = Vec::new();
        for name in &ending[..USED] {
            out.push(place.joined(name, "ada", &[]).await);
        }
        let ada = place.joined(&live[0], "ada", &[]).await;
        let sessions = of_rooms(&place, &live).await;
        let invites = place.invites(&live[0]).await;

        let end = in_seconds(UNTIL_THE_END);
        let edit = async |name: &String| drop(place.edit(name, json!({"validUntil": end})).await);
        stream::iter(&ending).map(edit).buffer_unordered(AT_ONCE).collect::<()>().await;
        let end: jiff::Timestamp = end.parse().expect("a moment");
        for name in &ending {
            place.until(name, |status| status.valid_until.as_ref().is_some_and(|until| until.0 == end)).await;
        }
        drop(place);
        stage.controller.process.signal("KILL");
        stage.controller.process.ended(PATIENCE).await;
        assert!(now() < end, "the controller was there when the windows ended");
        for client in &out {
            // By the gateway.
            client.event("disconnected").await;
        }
        assert!(now() >= end, "nobody is put out before");
        stage.restart_controller().await;

        let back = now();
        let place = stage.place_in(namespace);
        eventually(CONVERGES, async || is_over(&stage, &place, &ending, &sessions).await).await;
        println!("{ends} calls have ended {:.1} s after the controller is back", now().duration_since(back).as_secs_f64());
        let counted = stage.controller.metric("roomkeeper_end_lag_seconds_count").await;
        assert_eq!(counted.map(|counted| counted.to_string()), Some(ends.to_string()), "each is counted once");
        assert_eq!(of_rooms(&place, &live).await, sessions, "who goes on has the session of before");
        assert_eq!(place.invites(&live[0]).await, invites);
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
    });
}

/// Sessions of these Rooms, in the order of their names.
async fn of_rooms(place: &Place<'_>, names: &[String]) -> Vec<String> {
    let mut sessions = Vec::new();
    for name in names {
        sessions.push(session(&place.until_phase(name, Phase::Open).await));
    }
    sessions.sort();
    sessions
}

/// Whether these Rooms are over and have left nothing, and no sessions live but those that go on.
async fn is_over(stage: &Stage, place: &Place<'_>, ended: &[String], living: &[String]) -> Result<(), String> {
    let rooms = place.rooms().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let is_ended = |name: &String| {
        rooms.items.iter().find(|room| room.name_any() == *name).and_then(|room| room.status.as_ref()).is_some_and(|status| {
            let session = status.session.as_ref();
            let is_closed = session.is_some_and(|session| session.ended_at.is_some());
            status.phase == Phase::Expired && condition(status, "Ready").0 == "True" && is_closed && status.participants.is_empty()
        })
    };
    let left = ended.iter().filter(|name| !is_ended(name)).count();
    if left > 0 {
        return Err(format!("{left} are not over"));
    }
    let invites = place.secret_names().await.into_iter().filter(|name| name.starts_with("ending-")).count();
    let mut sessions: Vec<String> =
        stage.livekit.backend().list_sessions("rk-").await.expect("a list").into_iter().map(|it| it.id).collect();
    sessions.sort();
    if invites == 0 && sessions == living { Ok(()) } else { Err(format!("{invites} invites, sessions {sessions:?}")) }
}
