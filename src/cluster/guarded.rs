//! Objects as they come, of which one that cannot be read does not keep the others of its list from being read.
//!
//! This is by hand, because kube's own guard builds a tree of each object and copies it, which takes several times as long, and as much memory, as
//! reading the object.

use std::borrow::Cow;

use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object, if it can be read.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<K, Invalid>);

/// An object that cannot be read.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// Why.
    pub error: String,
    pub metadata: ObjectMeta,
}

/// What every object has.
#[derive(Deserialize)]
struct Described {
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match serde_json::from_str(text.get()) {
            Ok(object) => Ok(Self(Ok(object))),
            Err(error) => {
                let Described { metadata } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
                Ok(Self(Err(Invalid { error: error.to_string(), metadata })))
            }
        }
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Room;

    fn room(name: &str, role: &str) -> Value {
        let participants = json!([{"name": "ada", "role": role}]);
        json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": {"participants": participants}})
    }

    #[test]
    fn one_that_cannot_be_read_is_known_by_its_metadata_and_the_others_of_the_list_are_read() {
        let list = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomList", "metadata": {"resourceVersion": "7"},
            "items": [room("odd", "Emperor"), room("even", "Presenter")]});
        let list: ObjectList<Guarded<Room>> = serde_json::from_str(&list.to_string()).unwrap();
        let [odd, even] = list.items.as_slice() else { panic!("two") };
        assert_eq!((odd.meta().name.as_deref(), even.meta().name.as_deref()), (Some("odd"), Some("even")));
        let invalid = odd.0.as_ref().unwrap_err();
        assert!(invalid.error.contains("Emperor"), "{}", invalid.error);
        assert!(even.0.is_ok());
    }

    #[test]
    fn events_are_read_as_the_api_server_writes_them() {
        for (role, readable) in [("Presenter", true), ("Emperor", false)] {
            let event = format!(r#"{{"type":"MODIFIED","object":{}}}"#, room("a", role));
            let WatchEvent::Modified(object) = serde_json::from_str::<WatchEvent<Guarded<Room>>>(&event).unwrap() else {
                panic!("{event}")
            };
            assert_eq!((object.0.is_ok(), object.meta().name.as_deref()), (readable, Some("a")));
        }
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(serde_json::from_str::<Guarded<Room>>(r#"{"spec": {"participants": 1}}"#).is_err());
    }
}
