//! A burst of Rooms, what the controller holds then, and its restart with all of them open, alone and while more come.

use std::time::Duration;

use kube::api::PostParams;
use roomkeeper::api::Phase;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::arguments::Arguments;
use crate::figures::print_spread;
use crate::idle::{idleness, restart};
use crate::installation::Installation;
use crate::load::{Sightings, make, people, room};
use crate::machine::Machine;
use crate::support::cluster::Audit;
use crate::support::now;

/// Rooms that come during a restart, and the pause between two of them.
const NEWCOMERS: usize = 20;
const EVERY: Duration = Duration::from_millis(200);

pub async fn burst(number: usize, arguments: &Arguments) -> Result<(), String> {
    println!("{number} Rooms of {} in a burst", arguments.people);
    let spec = json!({"participants": people(arguments.people)});
    let mut installation = Installation::start(arguments, Audit::Off).await;
    let machine = Machine::now();
    let (began, before) = (now(), installation.usage());
    {
        let sightings = Sightings::of(installation.rooms(), Phase::Open);
        make(&installation.rooms(), "room", number, &spec).await?;
        sightings.until(number).await?;
    }
    let (took, used) = (now().duration_since(began).as_secs_f64(), installation.usage() - before);
    machine.undisturbed(arguments.tolerates_disturbance)?;
    println!("  all are Ready after {took:.1} s: {:.1} Rooms/s", number as f64 / took);
    used.print();
    println!("  resident memory of the controller: {:.0} MiB", installation.resident());
    // What is left to do, Events above all, is not idleness.
    installation.until_quiet(began, 0.0).await?;
    println!("{}", idleness("with all of them open", &installation, arguments).await?);
    println!("{}", restart("a restart with all of them open", &mut installation, arguments).await?);
    println!("{}", idleness("after it", &installation, arguments).await?);
    newcomers(&mut installation, &spec, arguments).await
}

/// How long Rooms take that come while the controller starts.
async fn newcomers(installation: &mut Installation, spec: &Value, arguments: &Arguments) -> Result<(), String> {
    installation.stop_controller();
    let machine = Machine::now();
    let rooms = installation.rooms();
    let sightings = Sightings::of(rooms.clone(), Phase::Open);
    let coming = async {
        let mut created = Vec::new();
        let mut ticks = interval(EVERY);
        for number in 0..NEWCOMERS {
            ticks.tick().await;
            let name = format!("newcomer-{number}");
            let answer = rooms.create(&PostParams::default(), &room(&name, spec)).await;
            answer.map_err(|error| format!("a Room could not be made: {error}"))?;
            created.push((name, now()));
        }
        Ok::<_, String>(created)
    };
    let ((), created) = tokio::join!(installation.start_controller(), coming);
    let created = created?;
    crate::load::until(NEWCOMERS, async || Ok(created.iter().filter(|(name, _)| sightings.moment(name).is_some()).count())).await?;
    machine.undisturbed(arguments.tolerates_disturbance)?;
    let seen = created.iter().filter_map(|(name, answered)| Some(sightings.moment(name)?.duration_since(*answered).as_secs_f64()));
    print_spread(&format!("{NEWCOMERS} Rooms that come during another restart, created to Ready"), &seen.collect::<Vec<_>>());
    Ok(())
}
