//! What others notice of very many RoomGuests in one namespace.

use std::cell::Cell;
use std::time::Duration;

use futures::StreamExt;
use jiff::SignedDuration;
use kube::Api;
use kube::api::PostParams;
use roomkeeper::api::{Phase, RoomGuest};
use serde_json::json;
use tokio::time::sleep;

use crate::spread::{self, Unit};
use crate::support::now;
use crate::support::stage::{Place, Stage};
use crate::{mebibytes, people};

/// How many guests are made at the same time.
const AT_ONCE: usize = 8;
/// People elsewhere who join by turns.
const OTHERS: usize = 40;
/// How many times somebody elsewhere joins, and how many Rooms are made there, each time that is looked.
const JOINS: usize = 400;
const ROOMS: usize = 20;
/// Between two joins: an invite may be used twice a second.
const PAUSE: Duration = Duration::from_millis(15);
/// How long a role that has nothing to do is looked at.
const IDLE: Duration = Duration::from_secs(15);

pub async fn in_one_namespace(stage: &Stage, number: usize) {
    let (crowd, elsewhere) = (stage.place().await, stage.place().await);
    crowd.apply("call", json!({"participants": [{"name": "ada", "role": "Presenter"}]})).await;
    elsewhere.apply("call", json!({"participants": people(OTHERS)})).await;
    crowd.until_phase("call", Phase::Open).await;
    elsewhere.until_phase("call", Phase::Open).await;
    noticed(stage, &elsewhere, "before").await;
    resident(stage, "before");
    let all_are_made = Cell::new(false);
    let making = async {
        let started = now();
        make(stage, &crowd, number).await;
        all_are_made.set(true);
        now().duration_since(started).as_secs_f64()
    };
    let looking = async {
        while !all_are_made.get() {
            noticed(stage, &elsewhere, "during").await;
        }
    };
    let (seconds, ()) = tokio::join!(making, looking);
    println!("{number} guests in one namespace: made in {seconds:.0} s");
    idle(stage).await;
    noticed(stage, &elsewhere, "after").await;
    resident(stage, "after");
    let ada = crowd.invite("call", "ada").await;
    println!("  a join in the Room of the guests: {}", stage.join(&ada).await.status);
}

async fn make(stage: &Stage, crowd: &Place<'_>, number: usize) {
    let guests = Api::<RoomGuest>::namespaced(stage.admin.clone(), &crowd.namespace);
    let made = (0..number).map(async |number| {
        let guest = json!({
            "apiVersion": "roomkeeper.io/v1alpha1",
            "kind": "RoomGuest",
            "metadata": {"name": format!("guest-{number}")},
            "spec": {"roomName": "call", "displayName": format!("Guest {number}"), "role": "Attendee"},
        });
        let guest = serde_json::from_value(guest).expect("a RoomGuest");
        guests.create(&PostParams::default(), &guest).await.expect("accepted");
    });
    futures::stream::iter(made).buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
}

/// How long joins and new Rooms of another namespace take.
async fn noticed(stage: &Stage, place: &Place<'_>, when: &str) {
    let mut joins = Vec::new();
    let invites: Vec<String> = place.invites("call").await.into_values().collect();
    for invite in invites.iter().cycle().take(JOINS) {
        let started = now();
        let answer = stage.join(invite).await;
        joins.push(now().duration_since(started));
        assert_eq!(answer.status, 200, "{answer:?}");
        sleep(PAUSE).await;
    }
    spread::print(&format!("  joins elsewhere, {when}"), joins, Unit::Micros);
    let mut rooms: Vec<SignedDuration> = Vec::new();
    for number in 0..ROOMS {
        let name = format!("room-{number}");
        let started = now();
        place.apply(&name, json!({"participants": people(10)})).await;
        place.until_phase(&name, Phase::Open).await;
        rooms.push(now().duration_since(started));
        place.delete(&name).await;
    }
    for number in 0..ROOMS {
        place.until_gone(&format!("room-{number}"), crate::PATIENCE).await;
    }
    spread::print(&format!("  new Rooms of 10 elsewhere until Open, {when}"), rooms, Unit::Millis);
}

fn resident(stage: &Stage, when: &str) {
    let of = |bytes| format!("{:.1} MiB", mebibytes(bytes));
    let (controller, gateway) = (stage.controller.process.resident_bytes(), stage.gateway.process.resident_bytes());
    println!("  resident memory {when}: controller {}, gateway {}", of(controller), of(gateway));
}

async fn idle(stage: &Stage) {
    let used = || (stage.controller.process.processor_time(), stage.gateway.process.processor_time());
    let before = used();
    sleep(IDLE).await;
    let after = used();
    let share = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    let (controller, gateway) = (share(before.0, after.0), share(before.1, after.1));
    println!("  idle with all of them, right after: controller {controller:.1} % of a core, gateway {gateway:.1} %");
}
