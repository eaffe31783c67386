//! What objects are told apart by.

use kube::Resource;

/// What an object is told apart by from others, and from itself at other times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Empty where there is none.
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: Option<&'a str>,
    pub resource_version: Option<&'a str>,
}

/// An object of the API server, or as much of it as somebody keeps.
pub trait Identified {
    /// Its identity.
    fn identity(&self) -> Identity<'_>;
}

impl<K: Resource> Identified for K {
    fn identity(&self) -> Identity<'_> {
        let metadata = self.meta();
        Identity {
            namespace: metadata.namespace.as_deref().unwrap_or_default(),
            name: metadata.name.as_deref().unwrap_or_default(),
            uid: metadata.uid.as_deref(),
            resource_version: metadata.resource_version.as_deref(),
        }
    }
}
