//! Rooms as fast as they come: the product and the floor by turns, each on a control plane of its own.

use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::figures::{print, print_beside};
use crate::floor::{self, Sample};
use crate::installation::Installation;
use crate::load::{Sightings, make, people};
use crate::machine::Machine;
use crate::support::cluster::Audit;
use crate::support::helm::set_finalizers;
use crate::support::now;

/// One run.
struct Run {
    rooms_per_second: f64,
    /// Seconds of a processor: of the controller, or of the floor with the creation of its Rooms.
    own: f64,
    api_server: f64,
    etcd: f64,
    /// Of the controller, in MiB.
    resident: f64,
}

pub async fn throughput(number: usize, arguments: &Arguments) -> Result<(), String> {
    println!("{number} Rooms of {} as fast as they come, {} runs by turns", arguments.people, arguments.runs);
    let spec = json!({"participants": people(arguments.people)});
    let sample = Sample::take(&Installation::start(arguments, Audit::Off).await, &spec).await?;
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        for (runs, sample) in [(&mut product, None), (&mut bare, Some(&sample))] {
            // One that was disturbed says so, and is not among the figures.
            match run(sample, number, &spec, arguments).await {
                Ok(run) => runs.push(run),
                Err(reason) => println!("  a run of the {} gives no figure: {reason}", if sample.is_some() { "floor" } else { "product" }),
            }
        }
    }
    if product.is_empty() || bare.is_empty() {
        return Err("no run was good".to_owned());
    }
    let of = |runs: &[Run], figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
    let beside = |name: &str, unit: &str, figure: fn(&Run) -> f64| print_beside(name, unit, &of(&product, figure), &of(&bare, figure));
    beside("created to Ready", "Rooms/s", |run| run.rooms_per_second);
    beside("processor, own", "s", |run| run.own);
    beside("processor, API server", "s", |run| run.api_server);
    beside("processor, etcd", "s", |run| run.etcd);
    print("resident memory of the controller", "MiB", &of(&product, |run| run.resident));
    Ok(())
}

/// One run on a new control plane: of the floor if there is a `sample`, else of the product.
async fn run(sample: Option<&Sample>, number: usize, spec: &Value, arguments: &Arguments) -> Result<Run, String> {
    let mut installation = Installation::new(arguments, Audit::Off).await;
    if sample.is_none() {
        installation.start_controller().await;
        if arguments.finalizer_policy {
            set_finalizers(&installation.cluster, &installation.rooms()).await;
        }
    }
    let machine = Machine::now();
    let (began, before) = (now(), installation.usage());
    // The clocks of both end when a watch shows the last Room Ready.
    let sightings = Sightings::of(installation.rooms(), Phase::Open);
    match sample {
        Some(sample) => floor::write(&installation, sample, number, spec).await?,
        None => make(&installation.rooms(), "room", number, spec).await?,
    }
    sightings.until(number).await?;
    let (took, used) = (now().duration_since(began).as_secs_f64(), installation.usage() - before);
    machine.undisturbed(arguments.tolerates_disturbance)?;
    Ok(Run {
        rooms_per_second: number as f64 / took,
        own: if sample.is_some() { used.benchmark } else { used.controller },
        api_server: used.api_server,
        etcd: used.etcd,
        resident: if sample.is_some() { 0.0 } else { installation.resident() },
    })
}
