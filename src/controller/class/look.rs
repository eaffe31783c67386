//! One look at a class: its backend, the backend's health, its sessions, and what its Rooms and its status must know of that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::task::JoinSet;

use super::left::follow;
use super::media::{look_at_media, media_state};
use super::report::report;
use super::sweep::{SWEEP_EVERY, hold_on_to_used, list, sweep};
use crate::api::{Reason, RoomClass};
use crate::backend::Backend;
use crate::clock;
use crate::cluster::{BackendConfig, OwnSecrets};
use crate::controller::context::Context;
use crate::controller::facts::{ClassFacts, class_facts};
use crate::domain::{Failure, MediaReach};

/// Pause between two looks at one that does not: its Rooms go on soon after it is back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often a media server that works is asked whether it is still set up safely.
const PROBE_EVERY: Duration = Duration::from_hours(1);
/// How often the sessions that are used are held on to: in a cluster of media servers one that died is noticed by that.
const HOLD_EVERY: Duration = Duration::from_secs(30);
/// How often counts in status are brought up to date.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// What is known of a class from the look before.
#[derive(Default)]
pub struct ClassLook {
    facts: Option<ClassFacts>,
    backend: Option<(BackendConfig, Arc<dyn Backend>)>,
    health: Option<Result<(), Failure>>,
    // By a clock that nobody can set.
    probe_at: Option<Duration>,
    count_at: Option<Duration>,
    hold_at: Option<Duration>,
    suspects: BTreeSet<String>,
    reach: MediaReach,
    /// What follows the media servers that the class has left. It ends with this.
    left: JoinSet<()>,
}

impl ClassLook {
    /// Looks at a class; the pause before the next look.
    pub async fn look(&mut self, class: &RoomClass, secrets: &OwnSecrets, context: &Arc<Context>) -> Duration {
        let now = clock::now();
        let name = class.name_any();
        let config = BackendConfig::of(class, secrets);
        let keeps_backend = self.backend.as_ref().is_some_and(|(made_from, _)| config.as_ref() == Ok(made_from));
        if keeps_backend {
            // Changed limits need not wait for a media server that may not answer. With another backend the Rooms have to wait for
            // it, so that none makes its session on the one that the class has left.
            self.tell_rooms(class, false, context);
        }
        let uptime = clock::uptime();
        let counts = self.count_at.is_none_or(|at| uptime >= at);
        let health = self.check(&name, config, counts, context, uptime).await;
        context.backends.set(&name, health.clone().and_then(|()| self.backend()));
        let healed = health.is_ok() && !matches!(self.health, Some(Ok(())));
        self.tell_rooms(class, healed, context);
        if counts {
            self.count_at = Some(uptime + COUNT_EVERY);
        }
        let media = media_state(&self.reach, class, context, uptime);
        report(class, &health, media, counts, context, now).await;
        let pause = if health.is_ok() { SWEEP_EVERY } else { LOOK_AGAIN };
        self.health = Some(health);
        pause
    }

    /// Enqueues the Rooms of the class when it `healed`, or when something changed that they are judged by.
    fn tell_rooms(&mut self, class: &RoomClass, healed: bool, context: &Context) {
        let facts = Some(class_facts(class));
        if healed || self.facts != facts {
            context.enqueue_users(&class.name_any());
            self.facts = facts;
        }
    }

    /// Makes the backend if its config changed, probes it if that is due, and sweeps it.
    async fn check(
        &mut self,
        name: &str,
        config: Result<BackendConfig, Failure>,
        counts: bool,
        context: &Arc<Context>,
        uptime: Duration,
    ) -> Result<(), Failure> {
        self.make_backend(name, config?, context)?;
        let backend = self.backend()?;
        if !matches!(self.health, Some(Ok(()))) || self.probe_at.is_none_or(|at| uptime >= at) {
            backend.probe().await?;
            self.probe_at = Some(uptime + PROBE_EVERY);
        }
        let suspects = std::mem::take(&mut self.suspects);
        let sessions = list(backend.as_ref()).await?;
        if self.hold_at.is_none_or(|at| uptime >= at) {
            hold_on_to_used(name, backend.as_ref(), &sessions, context).await;
            self.hold_at = Some(uptime + HOLD_EVERY);
        }
        // Short calls are missed by rare looks.
        if counts || !self.reach.is_seen() {
            self.reach.saw(look_at_media(backend.as_ref(), &sessions).await, uptime);
        }
        // The media server may have taken seconds.
        let now = clock::now();
        self.suspects = sweep(name, backend.as_ref(), &sessions, &suspects, counts, context, now).await;
        Ok(())
    }

    fn make_backend(&mut self, name: &str, config: BackendConfig, context: &Arc<Context>) -> Result<(), Failure> {
        if self.backend.as_ref().is_some_and(|(made_from, _)| *made_from == config) {
            return Ok(());
        }
        while self.left.try_join_next().is_some() {}
        if let Some((_, backend)) = self.backend.take().filter(|(made_from, _)| made_from.is_elsewhere(&config)) {
            self.left.spawn(follow(name.to_owned(), backend, context.clone()));
        }
        self.probe_at = None;
        self.reach = MediaReach::default();
        let backend = context.factory.build(&config)?;
        self.backend = Some((config, backend));
        Ok(())
    }

    fn backend(&self) -> Result<Arc<dyn Backend>, Failure> {
        let backend = self.backend.as_ref().map(|(_, backend)| backend.clone());
        backend.ok_or_else(|| Failure::misconfigured(Reason::Misconfigured, "the class has no backend"))
    }
}
