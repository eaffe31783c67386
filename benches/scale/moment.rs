//! A moment at which something happens to many Rooms at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use roomkeeper::api::Phase;
use serde_json::json;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::installation::Installation;
use crate::load::{Sightings, make, people};
use crate::support::now;

/// Rooms that are made first, to learn how long the others will take.
pub const TRIED: usize = 50;
/// How much longer the others may take for each, and at least.
const MARGIN: f64 = 1.5;
const LEAST: f64 = 10.0;

/// A moment by which so many Rooms can have been made, as this controller makes them. Whole seconds, as in a manifest.
pub async fn moment_after_making(number: usize, installation: &Installation, arguments: &Arguments) -> Result<Timestamp, String> {
    let began = now();
    {
        let sightings = Sightings::of(installation.rooms(), Phase::Open);
        make(&installation.rooms(), "tried", TRIED, &json!({"participants": people(arguments.people)})).await?;
        sightings.until(TRIED).await?;
    }
    let each = now().duration_since(began).as_secs_f64() / TRIED as f64;
    let seconds = (each * number as f64 * MARGIN + LEAST).ceil();
    Ok(Timestamp::from_second((now() + SignedDuration::from_secs_f64(seconds)).as_second()).expect("a moment of these days"))
}

/// Waits for a moment, if it is still to come.
pub async fn until_moment(moment: Timestamp) -> Result<(), String> {
    let left = Duration::try_from(now().duration_until(moment)).map_err(|_| "the Rooms could not be made before their moment")?;
    sleep(left).await;
    Ok(())
}
