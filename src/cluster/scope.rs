//! Where a role looks for Rooms.

use std::collections::BTreeSet;

use kube::api::{ApiResource, DynamicObject};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};

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
    pub fn new(namespaces: &[String]) -> Self {
        if namespaces.is_empty() { Self::Everywhere } else { Self::Namespaces(namespaces.iter().cloned().collect()) }
    }

    /// The namespaces, or none for all of them.
    pub(super) fn parts(&self) -> Vec<Option<&str>> {
        match self {
            Self::Everywhere => vec![None],
            Self::Namespaces(names) => names.iter().map(|name| Some(name.as_str())).collect(),
        }
    }

    /// The APIs that together give the objects of a namespaced kind, as they are.
    #[must_use]
    pub fn dynamic_apis(&self, client: &Client, kind: &ApiResource) -> Vec<Api<DynamicObject>> {
        match self {
            Self::Everywhere => vec![Api::all_with(client.clone(), kind)],
            Self::Namespaces(names) => names.iter().map(|name| Api::namespaced_with(client.clone(), name, kind)).collect(),
        }
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
