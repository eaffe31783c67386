//! Many Rooms that open at one moment: how late the last session is made, and the last Room Open.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::arguments::Arguments;
use crate::figures::{print_spread, seconds_since};
use crate::installation::{Installation, Media};
use crate::load::{Sightings, make, people};
use crate::machine::Machine;
use crate::moment::{moment_after_making, until_moment};
use crate::support::cluster::Audit;

pub async fn openings(number: usize, arguments: &Arguments) -> Result<(), String> {
    println!("{number} Rooms of {} that open at one moment", arguments.people);
    let installation = Installation::start(arguments, Audit::Off).await;
    let moment = moment_after_making(number, &installation, arguments).await?;
    {
        let sightings = Sightings::of(installation.rooms(), Phase::Scheduled);
        make(&installation.rooms(), "room", number, &json!({"validFrom": moment, "participants": people(arguments.people)})).await?;
        sightings.until(number).await?;
    }
    let sightings = Sightings::of(installation.rooms(), Phase::Open);
    until_moment(moment).await?;
    let machine = Machine::now();
    let before = installation.usage();
    crate::load::until(number, async || Ok(sightings.since(moment).len())).await?;
    let used = installation.usage() - before;
    machine.undisturbed(arguments.tolerates_disturbance)?;
    if let Media::Stub(server) = &installation.media {
        print_spread("the sessions are made", &seconds_since(moment, &server.made_since(moment)));
    }
    print_spread("the Rooms are Open and Ready", &seconds_since(moment, &sightings.since(moment)));
    used.print();
    Ok(())
}
