//! Reconciles the Rooms that are called: as many at the same time as are called, and of each Room one at a time.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::NamespacedName;

/// Calls `reconcile` for each Room of `called` until `shutdown`, and waits for what is under way then. A Room that is called while it is reconciled is
/// reconciled once more afterwards.
pub async fn work<F>(
    mut called: mpsc::UnboundedReceiver<NamespacedName>,
    reconcile: impl Fn(NamespacedName) -> F,
    shutdown: impl Future<Output = ()>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut shutdown = pin!(shutdown);
    let mut tasks = JoinSet::new();
    // Those that are reconciled, and whether they have to be once more.
    let mut running: HashMap<NamespacedName, bool> = HashMap::new();
    let start = |room: NamespacedName, tasks: &mut JoinSet<_>| {
        let reconciliation = AssertUnwindSafe(reconcile(room.clone())).catch_unwind();
        tasks.spawn(async move {
            if reconciliation.await.is_err() {
                tracing::error!(%room, "a reconciliation was given up because of a fault in Roomkeeper");
            }
            room
        });
    };
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(room) = called.recv() => if let Some(once_more) = running.get_mut(&room) {
                *once_more = true;
            } else {
                running.insert(room.clone(), false);
                start(room, &mut tasks);
            },
            Some(Ok(room)) = tasks.join_next() => if running.remove(&room) == Some(true) {
                running.insert(room.clone(), false);
                start(room, &mut tasks);
            },
        }
    }
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::sync::{Semaphore, oneshot};
    use tokio::time::timeout;

    use super::*;

    /// Longer than everything takes; it is only used up by failures.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Reconciliations that tell that they begin, and end when they may.
    struct Stage {
        call: mpsc::UnboundedSender<NamespacedName>,
        begun: mpsc::UnboundedReceiver<String>,
        may_end: Arc<Semaphore>,
        at_once: Arc<AtomicUsize>,
        stop: Option<oneshot::Sender<()>>,
        worker: tokio::task::JoinHandle<()>,
    }

    impl Stage {
        fn new() -> Self {
            let (call, called) = mpsc::unbounded_channel();
            let (begins, begun) = mpsc::unbounded_channel();
            let (stop, stopped) = oneshot::channel::<()>();
            let (may_end, at_once) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
            let (permits, running) = (may_end.clone(), Arc::new(Mutex::new(HashMap::<NamespacedName, usize>::new())));
            let most = at_once.clone();
            let reconcile = move |room: NamespacedName| {
                let (begins, permits, running, most) = (begins.clone(), permits.clone(), running.clone(), most.clone());
                async move {
                    let now = {
                        let mut running = running.lock();
                        let now = running.entry(room.clone()).or_default();
                        *now += 1;
                        *now
                    };
                    most.fetch_max(now, Ordering::Relaxed);
                    begins.send(room.name().to_owned()).unwrap();
                    permits.acquire().await.unwrap().forget();
                    *running.lock().get_mut(&room).unwrap() -= 1;
                    assert_ne!(room.name(), "faulty", "as a fault would");
                }
            };
            let shutdown = async { drop(stopped.await) };
            let worker = tokio::spawn(work(called, reconcile, shutdown));
            Self { call, begun, may_end, at_once, stop: Some(stop), worker }
        }

        fn call(&self, room: &str) {
            self.call.send(NamespacedName::new("clinic", room)).unwrap();
        }

        async fn begins(&mut self) -> String {
            timeout(PATIENCE, self.begun.recv()).await.expect("a reconciliation begins").unwrap()
        }
    }

    #[tokio::test]
    async fn a_room_that_is_called_while_it_is_reconciled_is_reconciled_once_more_and_never_twice_at_once() {
        let mut stage = Stage::new();
        stage.call("a");
        assert_eq!(stage.begins().await, "a");
        stage.call("a");
        stage.call("a");
        stage.call("b");
        assert_eq!(stage.begins().await, "b", "others are not held up");
        stage.may_end.add_permits(2);
        assert_eq!(stage.begins().await, "a");
        stage.may_end.add_permits(1);
        stage.call("c");
        assert_eq!(stage.begins().await, "c", "a is not reconciled a third time");
        assert_eq!(stage.at_once.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn at_the_end_nothing_is_begun_and_what_is_under_way_is_waited_for() {
        let mut stage = Stage::new();
        stage.call("a");
        assert_eq!(stage.begins().await, "a");
        stage.call("a");
        stage.stop.take().unwrap().send(()).unwrap();
        tokio::task::yield_now().await;
        assert!(!stage.worker.is_finished());
        stage.may_end.add_permits(2);
        stage.worker.await.unwrap();
        assert!(stage.begun.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_reconciliation_that_panics_ends_alone_and_its_room_can_be_called_again() {
        let mut stage = Stage::new();
        stage.may_end.add_permits(10);
        for _ in 0..2 {
            stage.call("faulty");
            assert_eq!(stage.begins().await, "faulty");
        }
        stage.call("a");
        assert_eq!(stage.begins().await, "a");
    }
}
