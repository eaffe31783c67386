//! Watches that go on when a single object cannot be read, of the whole cluster or of some namespaces.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::merge::merge;
use super::other_classes::OtherClasses;
use crate::api::RoomClass;

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

/// Where a role looks for Rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the whole cluster.
    Everywhere,
    /// In these namespaces.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// These namespaces, or the whole cluster if none is named.
    #[must_use]
    pub fn new(namespaces: Vec<String>) -> Self {
        if namespaces.is_empty() { Self::Everywhere } else { Self::Namespaces(namespaces.into_iter().collect()) }
    }

    /// The APIs that together give the objects of a namespaced kind.
    #[must_use]
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Everywhere => vec![Api::all(client.clone())],
            Self::Namespaces(names) => names.iter().map(|name| Api::namespaced(client.clone(), name)).collect(),
        }
    }
}

/// Watches the objects of a namespaced kind and keeps them in a store.
#[must_use]
pub fn watch_scope<K>(client: &Client, scope: &Scope, store: Store<K>, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let mut watches: Vec<_> = scope.apis(client).into_iter().map(|api| events(api, watcher::Config::default())).collect();
    match watches.pop() {
        Some(only) if watches.is_empty() => kept(only, writer),
        last => {
            watches.extend(last);
            kept(merge(watches, store), writer)
        }
    }
}

/// Watches the Namespaces that matter for `scope`, one by one where they are named: an account that may see those needs no
/// right to see the others.
#[must_use]
pub fn watch_namespaces(client: &Client, scope: &Scope, store: Store<Namespace>, writer: Writer<Namespace>) -> WatchStream<Namespace> {
    let Scope::Namespaces(names) = scope else {
        return watch(Api::all(client.clone()), writer);
    };
    let one = |name| events(Api::all(client.clone()), watcher::Config::default().fields(&format!("metadata.name={name}")));
    kept(merge(names.iter().map(one).collect(), store), writer)
}

/// Watches the RoomClasses that `controller` is to look after. Of those of others only the names are kept, in `others`.
#[must_use]
pub fn watch_classes(client: &Client, controller: &str, others: OtherClasses, writer: Writer<RoomClass>) -> WatchStream<RoomClass> {
    let controller = controller.to_owned();
    let ours = events::<RoomClass>(Api::all(client.clone()), watcher::Config::default()).filter(move |event| {
        let is_ours = event.as_ref().map_or(true, |event| others.take(event, |class| class.controller() == controller));
        future::ready(is_ours)
    });
    kept(ours, writer)
}

/// Watches objects and keeps them in the store of `writer`.
#[must_use]
pub fn watch<K>(api: Api<DeserializeGuard<K>>, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    kept(events(api, watcher::Config::default()), writer)
}

/// Connections that break are made again, with growing pauses. An object that cannot be read is left out with a warning, so
/// that it cannot stop the others.
fn events<K>(api: Api<DeserializeGuard<K>>, config: watcher::Config) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    watcher(api, config)
        .backoff(Backoff(DefaultBackoff::default()))
        .filter_map(|event| future::ready(event.map(readable).transpose()))
        // Nobody here reads managed fields, and they are the larger half of a Room in memory.
        .modify(|object: &mut K| object.managed_fields_mut().clear())
        .boxed()
}

fn kept<K>(events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    events
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
