//! Names of objects within their namespaces, of which very many are kept.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use kube::runtime::reflector::{Lookup, ObjectRef};

use crate::api::{Identified, Identity, Room};

/// Namespace and name of an object; the namespace of one that is in none is empty. Copies share one text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamespacedName(Arc<str>);

impl NamespacedName {
    /// Of an object of this name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        // Neither of them has a slash in it.
        Self(format!("{namespace}/{name}").into())
    }

    /// Of this object.
    #[must_use]
    pub fn of(object: &impl Identified) -> Self {
        let Identity { namespace, name, .. } = object.identity();
        Self::new(namespace, name)
    }

    /// The namespace of the object.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name of the object.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl<K: Lookup<DynamicType = ()>> From<&NamespacedName> for ObjectRef<K> {
    fn from(name: &NamespacedName) -> Self {
        let reference = Self::new(name.name());
        if name.namespace().is_empty() { reference } else { reference.within(name.namespace()) }
    }
}

impl From<ObjectRef<Room>> for NamespacedName {
    fn from(room: ObjectRef<Room>) -> Self {
        Self::new(room.namespace.as_deref().unwrap_or_default(), &room.name)
    }
}

impl Display for NamespacedName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_both_of_its_parts_back() {
        let mut room = Room::new("standup", crate::api::RoomSpec::default());
        room.metadata.namespace = Some("team-a.example".into());
        let name = NamespacedName::of(&room);
        assert_eq!((name.namespace(), name.name()), ("team-a.example", "standup"));
        assert_eq!(name, NamespacedName::new("team-a.example", "standup"));
        assert_eq!(NamespacedName::from(ObjectRef::from_obj(&room)), name);
        assert_eq!(ObjectRef::from(&name), ObjectRef::from_obj(&room));
        room.metadata.namespace = None;
        assert_eq!(ObjectRef::from(&NamespacedName::of(&room)), ObjectRef::from_obj(&room));
        assert_eq!(name.to_string(), "team-a.example/standup");
    }
}
