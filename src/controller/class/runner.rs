//! Runs one loop for each RoomClass, so that a media server that does not answer holds up no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::timeout;

use super::look::ClassLook;
use crate::api::RoomClass;
use crate::cluster::OwnSecrets;
use crate::controller::context::Context;

/// How long the first look at a class may take: the Rooms of all others wait for it.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// A class as one object: one that was deleted and made again has a loop of its own, which knows nothing of the one before.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    name: String,
    uid: String,
}

impl Key {
    fn of(class: &RoomClass) -> Self {
        Self { name: class.name_any(), uid: class.uid().unwrap_or_default() }
    }
}

/// The loops of all classes. They end with it.
pub struct ClassRunner {
    loops: HashMap<Key, AbortHandle>,
    tasks: JoinSet<()>,
    secrets: OwnSecrets,
    context: Arc<Context>,
    changed: watch::Receiver<()>,
}

impl ClassRunner {
    /// Looks at every class once, so that the first reconciliations know their media servers, and starts the loops.
    /// `changed` tells that a class, or a Secret of the operator's own namespace, changed.
    pub async fn start(secrets: OwnSecrets, context: Arc<Context>, mut changed: watch::Receiver<()>) -> Self {
        changed.mark_unchanged();
        let first_looks = context.classes.state().into_iter().map(|class| {
            let (secrets, context) = (&secrets, &context);
            async move {
                let mut look = ClassLook::default();
                // Its own loop goes on with one that takes longer.
                let pause = timeout(FIRST_LOOK, look.look(&class, secrets, context)).await;
                (Key::of(&class), look, pause.unwrap_or_default())
            }
        });
        let looked_at = join_all(first_looks).await;
        let mut runner = Self { loops: HashMap::new(), tasks: JoinSet::new(), secrets, context, changed };
        for (key, look, pause) in looked_at {
            runner.spawn(key, look, pause);
        }
        runner
    }

    /// Keeps one loop for each class, until one ends by a fault.
    pub async fn run(mut self) {
        loop {
            self.sync();
            tokio::select! {
                news = self.changed.changed() => if news.is_err() { return },
                Some(ended) = self.tasks.join_next() => match ended {
                    Err(error) if error.is_cancelled() => self.forget(error.id()),
                    _ => return,
                },
            }
        }
    }

    /// Ends the loops of classes that are gone and starts those that are missing. The loop of a class that was made again starts
    /// when that of the one before has ended.
    fn sync(&mut self) {
        let classes: Vec<Key> = self.context.classes.state().iter().map(|class| Key::of(class)).collect();
        for (_, running) in self.loops.iter().filter(|(key, _)| !classes.contains(key)) {
            running.abort();
        }
        for class in classes {
            if !self.loops.keys().any(|key| key.name == class.name) {
                self.spawn(class, ClassLook::default(), Duration::ZERO);
            }
        }
    }

    /// Starts a loop that looks after `pause` and whenever something changed.
    fn spawn(&mut self, key: Key, mut look: ClassLook, mut pause: Duration) {
        let (secrets, context, mut changed) = (self.secrets.clone(), self.context.clone(), self.changed.clone());
        let of_class = key.clone();
        let running = self.tasks.spawn(async move {
            loop {
                let _ = timeout(pause, changed.changed()).await;
                let class = context.classes.state().into_iter().find(|class| Key::of(class) == key);
                pause = match class {
                    Some(class) => {
                        let _looking = context.health.watchdog().begin(format!("a look at the class {}", key.name));
                        look.look(&class, &secrets, &context).await
                    }
                    // This loop is about to be ended.
                    None => Duration::MAX,
                };
            }
        });
        self.loops.insert(of_class, running);
    }

    /// A loop has ended, because its class is gone.
    fn forget(&mut self, task: Id) {
        let Some(key) = self.loops.iter().find(|(_, running)| running.id() == task).map(|(key, _)| key.clone()) else { return };
        self.loops.remove(&key);
        let (context, name) = (&self.context, key.name.as_str());
        context.backends.remove(name);
        context.occupancy.forget(name);
        context.seats.forget(name);
        context.metrics.forget_class(name);
        // Where there is one of the same name again, its first look does this.
        if !context.classes.state().iter().any(|class| class.name_any() == name) {
            context.enqueue_users(name);
        }
    }
}
