//! What a watch changed, told once the cache shows it.
//!
//! This is by hand, because kube's own `applied_objects` and `predicate_filter` pass on every object of a list as it arrives,
//! while its store shows a list only when all of it is there (`InitDone`). When a watch was cut and lists again (after "410 Gone",
//! say), a controller would look at each changed object too early, find the old state or none, and not be woken again. Nor does
//! kube tell of objects that went away meanwhile, or that were made again under the same name.
//!
//! Here the cache before and after an event is compared. That costs no memory of its own, and whatever happened between two
//! lists, exactly what differs is told.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;

use super::namespaced_name::NamespacedName;
use crate::api::{Identified, Identity};

/// A change that the cache shows.
#[derive(Debug)]
pub enum Change<K> {
    /// The object is new, or one of its facts changed.
    Applied(Arc<K>),
    /// The object is gone; this is the last state that is known of it.
    Deleted(Arc<K>),
}

impl<K> Change<K> {
    /// The object, in its last known state if it is gone.
    #[must_use]
    pub fn object(&self) -> &Arc<K> {
        let (Self::Applied(object) | Self::Deleted(object)) = self;
        object
    }
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Applied(object) => Self::Applied(object.clone()),
            Self::Deleted(object) => Self::Deleted(object.clone()),
        }
    }
}

/// Changes, one by one.
pub type ChangeStream<K> = BoxStream<'static, Change<K>>;

/// What has the last state of the objects of a watch.
pub trait Recall<K>: Send + 'static {
    /// The object of this name.
    fn recall(&self, object: &NamespacedName) -> Option<Arc<K>>;
}

/// Where the objects of a watch are kept.
pub trait Cache<K>: Recall<K> {
    /// Takes in what the watch tells. A list is shown when it is complete.
    fn apply(&mut self, event: Event<K>);
    /// All objects by their names.
    fn by_name(&self) -> HashMap<NamespacedName, Arc<K>>;
}

impl<K> Recall<K> for Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    fn recall(&self, object: &NamespacedName) -> Option<Arc<K>> {
        self.get(&object.into())
    }
}

impl<K> Recall<K> for Writer<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    fn recall(&self, object: &NamespacedName) -> Option<Arc<K>> {
        self.as_reader().recall(object)
    }
}

impl<K> Cache<K> for Writer<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    fn apply(&mut self, event: Event<K>) {
        self.apply_watcher_event(&event);
    }

    fn by_name(&self) -> HashMap<NamespacedName, Arc<K>> {
        self.as_reader().state().into_iter().map(|object| (NamespacedName::of(object.as_ref()), object)).collect()
    }
}

/// Keeps the objects of a watch in a cache and tells what changed there. An object has changed when it is another
/// one (by UID), or when its `facts` differ; with facts that leave the status out, nobody is woken by writing it. One that has become older
/// was restored from a backup, and is told whatever differs.
///
/// Errors of the watch are left out: the watch itself tries again.
pub fn changes<K, F, E>(
    events: impl Stream<Item = Result<Event<K>, E>> + Send + 'static,
    cache: impl Cache<K>,
    facts: fn(&K) -> F,
) -> ChangeStream<K>
where
    K: Identified + Send + Sync + 'static,
    F: PartialEq + 'static,
    E: Send + 'static,
{
    let mut watched = Watched { cache, facts };
    events.flat_map(move |event| stream::iter(event.map_or_else(|_| Vec::new(), |event| watched.apply(event)))).boxed()
}

struct Watched<K, C, F> {
    cache: C,
    facts: fn(&K) -> F,
}

