//! Somebody sets the wall clock of both parts by an hour, and sets it right again. The API server and the media server have the right time.

use std::collections::BTreeMap;

use roomkeeper::api::{Phase, RoomStatus};
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use crate::operations::leader::leads;
use crate::support::fake_clock::FakeClock;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{CLASS, PATIENCE, Place, Stage, in_seconds, session};
use crate::support::{eventually, now, run};

const HOUR: i64 = 3600;
const HALF_AN_HOUR: i64 = 1800;
/// Until something that is planned while the clock is right, and comes after it was wrong.
const SOON: i64 = 20;
/// The Rooms whose invites must stay as they are.
const WITH_INVITES: [&str; 4] = ["long", "half", "early", "dawn"];

#[test]
fn what_a_clock_that_is_an_hour_ahead_has_closed_opens_again_when_it_is_set_right_and_what_is_over_stays_so() {
    run(async {
        let clock = FakeClock::new();
        let stage = start(&clock).await;
        let place = stage.place().await;
        let past = json!({"validFrom": in_seconds(-600), "validUntil": in_seconds(-300)});
        for (name, window, phase) in [
            ("long", json!({"duration": "10h"}), Phase::Open),
            ("half", json!({"validUntil": in_seconds(HALF_AN_HOUR)}), Phase::Open),
            ("early", json!({"validFrom": in_seconds(HALF_AN_HOUR), "duration": "10h"}), Phase::Scheduled),
            ("dawn", json!({"validFrom": in_seconds(SOON), "duration": "10h"}), Phase::Scheduled),
            ("over", past.clone(), Phase::Expired),
            ("swept", past.clone(), Phase::Expired),
        ] {
            make(&place, name, window, if name == "swept" { HALF_AN_HOUR } else { 10 * HOUR }, phase).await;
        }
        let invites = all_invites(&place).await;
        let ada = place.joined("long", "ada", &[]).await;
        let before = session(&place.until_phase("long", Phase::Open).await);

        clock.set(HOUR);
        noticed(&stage, 1).await;
        // What is due by the clock as it is happens: a deletion is for good.
        place.until_gone("swept", PATIENCE).await;
        place.until("half", |status| status.phase == Phase::Expired).await;
        assert_eq!(stage.join(&invites["half"]).await.problem(), "over");
        // The media server has the right time, and takes no token of the future: by then its loop, too, has gone by the clock.
        stage.class_reason(CLASS, "Unauthorized").await;
        // Seen to be over by a clock that is ahead.
        let mut spec = past;
        spec["participants"] = people();
        place.apply("seen-ahead", spec).await;
        place.until_phase("seen-ahead", Phase::Expired).await;

        clock.set(0);
        noticed(&stage, 2).await;
        stage.class_reason(CLASS, "Reconciled").await;
        place.until_phase("half", Phase::Open).await;
        place.until_phase("early", Phase::Scheduled).await;
        assert_eq!(stage.join(&invites["early"]).await.problem(), "too-early");
        place.until("seen-ahead", |status| status.expired_at.as_ref().is_some_and(|at| at.0 <= now())).await;
        place.until_phase("over", Phase::Expired).await;
        place.until_phase("dawn", Phase::Open).await;
        assert_eq!(all_invites(&place).await, invites, "the links of before");
        for name in ["long", "half", "dawn"] {
            stage.credentials(&invites[name]).await;
        }
        let ben = place.joined("long", "ben", &[]).await;
        // A loop that waits for a moment of before would count an hour later.
        let long = place.until("long", |status| status.counts.is_some_and(|counts| counts.joined == 2)).await;
        assert_eq!(session(&long), before);
        only_recorded_sessions(&stage, &place).await;
        for client in [&ada, &ben] {
            assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
        }
        still_leads(stage).await;
    });
}

