//! Looks after the RoomClasses: makes their backends, keeps an eye on their health, and sweeps their sessions.
//!
//! Each class has a loop of its own, so that a media server that does not answer holds up no other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::sweep::sweep;
use crate::api::{ConditionType, MANAGER, Reason, Room, RoomClass, RoomClassStatus};
use crate::backend::{Backend, Capabilities};
use crate::clock;
use crate::cluster::{BackendConfig, OwnSecrets};
use crate::controller::context::Context;
use crate::controller::request::timed;
use crate::controller::watches::{ClassFacts, class_facts};
use crate::domain::{Failure, condition};

/// Pause between two looks at a media server that works.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Pause between two looks at one that does not: its Rooms go on soon after it is back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often a media server that works is asked whether it is still set up safely.
const PROBE_EVERY: Duration = Duration::from_hours(1);
/// How often counts in status are brought up to date.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// One class, as it was at the last look.
#[derive(Default)]
pub struct ClassWatch {
    facts: Option<ClassFacts>,
    made: Option<(BackendConfig, Arc<dyn Backend>)>,
    health: Option<Result<(), Failure>>,
    probe_at: Option<Timestamp>,
    count_at: Option<Timestamp>,
    suspects: BTreeSet<String>,
}

impl ClassWatch {
    /// Looks at a class; the pause before the next look, or `None` when the class is gone.
    pub async fn look(&mut self, name: &str, secrets: &OwnSecrets, context: &Context) -> Option<Duration> {
        let Some(class) = context.classes.get(&ObjectRef::new(name)) else {
            context.backends.remove(name);
            context.occupancy.remove(name);
            context.metrics.forget_class(name);
            context.enqueue(|room| uses(room, name));
            return None;
        };
        let now = clock::now();
        let count = self.count_at.is_none_or(|at| now >= at);
        let health = self.check(&class, secrets, context, count, now).await;
        let healed = matches!(self.health, Some(Err(_)) | None) && health.is_ok();
        context.backends.set(name, health.clone().and_then(|()| self.backend()));
        let facts = Some(class_facts(&class));
        if healed || self.facts != facts {
            context.enqueue(|room| uses(room, name));
            self.facts = facts;
        }
        self.report(&class, &health, context, count, now).await;
        let pause = if health.is_ok() { LOOK_EVERY } else { LOOK_AGAIN };
        self.health = Some(health);
        Some(pause)
    }

    fn backend(&self) -> Result<Arc<dyn Backend>, Failure> {
        let made = self.made.as_ref().map(|(_, backend)| backend.clone());
        made.ok_or_else(|| Failure::misconfigured(Reason::Misconfigured, "the class has no backend"))
    }

    /// Makes the backend if its config changed, probes it if that is due, and sweeps it.
    async fn check(
        &mut self,
        class: &RoomClass,
        secrets: &OwnSecrets,
        context: &Context,
        count: bool,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let config = BackendConfig::of(class, secrets)?;
        let remade = self.made.as_ref().is_none_or(|(made_from, _)| *made_from != config);
        if remade {
            self.made = None;
            let backend = config.make(&context.metrics)?;
            self.made = Some((config, backend));
            self.probe_at = None;
        }
        let backend = self.backend()?;
        if !matches!(self.health, Some(Ok(()))) || self.probe_at.is_none_or(|at| now >= at) {
            backend.probe().await?;
            self.probe_at = now.checked_add(PROBE_EVERY).ok();
        }
        let suspects = std::mem::take(&mut self.suspects);
        self.suspects = sweep(&class.name_any(), backend.as_ref(), suspects, count, context).await?;
        Ok(())
    }

    /// Writes the class's status if it changed.
    async fn report(&mut self, class: &RoomClass, health: &Result<(), Failure>, context: &Context, count: bool, now: Timestamp) {
        let name = class.name_any();
        let before = class.status.clone().unwrap_or_default();
        let rooms = if count {
            self.count_at = now.checked_add(COUNT_EVERY).ok();
            let rooms = context.rooms.state().iter().filter(|room| uses(room, &name)).count();
            i32::try_from(rooms).ok()
        } else {
            before.rooms
        };
        let capabilities = self.made.as_ref().map_or_else(Vec::new, |(_, backend)| names(backend.capabilities()));
        let verdict = match health {
            Ok(()) => (true, Reason::Reconciled, "The media server can be used".to_owned()),
            Err(failure) => (false, failure.reason, failure.message.clone()),
        };
        let stalled = health.as_ref().err().filter(|failure| failure.needs_change()).map(|_| (true, verdict.1, verdict.2.clone()));
        let conditions = [(ConditionType::Ready, Some(verdict)), (ConditionType::Stalled, stalled)];
        let conditions = conditions.into_iter().filter_map(|(kind, verdict)| {
            verdict.map(|verdict| condition(&before.conditions, kind, verdict, class.metadata.generation, now))
        });
        let after =
            RoomClassStatus { observed_generation: class.metadata.generation, capabilities, rooms, conditions: conditions.collect() };
        if class.status.as_ref() == Some(&after) {
            return;
        }
        if let Err(error) = write(class, after, context).await {
            tracing::info!(class = name, %error, "the status of a class could not be written; it is tried again");
        }
    }
}

/// Whether a Room lives on a class, or may be waiting for it.
fn uses(room: &Room, class: &str) -> bool {
    room.class_name().is_none_or(|name| name == class)
}

fn names(capabilities: Capabilities) -> Vec<String> {
    let Capabilities { live_roles, live_removal, typed_sources } = capabilities;
    let all = [(live_roles, "LiveRoles"), (live_removal, "LiveRemoval"), (typed_sources, "TypedSources")];
    all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned()).collect()
}

async fn write(class: &RoomClass, status: RoomClassStatus, context: &Context) -> Result<RoomClass, kube::Error> {
    let ObjectMeta { name, resource_version, uid, .. } = class.metadata.clone();
    let path = name.clone().unwrap_or_default();
    let metadata = ObjectMeta { name, resource_version, uid, ..ObjectMeta::default() };
    let update = RoomClass { metadata, status: Some(status), spec: class.spec.clone() };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    timed(Api::all(context.client.clone()).replace_status(&path, &params, &update)).await
}

/// The loops of all classes. They end with it.
#[derive(Default)]
pub struct ClassLoops {
    names: BTreeSet<String>,
    loops: JoinSet<()>,
}

impl ClassLoops {
    /// Starts a loop for each class that has none. A loop looks at once when `changed` does, and waits when its class is
    /// gone, because a class of the same name may come back.
    pub fn start(
        &mut self,
        watches: impl IntoIterator<Item = (String, ClassWatch)>,
        secrets: &OwnSecrets,
        context: &Arc<Context>,
        changed: &watch::Receiver<()>,
    ) {
        for (name, mut watch) in watches {
            let (secrets, context, mut changed) = (secrets.clone(), context.clone(), changed.clone());
            if !self.names.insert(name.clone()) {
                continue;
            }
            self.loops.spawn(async move {
                loop {
                    let looking = context.metrics.watchdog().begin(format!("a look at the class {name}"));
                    let pause = watch.look(&name, &secrets, &context).await.unwrap_or(Duration::MAX);
                    drop(looking);
                    let _ = tokio::time::timeout(pause, changed.changed()).await;
                }
            });
        }
    }

    /// Waits until a loop has ended, which none does but by a fault; for ever while there is none.
    pub async fn ended(&mut self) {
        if self.loops.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
