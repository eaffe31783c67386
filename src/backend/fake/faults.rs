//! Faults that tests give a fake media server. Each ends as the trait of backends allows: in an answer, a [`Failure`], or none at all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::call::Operation;
use crate::domain::Failure;

/// The faults by operation. A later one takes the place of an earlier one.
#[derive(Default)]
pub(super) struct Faults(Mutex<HashMap<Operation, Fault>>);

#[derive(Clone)]
pub(super) enum Fault {
    Fail {
        failure: Failure,
        /// How many calls still fail; `None` means all.
        calls: Option<usize>,
    },
    Hold {
        waiting: Arc<watch::Sender<usize>>,
        /// Closed when the calls are released.
        released: watch::Receiver<()>,
    },
    Meanwhile(Arc<dyn Fn() + Send + Sync>),
}

/// Holds calls of an operation until it is dropped.
pub struct Hold {
    waiting: watch::Receiver<usize>,
    _release: watch::Sender<()>,
}

impl Hold {
    /// Waits until as many calls as this are held, or have been.
    pub async fn reached(&mut self, calls: usize) {
        // The sender ends with the fault, and then there is nothing to wait for.
        let _ = self.waiting.wait_for(|waiting| *waiting >= calls).await;
    }
}

impl Clone for Faults {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().clone()))
    }
}

impl Faults {
    pub(super) fn set(&self, operation: Operation, fault: Fault) {
        self.0.lock().insert(operation, fault);
    }

    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    /// Has the next calls of an operation wait.
    pub(super) fn hold(&self, operation: Operation) -> Hold {
        let (waiting, reached) = watch::channel(0);
        let (release, released) = watch::channel(());
        self.set(operation, Fault::Hold { waiting: Arc::new(waiting), released });
        Hold { waiting: reached, _release: release }
    }

    /// What a call meets that answers at once: it can fail, but not wait.
    pub(super) fn meet_now(&self, operation: Operation) -> Result<(), Failure> {
        match self.next(operation) {
            Some(Fault::Fail { failure, calls: _ }) => return Err(failure),
            Some(Fault::Meanwhile(happens)) => happens(),
            Some(Fault::Hold { .. }) | None => {}
        }
        Ok(())
    }

    /// What a call meets before it does its work.
    pub(super) async fn meet(&self, operation: Operation) -> Result<(), Failure> {
        match self.next(operation) {
            Some(Fault::Fail { failure, calls: _ }) => return Err(failure),
            Some(Fault::Meanwhile(happens)) => happens(),
            Some(Fault::Hold { waiting, mut released }) => {
                waiting.send_modify(|waiting| *waiting += 1);
                while released.changed().await.is_ok() {}
            }
            None => {}
        }
        Ok(())
    }

    /// The fault of this call, which counts as met. It is taken out of the lock, because what happens meanwhile may set another one.
    fn next(&self, operation: Operation) -> Option<Fault> {
        let mut faults = self.0.lock();
        let fault = faults.get_mut(&operation)?.clone();
        if let Some(Fault::Fail { calls: Some(calls), .. }) = faults.get_mut(&operation) {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                faults.remove(&operation);
            }
        }
        Some(fault)
    }
}
