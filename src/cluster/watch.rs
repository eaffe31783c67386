//! Watches that go on when a single object cannot be read.

use std::fmt::Debug;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

/// Longest pause before a watch that broke is tried again: whoever lives from it must soon know again what is true.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The growing pauses of kube, up to [`LONGEST_PAUSE`].
struct Backoff(DefaultBackoff);

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// A watch as stream.
pub type WatchStream<K> = Pin<Box<dyn Stream<Item = Result<Event<K>, watcher::Error>> + Send>>;

/// Watches objects and keeps them in the store of `writer`. Connections that break are made again, with growing pauses. An
/// object that cannot be read is left out with a warning, so that it cannot stop the others.
#[must_use]
pub fn watch<K>(api: Api<DeserializeGuard<K>>, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    watcher(api, watcher::Config::default())
        .backoff(Backoff(DefaultBackoff::default()))
        .filter_map(|event| future::ready(event.map(readable).transpose()))
        // Nobody here reads managed fields, and they are the larger half of a Room in memory.
        .modify(|object: &mut K| object.managed_fields_mut().clear())
        .reflect(writer)
        .inspect(|event| {
            if let Err(error) = event {
                tracing::warn!(kind = %K::kind(&()), %error, "the watch is interrupted");
            }
        })
        .boxed()
}

fn readable<K>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()>,
{
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::Apply(object) => object_of(object).map(Event::Apply),
        Event::InitApply(object) => object_of(object).map(Event::InitApply),
        Event::Delete(object) => object_of(object).map(Event::Delete),
    }
}

fn object_of<K>(object: DeserializeGuard<K>) -> Option<K>
where
    K: Resource<DynamicType = ()>,
{
    object
        .0
        .inspect_err(|invalid| {
            let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
            tracing::warn!(kind = %K::kind(&()), namespace, name, error = %invalid.error, "an object cannot be read and is skipped");
        })
        .ok()
}