impl<K, C, F> Watched<K, C, F>
where
    K: Identified,
    C: Cache<K>,
    F: PartialEq,
{
    /// Applies an event to the cache; what changed there.
    fn apply(&mut self, event: Event<K>) -> Vec<Change<K>> {
        match event {
            Event::Init | Event::InitApply(_) => {
                self.cache.apply(event);
                Vec::new()
            }
            Event::InitDone => {
                let mut before = self.cache.by_name();
                self.cache.apply(event);
                let after = self.cache.by_name();
                let mut changes: Vec<_> =
                    after.into_iter().flat_map(|(name, object)| self.compare(before.remove(&name), Some(object))).collect();
                changes.extend(before.into_values().map(Change::Deleted));
                changes
            }
            Event::Apply(ref object) | Event::Delete(ref object) => {
                let name = NamespacedName::of(object);
                let before = self.cache.recall(&name);
                self.cache.apply(event);
                self.compare(before, self.cache.recall(&name))
            }
        }
    }

    /// What became of the object of one name.
    fn compare(&self, before: Option<Arc<K>>, after: Option<Arc<K>>) -> Vec<Change<K>> {
        match (before, after) {
            (Some(before), Some(after)) if before.identity().uid != after.identity().uid => {
                vec![Change::Deleted(before), Change::Applied(after)]
            }
            (Some(before), Some(after)) if (self.facts)(&before) == (self.facts)(&after) && !is_older(after.as_ref(), before.as_ref()) => {
                Vec::new()
            }
            (_, Some(after)) => vec![Change::Applied(after)],
            (Some(before), None) => vec![Change::Deleted(before)],
            (None, None) => Vec::new(),
        }
    }
}

