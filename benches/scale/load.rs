//! Rooms that are made many at a time, and the moments at which they are as wanted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use parking_lot::Mutex;
use roomkeeper::api::{ConditionType, Phase, Room};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::now;

/// Rooms that are made at the same time, by the clients of the product and of the floor alike.
pub const CREATED_AT_ONCE: usize = 16;
/// How long nothing may happen while something is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

pub fn people(number: usize) -> Vec<Value> {
    (0..number).map(|number| json!({"name": format!("person-{number}")})).collect()
}

/// A Room as it is sent.
pub fn room(name: &str, spec: &Value) -> Room {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).expect("a Room")
}

/// Makes `number` Rooms as fast as they come: `<prefix>-0`, `<prefix>-1` and so on.
pub async fn make(api: &Api<Room>, prefix: &str, number: usize, spec: &Value) -> Result<(), String> {
    let create = async |number: usize| api.create(&PostParams::default(), &room(&format!("{prefix}-{number}"), spec)).await.map(drop);
    let mut created = stream::iter(0..number).map(create).buffer_unordered(CREATED_AT_ONCE);
    while let Some(answer) = created.next().await {
        answer.map_err(|error| format!("a Room could not be made: {error}"))?;
    }
    Ok(())
}

/// Whether a Room is Ready and in this phase.
pub fn is_ready_in(room: &Room, phase: Phase) -> bool {
    room.status.as_ref().is_some_and(|status| status.phase == phase && status.condition(ConditionType::Ready, true).is_some())
}

/// When a watch has first shown each Room in a phase, Ready.
pub struct Sightings {
    seen: Arc<Mutex<HashMap<String, Timestamp>>>,
    watching: JoinHandle<()>,
}

impl Sightings {
    pub fn of(api: Api<Room>, phase: Phase) -> Self {
        let seen: Arc<Mutex<HashMap<String, Timestamp>>> = Arc::default();
        let shown = seen.clone();
        let watching = tokio::spawn(async move {
            let mut events = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
            while let Some(event) = events.next().await {
                if let Ok(room) = event
                    && is_ready_in(&room, phase)
                {
                    shown.lock().entry(room.name_any()).or_insert_with(now);
                }
            }
        });
        Self { seen, watching }
    }

    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        self.seen.lock().get(name).copied()
    }

    /// All moments since `from`.
    pub fn since(&self, from: Timestamp) -> Vec<Timestamp> {
        self.seen.lock().values().copied().filter(|moment| *moment >= from).collect()
    }

    /// Waits until so many were seen.
    pub async fn until(&self, number: usize) -> Result<(), String> {
        let count = || self.seen.lock().len();
        until(number, async || Ok(count())).await
    }
}

impl Drop for Sightings {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Waits until there are so many, for as long as they become more.
pub async fn until(number: usize, count: impl AsyncFn() -> Result<usize, String>) -> Result<(), String> {
    /// Between two looks: far less than what is measured, and seldom enough to cost nothing.
    const LOOK: Duration = Duration::from_millis(10);
    let mut last = (0, now());
    loop {
        let there = count().await?;
        if there >= number {
            return Ok(());
        }
        if there > last.0 {
            last = (there, now());
        }
        if now().duration_since(last.1).unsigned_abs() > PATIENCE {
            return Err(format!("{there} of {number} were seen, and no more within {PATIENCE:?}"));
        }
        sleep(LOOK).await;
    }
}
