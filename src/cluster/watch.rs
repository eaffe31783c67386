//! Watches that go on when a single object cannot be read, of the whole cluster or of some namespaces.

use std::fmt::Debug;
use std::future;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::changes::{ChangeStream, Recall, changes};
use super::guarded::Guarded;
use super::merge::merge;
use super::other_classes::OtherClasses;
use super::scope::Scope;
use super::shard::Shard;
use super::unreadable::Unreadable;
use super::watch_ages::WATCH_LASTS;
use crate::api::{Identified, RoomClass};

/// Longest pause before a watch that broke is tried again: whoever lives from it must soon know again what is true.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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

/// Objects of one answer to a list: a page is in memory as a whole, and what it took of it is not given back.
const PAGE: u32 = 100;

/// How all watches are asked for.
pub(super) fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE).timeout(u32::try_from(WATCH_LASTS.as_secs()).unwrap_or(u32::MAX))
}

/// A watch as stream.
pub type WatchStream<K> = BoxStream<'static, Result<Event<K>, watcher::Error>>;

/// Watches the Namespaces that matter for `scope`, one by one where they are named: an account that may see those needs no
/// right to see the others.
#[must_use]
pub fn watch_namespace_changes<F: PartialEq + 'static>(
    client: &Client,
    scope: &Scope,
    writer: Writer<Namespace>,
    facts: fn(&Namespace) -> F,
) -> ChangeStream<Namespace> {
    let events = match scope {
        Scope::Everywhere => events(Api::all(client.clone()), config(), &Unreadable::default()),
        Scope::Namespaces(names) => {
            let one = |name| events(Api::all(client.clone()), config().fields(&format!("metadata.name={name}")), &Unreadable::default());
            merge(names.iter().map(one).collect(), writer.as_reader()).boxed()
        }
    };
    changes(events, writer, facts)
}

/// Watches the RoomClasses that `controller` is to look after. Of those of others only the names are kept, in `others`.
#[must_use]
pub fn watch_classes(client: &Client, controller: &str, others: OtherClasses, writer: Writer<RoomClass>) -> WatchStream<RoomClass> {
    kept(class_events(client, controller, others), writer)
}

/// The same; tells what changed in the store, see [`changes`].
#[must_use]
pub fn watch_class_changes<F: PartialEq + 'static>(
    client: &Client,
    controller: &str,
    others: OtherClasses,
    writer: Writer<RoomClass>,
    facts: fn(&RoomClass) -> F,
) -> ChangeStream<RoomClass> {
    changes(class_events(client, controller, others), writer, facts)
}

/// Watches the objects with these fields, and keeps them in the store of `writer`.
#[must_use]
pub fn watch<K>(api: Api<Guarded<K>>, fields: &str, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + Default + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    kept(events(api, config().fields(fields), &Unreadable::default()), writer)
}

/// What a watch of a namespaced kind tells of a shard.
pub(super) fn scope_events<K>(client: &Client, scope: &Scope, store: Store<K>, shard: Shard) -> WatchStream<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Default + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    in_scope(client, scope, store, |api| of_shard(shard, events(api, config(), &Unreadable::default()), |_| ()))
}

/// What the watches of all parts of a scope tell, each of which `one` makes. They are of objects of the kind `K`, which are kept as `C`.
pub(super) fn in_scope<K, C>(
    client: &Client,
    scope: &Scope,
    cache: impl Recall<C>,
    one: impl Fn(Api<Guarded<K>>) -> WatchStream<C>,
) -> WatchStream<C>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    C: Identified + Clone + Send + Sync + 'static,
{
    let mut watches: Vec<_> = scope.apis(client).into_iter().map(one).collect();
    match watches.pop() {
        Some(only) if watches.is_empty() => only,
        last => {
            watches.extend(last);
            merge(watches, cache).boxed()
        }
    }
}

/// The events of a watch without the objects of other shards. Of these `leave` is told, and of the beginning and the end of lists.
pub(super) fn of_shard<K>(shard: Shard, events: WatchStream<K>, mut leave: impl FnMut(&Event<K>) + Send + 'static) -> WatchStream<K>
where
    K: Resource + Send + 'static,
{
    if shard == Shard::WHOLE {
        return events;
    }
    let mut is_kept = move |event: &Event<K>| {
        let is_ours = match event {
            Event::Init | Event::InitDone => None,
            Event::InitApply(object) | Event::Apply(object) | Event::Delete(object) => {
                Some(shard.has(object.meta().namespace.as_deref().unwrap_or_default()))
            }
        };
        if is_ours != Some(true) {
            leave(event);
        }
        is_ours != Some(false)
    };
    events.filter(move |event| future::ready(event.as_ref().map_or(true, &mut is_kept))).boxed()
}

fn class_events(client: &Client, controller: &str, others: OtherClasses) -> WatchStream<RoomClass> {
    let controller = controller.to_owned();
    let all = events::<RoomClass>(Api::all(client.clone()), config(), &Unreadable::default());
    let ours = all.filter(move |event| {
        let is_ours = event.as_ref().map_or(true, |event| others.take(event, |class| class.controller() == controller));
        future::ready(is_ours)
    });
    ours.boxed()
}

/// Connections that break are made again, with growing pauses. An object that cannot be read is left out with a warning, so
/// that it cannot stop the others, and kept in mind.
pub(super) fn events<K>(api: Api<Guarded<K>>, config: watcher::Config, unreadable: &Unreadable) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + Default + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let mut reader = unreadable.reader();
    listing_anew(api, config)
        .backoff(Backoff(DefaultBackoff::default()))
        .filter_map(move |event| future::ready(event.map(|event| reader.read(event)).transpose()))
        .modify(keep_what_is_read)
        .inspect(|event| {
            if let Err(error) = event {
                tracing::warn!(kind = %K::kind(&()), %error, "the watch is interrupted");
            }
        })
        .boxed()
}

/// A watch that lists anew whenever it was interrupted. What it knows may never have been: an API server that comes back may have been
/// restored from a backup, and what is older there than the watch is nothing that it would ever tell.
fn listing_anew<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let begin = move || watcher(api.clone(), config.clone()).boxed();
    stream::unfold((begin(), begin), async |(mut watch, begin)| {
        let event = watch.next().await?;
        if event.is_err() {
            watch = begin();
        }
        Some((event, (watch, begin)))
    })
}

/// What kubectl repeats of an object that it has applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes off what nobody here reads, and is the larger half of an object in memory.
pub fn keep_what_is_read<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// The same events, once the store of `writer` shows them.
pub(super) fn kept<K>(events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static, writer: Writer<K>) -> WatchStream<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    events.reflect(writer).boxed()
}
