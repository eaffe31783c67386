//! A media server that takes its time for every answer, beside one that does not.

use std::time::Duration;

use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds, names};
use crate::support::{eventually, now, run};

/// The class of the slow one.
const SLOW: &str = "slow";
/// How long each of its answers takes.
const DELAY: Duration = Duration::from_secs(2);
/// The same when the windows end: a request waits for no longer than five seconds.
const LONG_DELAY: Duration = Duration::from_secs(4);
/// Rooms of the slow class: more than are ended at the same time.
const SLOW_ROOMS: usize = 40;
/// Rooms of the other.
const ROOMS: usize = 5;
/// From the last edit to the end of all windows.
const UNTIL_THE_END: i64 = 10;
/// How long the slow ones may take beside other tests: each of a few requests takes seconds, and 32 are made at the same time.
const SLOWLY: Duration = Duration::from_mins(2);

#[test]
fn rooms_of_a_slow_media_server_open_and_end_and_those_of_another_end_without_waiting_for_it() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let slow = LiveKitServer::start(Options::default()).await;
        let faults = Faults::default();
        let proxy = FaultProxy::before(&slow.url(), &faults).await;
        stage.class_behind(SLOW, &slow, proxy.port).await;
        stage.class_reason(SLOW, "Reconciled").await;
        faults.delay(DELAY);

        let (slow_rooms, rooms) = (names(SLOW, SLOW_ROOMS), names("quick", ROOMS));
        let later = in_seconds(600);
        apply(&place, &slow_rooms, json!({"roomClassName": SLOW, "validUntil": later})).await;
        apply(&place, &rooms, json!({"validUntil": later})).await;
        for room in rooms.iter().chain(&slow_rooms) {
            place.until_phase(room, Phase::Open).await;
        }
        assert_eq!((living(&slow).await, living(&stage.livekit).await), (SLOW_ROOMS, ROOMS));

        let end = in_seconds(UNTIL_THE_END);
        for room in slow_rooms.iter().chain(&rooms) {
            place.edit(room, json!({"validUntil": end})).await;
        }
        for room in slow_rooms.iter().chain(&rooms) {
            place.until(room, |status| status.valid_until.as_ref().is_some_and(|until| until.0 == end.parse().expect("a moment"))).await;
        }
        faults.delay(LONG_DELAY);
        eventually(PATIENCE, async || match living(&stage.livekit).await {
            0 => Ok(()),
            left => Err(format!("{left} calls live on")),
        })
        .await;
        // The first of its answers is still to come.
        assert_eq!(living(&slow).await, SLOW_ROOMS, "none of them has waited for the slow media server");
        let lag = now().duration_since(end.parse().expect("a moment"));
        println!("{ROOMS} calls have ended {:.1} s after their end, and {SLOW_ROOMS} of a slow media server wait", lag.as_secs_f64());
        faults.delay(DELAY);
        eventually(SLOWLY, async || match living(&slow).await {
            0 => Ok(()),
            left => Err(format!("{left} calls live on")),
        })
        .await;
        for room in slow_rooms.iter().chain(&rooms) {
            place.until_phase(room, Phase::Expired).await;
        }
        assert_eq!(place.secret_names().await, Vec::<String>::new());
    });
}

async fn apply(place: &Place<'_>, names: &[String], spec: Value) {
    for name in names {
        place.apply(name, spec.clone()).await;
    }
}

/// How many sessions live on a media server, asked without a proxy.
async fn living(livekit: &LiveKitServer) -> usize {
    livekit.backend().list_sessions("rk-").await.expect("a list").len()
}