#[test]
fn a_clock_that_was_an_hour_behind_for_a_while_puts_nothing_off_and_opens_nothing_that_is_over() {
    run(async {
        let clock = FakeClock::new();
        let stage = start(&clock).await;
        let place = stage.place().await;
        let hours_ago = in_seconds(-2 * HOUR);
        for (name, window, phase) in [
            ("long", json!({"validFrom": hours_ago, "duration": "10h"}), Phase::Open),
            ("young", json!({"duration": "10h"}), Phase::Open),
            ("dusk", json!({"validFrom": hours_ago, "validUntil": in_seconds(SOON)}), Phase::Open),
            ("dawn", json!({"validFrom": in_seconds(SOON), "duration": "10h"}), Phase::Scheduled),
            ("over", json!({"validFrom": in_seconds(-4 * HOUR), "validUntil": in_seconds(-2 * HOUR)}), Phase::Expired),
        ] {
            make(&place, name, window, 10 * HOUR, phase).await;
        }
        let ada = place.joined("long", "ada", &[]).await;
        let dusk = place.joined("dusk", "ada", &[]).await;
        let (invite, young) = (place.invite("long", "ben").await, place.invite("young", "ada").await);
        let before = session(&place.until_phase("long", Phase::Open).await);
        let expired_at = |status: &RoomStatus| status.expired_at.clone();
        let over = place.until_phase("over", Phase::Expired).await.status.as_ref().and_then(expired_at);

        clock.set(-HOUR);
        noticed(&stage, 1).await;
        place.until_phase("over", Phase::Expired).await;
        // By the clock as it is that one has not begun.
        place.until_phase("young", Phase::Scheduled).await;
        assert_eq!(stage.join(&young).await.problem(), "too-early");
        // Planned by the clock as it is now, in which all of this is an hour away.
        place.edit("dusk", json!({"displayName": "Dusk"})).await;
        place.until("dusk", |_| true).await;
        clock.set(0);
        noticed(&stage, 2).await;
        place.until_phase("young", Phase::Open).await;
        assert_eq!(place.invite("young", "ada").await, young, "the link of before");
        stage.credentials(&young).await;
        place.until_phase("dawn", Phase::Open).await;
        place.until_phase("dusk", Phase::Expired).await;
        dusk.event("disconnected").await;
        let room = place.until_phase("over", Phase::Expired).await;
        assert!(room.status.as_ref().and_then(expired_at) <= over, "its TTL counts from when it was first seen to be over");
        let ben = Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call");
        let long = place.until("long", |status| status.counts.is_some_and(|counts| counts.joined == 2)).await;
        assert_eq!(session(&long), before);
        only_recorded_sessions(&stage, &place).await;
        for client in [&ada, &ben] {
            assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
        }
        still_leads(stage).await;
    });
}

fn people() -> Value {
    json!([{"name": "ada"}, {"name": "ben"}])
}

/// Makes a Room with this window for both of them, and waits until it is in this phase.
async fn make(place: &Place<'_>, name: &str, window: Value, ttl: i64, phase: Phase) {
    let mut spec = window;
    spec["participants"] = people();
    spec["ttlSecondsAfterExpired"] = ttl.into();
    place.apply(name, spec).await;
    place.until_phase(name, phase).await;
}

/// An installation whose parts have this clock, with the election of a leader.
async fn start(clock: &FakeClock) -> Stage {
    let mut stage = Stage::start().await;
    for role in [&mut stage.controller, &mut stage.gateway] {
        role.process.signal("KILL");
        role.process.ended(PATIENCE).await;
    }
    let (controller, gateway) =
        (stage.cluster.account_kubeconfig("roomkeeper-controller").await, stage.cluster.account_kubeconfig("roomkeeper-gateway").await);
    let url = format!("http://127.0.0.1:{}", stage.gateway.port);
    stage.controller = Role::controller_in(&clock.environment(), &controller, &["--gateway-url", &url]);
    stage.gateway = Role::gateway_in(&clock.environment(), &gateway, stage.gateway.port);
    for role in [&stage.controller, &stage.gateway] {
        eventually(PATIENCE, async || match role.probes().await {
            (true, true) => Ok(()),
            probes => Err(format!("{probes:?}: {}", role.log())),
        })
        .await;
    }
    leads(&stage.controller).await;
    stage
}

/// Waits until the controller has noticed that its clock was set so many times.
async fn noticed(stage: &Stage, times: usize) {
    eventually(PATIENCE, async || match stage.controller.log().matches("the clock was set").count() {
        seen if seen >= times => Ok(()),
        seen => Err(format!("noticed {seen} times")),
    })
    .await;
}

/// Invites of ada.
async fn all_invites(place: &Place<'_>) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    for name in WITH_INVITES {
        all.insert(name, place.invite(name, "ada").await);
    }
    all
}

/// Waits until the sessions that live are those that open Rooms record: no Room has two.
async fn only_recorded_sessions(stage: &Stage, place: &Place<'_>) {
    eventually(PATIENCE, async || {
        let rooms = place.rooms().list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
        let live = |status: &RoomStatus| status.session.clone().filter(|session| session.ended_at.is_none()).map(|session| session.id);
        let mut recorded: Vec<String> = rooms.items.iter().filter_map(|room| live(room.status.as_ref()?)).collect();
        let living = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
        let mut living: Vec<String> = living.into_iter().map(|session| session.id).collect();
        recorded.sort();
        living.sort();
        if recorded == living { Ok(()) } else { Err(format!("{living:?} live, {recorded:?} are recorded")) }
    })
    .await;
}

/// The same process is the leader, and has renewed its Lease.
async fn still_leads(mut stage: Stage) {
    assert!(stage.controller.process.exited().is_none(), "{}", stage.controller.log());
    assert_eq!(stage.controller.metric("roomkeeper_leader").await, Some(1.0));
    assert_eq!(stage.controller.probes().await, (true, true));
}
