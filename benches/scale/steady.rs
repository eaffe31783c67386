//! A steady load: how long a Room takes from the answer to its creation to the sight of Ready.

use std::time::Duration;

use futures::{StreamExt, stream};
use kube::api::PostParams;
use roomkeeper::api::Phase;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::arguments::Arguments;
use crate::figures::{percentile, print_spread};
use crate::floor::{self, Sample};
use crate::installation::Installation;
use crate::load::{Sightings, people, room};
use crate::machine::Machine;
use crate::plot::Plot;
use crate::support::cluster::Audit;
use crate::support::now;

/// Parts of what the floor can do.
const LOADS: [f64; 4] = [0.25, 0.5, 0.75, 0.9];

pub async fn steady(number: usize, arguments: &Arguments) -> Result<(), String> {
    let spec = json!({"participants": people(arguments.people)});
    let sample = Sample::take(&Installation::start(arguments, Audit::Off).await, &spec).await?;
    let rate = rate_of_floor(&sample, number, &spec, arguments).await?;
    println!("{number} Rooms of {} at each steady load; the floor makes {rate:.1} Rooms/s", arguments.people);
    let (mut median, mut p99) = (Vec::new(), Vec::new());
    for load in LOADS {
        let installation = Installation::start(arguments, Audit::Off).await;
        let machine = Machine::now();
        let took = at(&installation, rate * load, number, &spec).await?;
        machine.undisturbed(arguments.tolerates_disturbance)?;
        print_spread(&format!("at {:.1} Rooms/s, {load} of the floor", rate * load), &took);
        median.push((rate * load, percentile(&took, 0.5) * 1000.0));
        p99.push((rate * load, percentile(&took, 0.99) * 1000.0));
    }
    let plot = Plot {
        title: format!("A steady load of Rooms of {}: created to Ready", arguments.people),
        across: "Rooms per second",
        up: "milliseconds",
        lines: vec![("median", median), ("p99", p99)],
    };
    plot.draw("latency", arguments)
}

/// Rooms a second that the floor makes of as many.
async fn rate_of_floor(sample: &Sample, number: usize, spec: &Value, arguments: &Arguments) -> Result<f64, String> {
    let installation = Installation::new(arguments, Audit::Off).await;
    let machine = Machine::now();
    let began = now();
    floor::write(&installation, sample, number, spec).await?;
    let took = now().duration_since(began).as_secs_f64();
    machine.undisturbed(arguments.tolerates_disturbance)?;
    Ok(number as f64 / took)
}

/// Makes Rooms at this rate, however long each takes; the seconds that each took.
async fn at(installation: &Installation, rate: f64, number: usize, spec: &Value) -> Result<Vec<f64>, String> {
    let rooms = installation.rooms();
    let sightings = Sightings::of(rooms.clone(), Phase::Open);
    let ticks = stream::unfold(interval(Duration::from_secs_f64(1.0 / rate)), async |mut ticks| {
        ticks.tick().await;
        Some(((), ticks))
    });
    let due = ticks.take(number).enumerate().map(|(number, ())| format!("room-{number}"));
    let create = async |name: String| (rooms.create(&PostParams::default(), &room(&name, spec)).await, name, now());
    let created: Vec<_> = due.map(create).buffer_unordered(number).collect().await;
    sightings.until(number).await?;
    let took = created.into_iter().map(|(answer, name, answered)| {
        answer.map_err(|error| format!("a Room could not be made: {error}"))?;
        let seen = sightings.moment(&name).ok_or_else(|| format!("{name} was not seen"))?;
        Ok(seen.duration_since(answered).as_secs_f64().max(0.0))
    });
    took.collect()
}
