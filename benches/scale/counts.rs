//! What is asked of the API server, by its audit log. It costs the API server time, so that nothing is timed here.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use roomkeeper::api::{ConditionType, Phase, Room};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::installation::Installation;
use crate::load::{Sightings, make, people, until};
use crate::support::audit::{is_of_controller, request};
use crate::support::cluster::Audit;
use crate::support::now;
use crate::support::stage::in_seconds;

/// How many Rooms are followed past their end, and in how many seconds that is: long enough for so many to be Ready before.
const MOST_ENDINGS: usize = 20;
const END_AFTER: i64 = 20;
/// People of the largest Room.
const MOST_PEOPLE: usize = 349;

pub async fn counts(number: usize, arguments: &Arguments) -> Result<(), String> {
    println!("requests of the controller, {number} Rooms of {}", arguments.people);
    let spec = json!({"participants": people(arguments.people)});
    let mut installation = Installation::start(arguments, Audit::On).await;
    let mut log = Log { seen: installation.cluster.audit().len() };
    {
        let sightings = Sightings::of(installation.rooms(), Phase::Open);
        make(&installation.rooms(), "room", number, &spec).await?;
        sightings.until(number).await?;
    }
    installation.until_quiet(now(), 0.0).await?;
    log.print("created to Ready", &installation);
    installation.restart().await?;
    log.print("a restart with all of them open", &installation);
    for turn in ["applied for the first time", "applied again unchanged"] {
        for number in 0..number {
            apply(&installation, &format!("room-{number}"), &spec).await?;
        }
        installation.until_quiet(now(), 0.0).await?;
        log.print(&format!("all of them {turn}"), &installation);
    }
    endings(number.min(MOST_ENDINGS), &installation, &mut log, arguments).await?;
    largest(&installation, &mut log).await
}

/// Rooms from their creation past their end.
async fn endings(number: usize, installation: &Installation, log: &mut Log, arguments: &Arguments) -> Result<(), String> {
    let rooms = installation.rooms();
    let sightings = Sightings::of(rooms.clone(), Phase::Expired);
    let spec = json!({"validUntil": in_seconds(END_AFTER), "participants": people(arguments.people)});
    make(&rooms, "ending", number, &spec).await?;
    sightings.until(number).await?;
    installation.until_quiet(now(), 0.0).await?;
    log.print(&format!("{number} Rooms of {} from creation past their end", arguments.people), installation);
    Ok(())
}

/// Edits of the largest Room.
async fn largest(installation: &Installation, log: &mut Log) -> Result<(), String> {
    let mut list = people(MOST_PEOPLE);
    edit(installation, &list).await?;
    log.print(&format!("a Room of {MOST_PEOPLE}"), installation);
    list.push(json!({"name": "one-more"}));
    edit(installation, &list).await?;
    log.print("one person more in it", installation);
    list[0]["role"] = json!("Presenter");
    edit(installation, &list).await?;
    log.print("one changed role in it", installation);
    list.pop();
    edit(installation, &list).await?;
    log.print("one person less in it", installation);
    Ok(())
}

/// Applies the largest Room with this list, and waits until that is done.
async fn edit(installation: &Installation, list: &[Value]) -> Result<(), String> {
    let wanted = apply(installation, "largest", &json!({"participants": list})).await?.metadata.generation;
    let rooms = installation.rooms();
    until(1, async || {
        let room = rooms.get_status("largest").await.map_err(|error| error.to_string())?;
        let status = room.status.unwrap_or_default();
        Ok(usize::from(status.observed_generation == wanted && status.condition(ConditionType::Ready, true).is_some()))
    })
    .await?;
    // Events follow the status.
    installation.until_quiet(now(), 0.0).await.map(drop)
}

async fn apply(installation: &Installation, name: &str, spec: &Value) -> Result<Room, String> {
    let room = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": spec});
    let params = PatchParams::apply("benchmark").force();
    installation.rooms().patch(name, &params, &Patch::Apply(room)).await.map_err(|error| format!("{name} is refused: {error}"))
}

/// The audit log, as far as it was looked at.
struct Log {
    seen: usize,
}

impl Log {
    /// Prints what the controller has asked for since the last look: nothing of what it does for itself.
    fn print(&mut self, what: &str, installation: &Installation) {
        let events = installation.cluster.audit();
        let mut requests: BTreeMap<String, usize> = BTreeMap::new();
        for event in events.iter().skip(self.seen).filter(|event| is_of_controller(event)) {
            let resource = event["objectRef"]["resource"].as_str().unwrap_or_default();
            if !["leases", "roomclasses"].contains(&resource) && !resource.ends_with("reviews") {
                *requests.entry(request(event)).or_default() += 1;
            }
        }
        self.seen = events.len();
        // Watches are begun anew every so often, whatever happens.
        requests.retain(|request, _| !request.starts_with("watch "));
        let requests: Vec<String> = requests.into_iter().map(|(request, number)| format!("{number} {request}")).collect();
        println!("  {what}: {}", if requests.is_empty() { "nothing".to_owned() } else { requests.join(", ") });
    }
}
