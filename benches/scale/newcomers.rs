//! Rooms that come while a controller starts that has many others to look at.

use std::time::Duration;

use kube::api::PostParams;
use roomkeeper::api::Phase;
use serde_json::Value;
use tokio::time::interval;

use crate::arguments::Arguments;
use crate::figures::print_spread;
use crate::installation::Installation;
use crate::load::{Sightings, room, until};
use crate::machine::Machine;
use crate::support::now;

/// How many come, and the pause between two of them.
const NEWCOMERS: usize = 20;
const EVERY: Duration = Duration::from_millis(200);

/// How long Rooms take that come while the controller starts.
pub async fn newcomers(installation: &mut Installation, spec: &Value, arguments: &Arguments) -> Result<(), String> {
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
    until(NEWCOMERS, async || Ok(created.iter().filter(|(name, _)| sightings.moment(name).is_some()).count())).await?;
    machine.undisturbed(arguments.tolerates_disturbance)?;
    let seen = created.iter().filter_map(|(name, answered)| Some(sightings.moment(name)?.duration_since(*answered).as_secs_f64()));
    print_spread(&format!("{NEWCOMERS} Rooms that come during another restart, created to Ready"), &seen.collect::<Vec<_>>());
    Ok(())
}
