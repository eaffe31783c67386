//! Rooms with which nothing happens: what the controller holds, what it uses, and how it starts with them.
//!
//! They are seeded with the status that the product itself gave to one of them, so that there is nothing to do for any. Secrets they have
//! none: the controller reads none.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use kube::api::{ObjectMeta, PostParams};
use roomkeeper::api::{FINALIZER, Phase, Room, RoomStatus, invite_secret_name};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::floor;
use crate::installation::{Installation, Start};
use crate::load::{CREATED_AT_ONCE, Sightings, make, people, room};
use crate::machine::{Machine, own_seconds};
use crate::newcomers::newcomers;
use crate::plot::Plot;
use crate::requests::Requests;
use crate::support::cluster::Audit;
use crate::support::now;
use crate::support::stage::in_seconds;

/// What the invites of all seeded Rooms are bound to: bound to their UIDs, each would have a digest of its own.
const ID: &str = "seeded-by-the-benchmark";

pub async fn idle(sizes: &[usize], arguments: &Arguments) -> Result<(), String> {
    let mut resident = Vec::new();
    for number in sizes {
        println!("{number} Scheduled Rooms of {} with which nothing happens", arguments.people);
        let mut installation = Installation::start(arguments, Audit::Off).await;
        seed(&mut installation, *number, arguments).await?;
        let before = Requests::of(&installation).await?;
        let start = restart("a start with all of them", &mut installation, arguments).await?;
        let idle = idleness("after it", &installation, arguments).await?;
        let written = Requests::of(&installation).await?.since(&before).writes();
        if written > 0 {
            return Err(format!("the controller has written {written} times, so that this was no idleness"));
        }
        println!("{start}\n{idle}\n  writes: none");
        resident.push((*number as f64, installation.resident()));
        newcomers(&mut installation, &json!({"participants": people(arguments.people)}), arguments).await?;
    }
    let plot = Plot {
        title: format!("Scheduled Rooms of {} with which nothing happens: resident memory of the controller", arguments.people),
        across: "Rooms",
        up: "MiB",
        lines: vec![("resident", resident)],
    };
    plot.draw("memory", arguments)
}

/// Makes Rooms that are as the controller leaves them, which is stopped then.
async fn seed(installation: &mut Installation, number: usize, arguments: &Arguments) -> Result<(), String> {
    let spec = json!({"id": ID, "validFrom": in_seconds(100 * 86_400), "duration": "1h", "participants": people(arguments.people)});
    let rooms = installation.rooms();
    let sightings = Sightings::of(rooms.clone(), Phase::Scheduled);
    make(&rooms, "prototype", 1, &spec).await?;
    sightings.until(1).await?;
    drop(sightings);
    installation.stop_controller();
    let prototype = rooms.get("prototype-0").await.map_err(|error| error.to_string())?;
    let status = prototype.status.ok_or("the prototype has no status")?;
    let one = async |number: usize| write(installation, &format!("room-{number}"), &spec, &status).await;
    stream::iter(1..number).map(one).buffer_unordered(CREATED_AT_ONCE).try_collect().await
}

async fn write(installation: &Installation, name: &str, spec: &Value, status: &RoomStatus) -> Result<(), String> {
    let rooms = installation.rooms();
    let told = |error: kube::Error| format!("a Room could not be seeded: {error}");
    let mut room: Room = room(name, spec);
    room.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let made = rooms.create(&PostParams::default(), &room).await.map_err(told)?;
    let mut status = status.clone();
    for entry in &mut status.participants {
        entry.secret_name = invite_secret_name(&made.name_any(), &entry.name);
    }
    let ObjectMeta { name: _, namespace, resource_version, uid, .. } = made.metadata;
    let metadata = ObjectMeta { name: Some(name.to_owned()), namespace, resource_version, uid, ..ObjectMeta::default() };
    let update = Room { metadata, status: Some(status), ..Room::default() };
    rooms.replace_status(name, &PostParams::default(), &update).await.map(drop).map_err(told)
}

/// What a controller uses with which nothing happens.
pub async fn idleness(when: &str, installation: &Installation, arguments: &Arguments) -> Result<String, String> {
    let machine = Machine::now();
    let (began, before) = (now(), installation.usage());
    sleep(Duration::from_secs(arguments.idle_seconds)).await;
    let (took, used) = (now().duration_since(began).as_secs_f64(), installation.usage() - before);
    machine.undisturbed(arguments.tolerates_disturbance)?;
    let a_minute = used.controller / took * 60.0;
    Ok(format!("  idle {when}: {:.0} MiB resident, {a_minute:.2} s of a processor a minute", installation.resident()))
}

/// Starts the controller anew, and lists the Rooms by a bare client, which is the floor of it.
pub async fn restart(what: &str, installation: &mut Installation, arguments: &Arguments) -> Result<String, String> {
    let machine = Machine::now();
    let start = installation.restart().await?;
    machine.undisturbed(arguments.tolerates_disturbance)?;
    let (began, before) = (now(), own_seconds());
    let number = floor::list(installation.admin.clone()).await?;
    let (took, used) = (now().duration_since(began).as_secs_f64(), own_seconds() - before);
    let Start { ready, quiet, used: own, resident } = start;
    Ok(format!(
        "  {what}: ready after {ready:.1} s, quiet after {quiet:.1} s, {own:.1} s of a processor, {resident:.0} MiB resident\n  \
         a bare list of {number} Rooms: {took:.1} s, {used:.1} s of a processor"
    ))
}
