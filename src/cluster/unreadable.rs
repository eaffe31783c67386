//! Objects that are there and cannot be read: with a value that a newer version allows, say, after a return to this one. All that is known
//! of them is their metadata, and that they must not count as gone.

use std::collections::HashMap;
use std::sync::Arc;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::guarded::Guarded;

/// The objects of a kind that cannot be read.
#[derive(Clone, Default)]
pub struct Unreadable {
    objects: Arc<RwLock<HashMap<Name, ObjectMeta>>>,
    changed: Arc<watch::Sender<()>>,
}

/// Namespace and name.
type Name = (String, String);

impl Unreadable {
    /// The metadata of all of them.
    #[must_use]
    pub fn all(&self) -> Vec<ObjectMeta> {
        self.objects.read().values().cloned().collect()
    }

    /// Changes when one of them comes, goes, or changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Reads the events of one watch.
    pub(super) fn reader(&self) -> Reader {
        Reader { unreadable: self.clone(), listing: HashMap::new(), mine: Vec::new() }
    }
}

/// Reads the events of one watch, and takes note of what cannot be read.
pub(super) struct Reader {
    unreadable: Unreadable,
    /// What a list that is under way has brought.
    listing: HashMap<Name, ObjectMeta>,
    /// Which of all come from this watch.
    mine: Vec<Name>,
}

impl Reader {
    /// The event with the object in it, if that can be read. Of one that is gone the metadata are enough.
    pub fn read<K>(&mut self, event: Event<Guarded<K>>) -> Option<Event<K>>
    where
        K: Resource<DynamicType = ()> + Default,
    {
        match event {
            Event::Init => {
                self.listing.clear();
                Some(Event::Init)
            }
            Event::InitApply(object) => match object.0 {
                Ok(object) => Some(Event::InitApply(object)),
                Err(invalid) => {
                    warn::<K>(&invalid.metadata, &invalid.error);
                    self.listing.insert(name(&invalid.metadata), invalid.metadata);
                    None
                }
            },
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listing);
                self.replace(listed);
                Some(Event::InitDone)
            }
            Event::Apply(object) => match object.0 {
                Ok(object) => {
                    self.forget(object.meta());
                    Some(Event::Apply(object))
                }
                Err(invalid) => {
                    warn::<K>(&invalid.metadata, &invalid.error);
                    self.keep(invalid.metadata);
                    None
                }
            },
            Event::Delete(object) => {
                let object = object.0.unwrap_or_else(|invalid| {
                    let mut object = K::default();
                    *object.meta_mut() = invalid.metadata;
                    object
                });
                self.forget(object.meta());
                Some(Event::Delete(object))
            }
        }
    }

    fn keep(&mut self, metadata: ObjectMeta) {
        let name = name(&metadata);
        self.mine.push(name.clone());
        self.unreadable.objects.write().insert(name, metadata);
        self.unreadable.changed.send_replace(());
    }

    fn forget(&mut self, metadata: &ObjectMeta) {
        let name = name(metadata);
        if self.unreadable.objects.write().remove(&name).is_some() {
            self.mine.retain(|known| *known != name);
            self.unreadable.changed.send_replace(());
        }
    }

    /// This watch has no others than these.
    fn replace(&mut self, listed: HashMap<Name, ObjectMeta>) {
        let names = listed.keys().cloned().collect();
        let before = std::mem::replace(&mut self.mine, names);
        let mut objects = self.unreadable.objects.write();
        objects.retain(|name, _| !before.contains(name));
        objects.extend(listed);
        drop(objects);
        self.unreadable.changed.send_replace(());
    }
}

fn name(metadata: &ObjectMeta) -> Name {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

fn warn<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta, error: &str) {
    let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    tracing::warn!(kind = %K::kind(&()), namespace, name, error, "an object cannot be read and is skipped");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::api::Room;

    /// A Room as it comes, which cannot be read when it has a role that does not exist.
    fn object(name: &str, role: &str) -> Guarded<Room> {
        let spec = json!({"participants": [{"name": "ada", "role": role}]});
        let room = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"namespace": "team", "name": name, "uid": name}, "spec": spec});
        serde_json::from_value(room).unwrap()
    }

    fn uids(unreadable: &Unreadable) -> Vec<String> {
        let mut uids: Vec<String> = unreadable.all().into_iter().filter_map(|metadata| metadata.uid).collect();
        uids.sort();
        uids
    }

    #[rstest]
    #[case::readable_again(Event::Apply(object("odd", "Presenter")), true)]
    #[case::gone(Event::Delete(object("odd", "Emperor")), true)]
    #[case::changed(Event::Apply(object("odd", "King")), false)]
    fn an_object_that_cannot_be_read_is_known_until_it_can_or_is_gone(#[case] next: Event<Guarded<Room>>, #[case] ends: bool) {
        let unreadable = Unreadable::default();
        let mut reader = unreadable.reader();
        assert!(reader.read(Event::Apply(object("odd", "Emperor"))).is_none());
        assert!(reader.read(Event::Apply(object("even", "Presenter"))).is_some());
        assert_eq!(uids(&unreadable), ["odd"]);
        assert_eq!(reader.read(next).is_some(), ends, "of what is gone everybody learns");
        assert_eq!(uids(&unreadable).is_empty(), ends);
    }

    #[test]
    fn a_list_replaces_what_its_own_watch_brought_and_nothing_of_another() {
        let unreadable = Unreadable::default();
        let (mut one, mut other) = (unreadable.reader(), unreadable.reader());
        assert!(one.read(Event::Apply(object("gone-meanwhile", "Emperor"))).is_none());
        assert!(other.read(Event::Apply(object("of-another", "Emperor"))).is_none());
        for event in [Event::Init, Event::InitApply(object("odd", "Emperor")), Event::InitApply(object("even", "Presenter"))] {
            one.read(event);
        }
        assert_eq!(uids(&unreadable), ["gone-meanwhile", "of-another"], "a list counts when it is complete");
        one.read::<Room>(Event::InitDone);
        assert_eq!(uids(&unreadable), ["odd", "of-another"]);
    }
}
