//! What people cost who are connected and say nothing. They have no media, so that LiveKit puts them out after a while.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::sleep;

use crate::sockets::{address_of, enter};
use crate::support::stage::Stage;
use crate::support::{eventually, now};
use crate::{PATIENCE, invited, mebibytes};

/// How many connect at the same time.
const AT_ONCE: usize = 8;
/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(30);

pub async fn connections(stage: &Stage, number: usize) {
    let gateway = &stage.gateway;
    let invites = invited(&stage.place().await, number).await;
    let before = gateway.process.resident_bytes();
    let enter = |(number, invite): (usize, String)| async move {
        let (_, socket) = enter(gateway.port, address_of(number), &invite).await;
        // Answers LiveKit's pings as long as it is polled.
        tokio::spawn(socket.for_each(|_| std::future::ready(()))).abort_handle()
    };
    let started = now();
    let tasks: Vec<_> = futures::stream::iter(invites.into_iter().enumerate()).map(enter).buffer_unordered(AT_ONCE).collect().await;
    println!("{number} joins and connects: {} ms", now().duration_since(started).as_millis());
    let open = eventually(PATIENCE, async || {
        let open = gateway.metric("roomkeeper_proxied_connections").await.unwrap_or_default();
        if open >= 0.9 * f64::from(u32::try_from(number).expect("few")) { Ok(open) } else { Err(format!("{open} connections")) }
    })
    .await;
    let after = gateway.process.resident_bytes();
    println!(
        "{open} idle connections: resident memory {:.1} MiB before, {:.1} MiB with them, {:.1} KiB for each",
        mebibytes(before),
        mebibytes(after),
        (mebibytes(after) - mebibytes(before)) * 1024.0 / open
    );
    let used = gateway.process.processor_time();
    let watched_from = now();
    sleep(WATCHED).await;
    let (used, passed) = (gateway.process.processor_time().saturating_sub(used), now().duration_since(watched_from));
    let still = gateway.metric("roomkeeper_proxied_connections").await;
    println!("  processor time in {:.0} s: {} ms; still open: {still:?}", passed.as_secs_f64(), used.as_millis());
    for task in tasks {
        task.abort();
    }
}