/// Whether an object is an older state of another. Resource versions of one resource grow, and are compared as numbers since Kubernetes 1.35 by
/// contract and before in fact. What is no number is not older.
#[must_use]
pub fn is_older(object: &impl Identified, than: &impl Identified) -> bool {
    let version = |identity: Identity<'_>| identity.resource_version.and_then(|version| version.parse::<u128>().ok());
    version(object.identity()).zip(version(than.identity())).is_some_and(|(object, than)| object < than)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::FutureExt;
    use futures::channel::mpsc;
    use k8s_openapi::api::core::v1::Namespace;
    use kube::ResourceExt;
    use kube::runtime::reflector::{self, ObjectRef};

    use super::*;

    /// An object of this name and UID; the label is its one fact.
    fn object(name: &str, uid: &str, label: &str) -> Namespace {
        let labels = BTreeMap::from([("label".to_owned(), label.to_owned())]);
        let metadata = kube::api::ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), labels: Some(labels), ..Default::default() };
        Namespace { metadata, ..Namespace::default() }
    }

    /// The same with something that is no fact.
    fn annotated(mut object: Namespace) -> Namespace {
        object.annotations_mut().insert("noted".into(), "yes".into());
        object
    }

    fn named(object: &Namespace) -> String {
        format!("{} {} {}", object.name_any(), object.uid().unwrap_or_default(), object.labels()["label"])
    }

    struct Watch {
        events: mpsc::UnboundedSender<Result<Event<Namespace>, ()>>,
        changes: ChangeStream<Namespace>,
        store: Store<Namespace>,
    }

    impl Watch {
        fn new() -> Self {
            let (events, receiver) = mpsc::unbounded();
            let (store, writer) = reflector::store();
            let changes = changes(receiver, writer, |object: &Namespace| object.labels().clone());
            Self { events, changes, store }
        }

        /// Sends an event; what is told of it at once. The store must show all of it.
        fn after(&mut self, event: Result<Event<Namespace>, ()>) -> Vec<String> {
            self.events.unbounded_send(event).unwrap();
            let mut told = Vec::new();
            while let Some(Some(change)) = self.changes.next().now_or_never() {
                let shown = self.store.get(&ObjectRef::from_obj(change.object().as_ref()));
                match &change {
                    Change::Applied(object) => assert_eq!(shown.as_ref(), Some(object), "the store shows it"),
                    Change::Deleted(object) => assert_ne!(shown.and_then(|shown| shown.uid()), object.uid(), "the store shows it no more"),
                }
                told.push(match change {
                    Change::Applied(object) => format!("now {}", named(&object)),
                    Change::Deleted(object) => format!("gone {}", named(&object)),
                });
            }
            // A list has no order.
            told.sort();
            told
        }

        /// Lists these objects; nothing may be told before the list is complete.
        fn lists(&mut self, objects: &[Namespace]) -> Vec<String> {
            assert!(self.after(Ok(Event::Init)).is_empty());
            for object in objects {
                assert!(self.after(Ok(Event::InitApply(object.clone()))).is_empty(), "the store does not show it yet");
            }
            self.after(Ok(Event::InitDone))
        }
    }

    #[test]
    fn a_first_list_is_told_when_it_is_complete() {
        let mut watch = Watch::new();
        assert_eq!(watch.lists(&[object("a", "1", "x"), object("b", "2", "x")]), ["now a 1 x", "now b 2 x"]);
    }

    #[test]
    fn a_new_list_tells_exactly_what_changed_since_the_last_one() {
        let mut watch = Watch::new();
        watch.lists(&["kept", "edited", "deleted", "remade", "noted"].map(|name| object(name, "1", "x")));
        let told = watch.lists(&[
            object("kept", "1", "x"),
            object("edited", "1", "y"),
            object("remade", "2", "x"),
            annotated(object("noted", "1", "x")),
            object("created", "1", "x"),
        ]);
        assert_eq!(told, ["gone deleted 1 x", "gone remade 1 x", "now created 1 x", "now edited 1 y", "now remade 2 x"]);
        assert!(watch.store.get(&ObjectRef::new("noted")).is_some_and(|noted| noted.annotations().contains_key("noted")));
        assert!(watch.lists(&["kept", "created"].map(|name| object(name, "1", "x"))).iter().all(|told| told.starts_with("gone")));
    }

    #[test]
    fn a_list_that_breaks_off_tells_nothing_and_the_next_one_tells_all_that_changed() {
        let mut watch = Watch::new();
        watch.lists(&[object("a", "1", "x"), object("b", "1", "x")]);
        for event in [Ok(Event::Init), Ok(Event::InitApply(object("a", "1", "y"))), Err(())] {
            assert!(watch.after(event).is_empty());
        }
        assert_eq!(watch.lists(&[object("a", "1", "y"), object("b", "1", "x")]), ["now a 1 y"]);
    }

    #[test]
    fn between_lists_each_change_of_a_fact_is_told_once() {
        let mut watch = Watch::new();
        watch.lists(&[object("a", "1", "x")]);
        assert_eq!(watch.after(Ok(Event::Apply(object("a", "1", "y")))), ["now a 1 y"]);
        assert!(watch.after(Ok(Event::Apply(object("a", "1", "y")))).is_empty());
        assert!(watch.after(Ok(Event::Apply(annotated(object("a", "1", "y"))))).is_empty());
        assert_eq!(watch.after(Ok(Event::Apply(object("b", "1", "x")))), ["now b 1 x"]);
        assert!(watch.after(Err(())).is_empty());
        assert_eq!(watch.after(Ok(Event::Delete(object("a", "1", "y")))), ["gone a 1 y"]);
        assert!(watch.after(Ok(Event::Delete(object("a", "1", "y")))).is_empty(), "it was told before");
        assert_eq!(watch.after(Ok(Event::Apply(object("a", "2", "y")))), ["now a 2 y"]);
        assert_eq!(watch.after(Ok(Event::Apply(object("a", "3", "y")))), ["gone a 2 y", "now a 3 y"]);
    }

    #[test]
    fn an_object_that_a_new_list_shows_in_an_older_state_is_told_whatever_differs() {
        let version = |version: &str| {
            let mut object = object("a", "1", "x");
            object.metadata.resource_version = Some(version.to_owned());
            object
        };
        let mut watch = Watch::new();
        watch.lists(&[version("10")]);
        assert!(watch.lists(&[version("11")]).is_empty());
        assert_eq!(watch.lists(&[version("9")]), ["now a 1 x"]);
        assert!(watch.lists(&[version("10")]).is_empty());
    }

    #[test]
    fn what_changed_both_in_a_list_and_right_after_it_is_told_both_times() {
        let mut watch = Watch::new();
        watch.lists(&[object("a", "1", "x")]);
        assert_eq!(watch.lists(&[object("a", "1", "y")]), ["now a 1 y"]);
        assert_eq!(watch.after(Ok(Event::Apply(object("a", "1", "x")))), ["now a 1 x"]);
    }
}
