//! Joins that come at a steady rate, whoever still waits, against the one thing that a join cannot do without: a signature.

use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use roomkeeper::api::Role;
use roomkeeper::backend::Backend;
use roomkeeper::domain::TokenGrant;
use tokio::time::interval;

use crate::sockets::{address_of, post_join};
use crate::spread::{self, Unit};
use crate::support::now;
use crate::support::stage::Stage;
use crate::{invited, mebibytes};

/// How long joins come.
const SECONDS: usize = 10;
/// How many people join: each a few times, as often as one invite allows.
const PEOPLE: usize = 2800;
/// How many tokens are signed for comparison.
const SIGNED: usize = 2000;

pub async fn joins(stage: &Stage, per_second: usize) {
    let invites = invited(&stage.place().await, PEOPLE).await;
    let gateway = &stage.gateway;
    let (used, memory) = (gateway.process.processor_time(), gateway.process.resident_bytes());
    let pause = Duration::from_secs(1) / u32::try_from(per_second).expect("a rate");
    // Ticks that were missed come at once.
    let mut ticks = interval(pause);
    let begins = now();
    let mut sent = Vec::new();
    for number in 0..per_second * SECONDS {
        ticks.tick().await;
        let invite = invites[number % PEOPLE].clone();
        let at = begins + pause * u32::try_from(number).expect("few");
        let port = gateway.port;
        sent.push(tokio::spawn(async move {
            let status = post_join(port, address_of(number), &invite, "").await.status;
            // From when it was to be sent, so that one that had to wait for the others is not counted as quick.
            (status, now().duration_since(at))
        }));
    }
    let answers: Vec<_> = join_all(sent).await.into_iter().map(|sent| sent.expect("no panic")).collect();
    let refused = answers.iter().filter(|(status, _)| *status != 200).count();
    let used = gateway.process.processor_time().saturating_sub(used);
    let took = answers.into_iter().map(|(_, took)| took).collect();
    spread::print(&format!("{per_second} joins a second for {SECONDS} s, {refused} refused"), took, Unit::Micros);
    println!(
        "  processor of the gateway: {:.0} µs for each; resident memory {:.1} MiB before, {:.1} MiB after",
        used.as_secs_f64() * 1e6 / f64::from(u32::try_from(per_second * SECONDS).expect("few")),
        mebibytes(memory),
        mebibytes(gateway.process.resident_bytes())
    );
    signatures(stage).await;
}

/// What it takes to sign the tokens alone.
async fn signatures(stage: &Stage) {
    let backend = stage.livekit.backend();
    let grant = TokenGrant {
        identity: "person-1".to_owned(),
        display_name: "person-1".to_owned(),
        role: Role::Attendee,
        generation: 0,
        signed_by: None,
        not_before: now(),
        expires_at: now() + SignedDuration::from_mins(5),
    };
    let mut took = Vec::new();
    for _ in 0..SIGNED {
        let started = now();
        backend.mint_token("call", &grant).await.expect("a token");
        took.push(now().duration_since(started));
    }
    spread::print("  a signature alone", took, Unit::Micros);
}
