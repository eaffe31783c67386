//! Many Rooms that end at one moment: how late the last session is closed, and the last invite withdrawn.

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::api::ListParams;
use roomkeeper::api::{Phase, Role};
use roomkeeper::backend::Backend;
use roomkeeper::domain::TokenGrant;
use serde_json::json;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::figures::{percentile, print_spread, seconds_since};
use crate::installation::{Installation, Media};
use crate::load::{Sightings, make, people, until};
use crate::machine::Machine;
use crate::moment::{TRIED, moment_after_making, until_moment};
use crate::plot::Plot;
use crate::support::cluster::Audit;
use crate::support::livekit::Client;
use crate::support::stage::session;
use crate::support::{now, window};

/// Sessions that the floor closes at the same time: as many as the product.
const CLOSED_AT_ONCE: usize = 32;
/// Rooms in which somebody is when they end, where there is a real media server.
const PEOPLED: usize = 50;
/// People who join at the same time.
const JOINING_AT_ONCE: usize = 8;

pub async fn ends(sizes: &[usize], arguments: &Arguments) -> Result<(), String> {
    let (mut middle, mut last) = (Vec::new(), Vec::new());
    for number in sizes {
        println!("{number} Rooms of {} that end at one moment", arguments.people);
        let (median, latest) = end(*number, arguments).await?;
        middle.push((*number as f64, median));
        last.push((*number as f64, latest));
    }
    let plot = Plot {
        title: format!("Rooms of {} that end at one moment: until their sessions are closed", arguments.people),
        across: "Rooms",
        up: "seconds",
        lines: vec![("median", middle), ("last", last)],
    };
    plot.draw("ends", arguments)
}

/// The median and the last lag, in seconds.
async fn end(number: usize, arguments: &Arguments) -> Result<(f64, f64), String> {
    let installation = Installation::start(arguments, Audit::Off).await;
    let moment = moment_after_making(number, &installation, arguments).await?;
    let others = installation.media.living().await?;
    {
        let sightings = Sightings::of(installation.rooms(), Phase::Open);
        make(&installation.rooms(), "room", number, &json!({"validUntil": moment, "participants": people(arguments.people)})).await?;
        sightings.until(others + number).await?;
    }
    let clients = join_some(number.min(PEOPLED), &installation, moment).await?;
    until_moment(moment).await?;
    let machine = Machine::now();
    let before = installation.usage();
    let left = join_all(clients.iter().map(async |client| {
        client.event("disconnected").await;
        now()
    }));
    let (lags, left) = tokio::join!(lags(&installation.media, moment, number, others), left);
    let lags = lags?;
    until_withdrawn(number * arguments.people, (number + TRIED) * arguments.people, &installation).await?;
    let (withdrawn, used) = (now().duration_since(moment).as_secs_f64(), installation.usage() - before);
    machine.undisturbed(arguments.tolerates_disturbance)?;
    print_spread("the sessions are closed", &lags);
    if !left.is_empty() {
        print_spread(&format!("the people in {} of them are out", left.len()), &seconds_since(moment, &left));
    }
    println!("  the last invite is withdrawn after {withdrawn:.1} s");
    used.print();
    print_bare(number, &installation.media).await?;
    Ok((percentile(&lags, 0.5), percentile(&lags, 1.0)))
}

/// Has somebody join each of the first `number` Rooms. Nobody does where the media server only answers.
async fn join_some(number: usize, installation: &Installation, until: Timestamp) -> Result<Vec<Client>, String> {
    let Media::Real(server) = &installation.media else { return Ok(Vec::new()) };
    let (rooms, backend) = (installation.rooms(), server.backend());
    let join = async |number: usize| {
        let room = rooms.get(&format!("room-{number}")).await.map_err(|error| error.to_string())?;
        let grant = TokenGrant {
            identity: "person-0".to_owned(),
            display_name: String::new(),
            role: Role::Attendee,
            generation: 0,
            signed_by: None,
            not_before: now(),
            expires_at: until,
        };
        let credentials = backend.mint_token(&session(&room), &grant).await.map_err(|failure| failure.to_string())?;
        Client::join(&credentials, &[]).await.map_err(|failure| format!("nobody can join: {failure}"))
    };
    stream::iter(0..number).map(join).buffer_unordered(JOINING_AT_ONCE).try_collect().await
}

/// Waits until so many sessions are closed; how many seconds after the moment each was.
async fn lags(media: &Media, moment: Timestamp, number: usize, others: usize) -> Result<Vec<f64>, String> {
    match media {
        Media::Stub(server) => {
            until(number, async || Ok(server.closed_since(moment).len())).await?;
            Ok(seconds_since(moment, &server.closed_since(moment)))
        }
        Media::Real(_) => {
            let closed = parking_lot::Mutex::new(Vec::new());
            until(number, async || {
                // Each look costs the server as much as some deletions.
                sleep(Duration::from_millis(100)).await;
                let gone = (others + number).saturating_sub(media.living().await?);
                let mut closed = closed.lock();
                let number = gone.max(closed.len());
                closed.resize(number, now());
                Ok(number)
            })
            .await?;
            Ok(seconds_since(moment, &closed.into_inner()))
        }
    }
}

/// Waits until so many Secrets are gone, of `all`.
async fn until_withdrawn(number: usize, all: usize, installation: &Installation) -> Result<(), String> {
    let (secrets, first) = (installation.secrets(), ListParams::default().limit(1));
    until(number, async || {
        // Each look costs the API server some of what is measured.
        sleep(Duration::from_millis(250)).await;
        let page = secrets.list_metadata(&first).await.map_err(|error| error.to_string())?;
        let others = page.metadata.remaining_item_count.and_then(|others| usize::try_from(others).ok()).unwrap_or_default();
        Ok(all.saturating_sub(page.items.len() + others))
    })
    .await
}

/// What the media server needs for as many deletions by a bare client.
async fn print_bare(number: usize, media: &Media) -> Result<(), String> {
    let backend = media.backend();
    let names: Vec<String> = (0..number).map(|number| format!("bare-{number}")).collect();
    let told = |failure: roomkeeper::domain::Failure| failure.to_string();
    let made = stream::iter(&names).map(|name| backend.ensure(name, window().into())).buffer_unordered(CLOSED_AT_ONCE);
    made.try_collect::<()>().await.map_err(told)?;
    let began = now();
    let closed = stream::iter(&names).map(|name| backend.close(name)).buffer_unordered(CLOSED_AT_ONCE);
    closed.try_collect::<()>().await.map_err(told)?;
    println!("  the media server closes as many for a bare client in {:.2} s", now().duration_since(began).as_secs_f64());
    Ok(())
}
