//! Several watches as one: what a store and its followers see of a list of namespaces is what they would see of the whole
//! cluster, one first list and then changes.

use std::collections::{HashMap, HashSet};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kube::runtime::watcher::{self, Event};

use super::changes::Recall;
use super::namespaced_name::NamespacedName;
use crate::api::Identified;

/// Merges watches of different namespaces. `cache` is where the result is kept: what a watch finds missing when it lists again
/// is told as deleted, with the last state that the cache has of it.
pub fn merge<K>(
    watches: Vec<BoxStream<'static, Result<Event<K>, watcher::Error>>>,
    cache: impl Recall<K>,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Identified + Clone + Send + Sync + 'static,
{
    let recall = move |object: &NamespacedName| cache.recall(object).map(|object| object.as_ref().clone());
    let mut merge = Merge::new(watches.len(), recall);
    let numbered = watches.into_iter().enumerate().map(|(number, watch)| watch.map(move |event| (number, event)).boxed());
    stream::select_all(numbered).flat_map(move |(number, event)| {
        let told = match event {
            Ok(event) => merge.take(number, event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(told)
    })
}

/// What was told of the parts so far.
struct Merge<K, R> {
    parts: Vec<Part>,
    /// What is there, until every part has its first list; told as a whole then.
    first: Option<HashMap<NamespacedName, K>>,
    recall: R,
}

struct Part {
    known: HashSet<NamespacedName>,
    /// What a list that is under way has brought.
    listing: Option<HashSet<NamespacedName>>,
    listed: bool,
}

impl<K, R> Merge<K, R>
where
    K: Identified,
    R: Fn(&NamespacedName) -> Option<K>,
{
    fn new(parts: usize, recall: R) -> Self {
        let part = || Part { known: HashSet::new(), listing: None, listed: false };
        Self { parts: std::iter::repeat_with(part).take(parts).collect(), first: Some(HashMap::new()), recall }
    }

    /// What is to be told of an event of one part.
    fn take(&mut self, number: usize, event: Event<K>) -> Vec<Event<K>> {
        let Some(part) = self.parts.get_mut(number) else { return Vec::new() };
        match event {
            Event::Init => {
                part.listing = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                part.listing.get_or_insert_default().insert(NamespacedName::of(&object));
                self.there(object)
            }
            Event::Apply(object) => {
                part.known.insert(NamespacedName::of(&object));
                self.there(object)
            }
            Event::Delete(object) => {
                let reference = NamespacedName::of(&object);
                part.known.remove(&reference);
                match &mut self.first {
                    Some(first) => {
                        first.remove(&reference);
                        Vec::new()
                    }
                    None => vec![Event::Delete(object)],
                }
            }
            Event::InitDone => {
                let listed = part.listing.take().unwrap_or_default();
                let before = std::mem::replace(&mut part.known, listed);
                part.listed = true;
                let missing: Vec<_> = before.difference(&part.known).cloned().collect();
                self.listed(&missing)
            }
        }
    }

    fn there(&mut self, object: K) -> Vec<Event<K>> {
        match &mut self.first {
            Some(first) => {
                first.insert(NamespacedName::of(&object), object);
                Vec::new()
            }
            None => vec![Event::Apply(object)],
        }
    }

    /// A part has listed; `missing` was there before.
    fn listed(&mut self, missing: &[NamespacedName]) -> Vec<Event<K>> {
        let Some(first) = &mut self.first else {
            return missing.iter().filter_map(&self.recall).map(Event::Delete).collect();
        };
        for object in missing {
            first.remove(object);
        }
        if !self.parts.iter().all(|part| part.listed) {
            return Vec::new();
        }
        let all = self.first.take().unwrap_or_default().into_values().map(Event::InitApply);
        [Event::Init].into_iter().chain(all).chain([Event::InitDone]).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::ResourceExt;

    use super::*;

    fn named(name: &str) -> Namespace {
        Namespace { metadata: kube::api::ObjectMeta { name: Some(name.into()), ..Default::default() }, ..Namespace::default() }
    }

    fn told(events: Vec<Event<Namespace>>) -> Vec<String> {
        let mut told: Vec<_> = events
            .into_iter()
            .map(|event| match event {
                Event::Init => "init".to_owned(),
                Event::InitApply(object) => format!("has {}", object.name_any()),
                Event::InitDone => "listed".to_owned(),
                Event::Apply(object) => format!("now {}", object.name_any()),
                Event::Delete(object) => format!("gone {}", object.name_any()),
            })
            .collect();
        let last = told.len().saturating_sub(1);
        if told.first().is_some_and(|first| first == "init") {
            // A map has no order.
            told[1..last].sort();
        }
        told
    }

    fn two() -> Merge<Namespace, impl Fn(&NamespacedName) -> Option<Namespace>> {
        Merge::new(2, |object: &NamespacedName| Some(named(object.name())))
    }

    #[test]
    fn nothing_is_told_before_every_part_has_listed_and_then_all_of_it_as_one_list() {
        let mut merge = two();
        for event in [Event::Init, Event::InitApply(named("a")), Event::InitApply(named("b")), Event::InitDone] {
            assert_eq!(told(merge.take(0, event)), Vec::<String>::new());
        }
        assert!(merge.take(0, Event::Delete(named("b"))).is_empty());
        assert!(merge.take(0, Event::Apply(named("c"))).is_empty());
        assert!(merge.take(1, Event::Init).is_empty());
        assert!(merge.take(1, Event::InitApply(named("d"))).is_empty());
        assert_eq!(told(merge.take(1, Event::InitDone)), ["init", "has a", "has c", "has d", "listed"]);
        assert_eq!(told(merge.take(0, Event::Apply(named("e")))), ["now e"]);
        assert_eq!(told(merge.take(1, Event::Delete(named("d")))), ["gone d"]);
    }

    #[test]
    fn a_part_that_lists_anew_tells_what_is_missing_as_gone_and_does_not_touch_the_others() {
        let mut merge = two();
        for number in [0, 1] {
            merge.take(number, Event::Init);
            merge.take(number, Event::InitApply(named(&format!("kept-{number}"))));
            merge.take(number, Event::InitApply(named(&format!("lost-{number}"))));
            merge.take(number, Event::InitDone);
        }
        assert!(merge.take(0, Event::Init).is_empty());
        assert_eq!(told(merge.take(0, Event::InitApply(named("kept-0")))), ["now kept-0"]);
        assert_eq!(told(merge.take(0, Event::InitDone)), ["gone lost-0"]);
    }

    #[test]
    fn a_part_that_lists_anew_while_others_have_not_yet_leaves_nothing_stale_behind() {
        let mut merge = two();
        for name in ["first", "second"] {
            merge.take(0, Event::Init);
            merge.take(0, Event::InitApply(named(name)));
            assert!(merge.take(0, Event::InitDone).is_empty());
        }
        merge.take(1, Event::Init);
        assert_eq!(told(merge.take(1, Event::InitDone)), ["init", "has second", "listed"]);
    }
}
