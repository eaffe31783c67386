//! A media server that answers some requests and not others.

use std::time::Duration;

use futures::{StreamExt, stream};
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::stage::{Place, Stage, names, session};
use crate::support::{eventually, run_heavy};

/// More calls than a class ends at the same time.
const ON_THE_HANGING: usize = 40;
const ON_THE_HEALTHY: usize = 10;
/// Edits of the test at the same time.
const AT_ONCE: usize = 20;
/// How many calls a class ends at the same time.
const SEATS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);
/// Until all calls have ended on a server that answers again, after pauses that have grown.
const RECOVERED: Duration = Duration::from_mins(2);

#[test]
fn a_media_server_that_answers_no_deletion_and_no_creation_holds_up_neither_ends_nor_openings_of_another_class() {
    run_heavy(async {
        let stage = Stage::start().await;
        let (hanging, healthy) = (Faults::default(), Faults::default());
        let proxies = [FaultProxy::before(&stage.livekit.url(), &hanging).await, FaultProxy::before(&stage.livekit.url(), &healthy).await];
        stage.class_behind("hanging", &stage.livekit, proxies[0].port).await;
        stage.class_behind("healthy", &stage.livekit, proxies[1].port).await;
        let place = stage.place().await;
        let (stuck, well) = (names("hanging", ON_THE_HANGING), names("healthy", ON_THE_HEALTHY));
        open(&place, "hanging", &stuck).await;
        open(&place, "healthy", &well).await;

        hanging.silence(&["/DeleteRoom", "/CreateRoom"]);
        let end = json!({"validUntil": "2026-01-02T00:00:00Z"});
        edit(&place, &stuck, &end).await;
        eventually(PATIENCE, async || match hanging.waiting() {
            waiting if waiting >= SEATS => Ok(()),
            waiting => Err(format!("{waiting} deletions wait for an answer")),
        })
        .await;
        let given_up = hanging.given_up();
        edit(&place, &well, &end).await;
        for name in &well {
            place.until_phase(name, Phase::Expired).await;
        }
        place.apply("healthy-late", json!({"roomClassName": "healthy", "participants": [{"name": "ada"}]})).await;
        place.until_phase("healthy-late", Phase::Open).await;
        assert_eq!(hanging.given_up(), given_up, "all that came before the first of the others was given up: nobody waited for it");

        hanging.silence(&[]);
        eventually(RECOVERED, async || {
            let sessions = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
            if sessions.len() == 1 { Ok(()) } else { Err(format!("{} sessions", sessions.len())) }
        })
        .await;
        let late = place.until_phase("healthy-late", Phase::Open).await;
        assert_eq!(stage.livekit.backend().observe(&session(&late)).await, Ok(Some(Vec::new())), "it is the one that is left");
        for name in &stuck {
            place.until_phase(name, Phase::Expired).await;
        }
    });
}

async fn open(place: &Place<'_>, class: &str, names: &[String]) {
    let spec = json!({"roomClassName": class, "participants": [{"name": "ada"}]});
    stream::iter(names).map(async |name| drop(place.apply(name, spec.clone()).await)).buffer_unordered(AT_ONCE).collect::<()>().await;
    for name in names {
        place.until_phase(name, Phase::Open).await;
    }
}

async fn edit(place: &Place<'_>, names: &[String], spec: &Value) {
    stream::iter(names).map(async |name| drop(place.edit(name, spec.clone()).await)).buffer_unordered(AT_ONCE).collect::<()>().await;
}
