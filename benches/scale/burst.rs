//! A burst of Rooms, what the controller holds then, and its restart with all of them open, alone and while more come.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::arguments::Arguments;
use crate::idle::{idleness, restart};
use crate::installation::Installation;
use crate::load::{Sightings, make, people};
use crate::machine::Machine;
use crate::newcomers::newcomers;
use crate::support::cluster::Audit;
use crate::support::now;

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
