//! Versions of objects as the API server has them now, asked for beside the watches.

use std::collections::HashMap;

use kube::api::{ListParams, ObjectList, PartialObjectMeta};
use kube::core::{NamespaceResourceScope, Request};
use kube::{Client, Resource};

use super::scope::Scope;
use crate::api::{Identified, Identity};

/// How many objects one answer holds.
const PAGE: u32 = 500;

/// Marks a request whose answer no cache sees, so that it says nothing about the age of what a cache holds.
#[derive(Clone, Copy)]
pub(super) struct Beside;

/// UID and version of an object.
pub type Version = (String, String);

/// The version of an object, as far as it has one.
pub fn version_of(object: &impl Identified) -> Option<Version> {
    let Identity { uid, resource_version, .. } = object.identity();
    uid.map(str::to_owned).zip(resource_version.map(str::to_owned))
}

/// What the API server has now under this name; `None` if nothing. It takes the permission that watches take, and no other.
///
/// # Errors
/// When the API server does not say.
pub async fn version_now<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<Version>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone,
{
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let page = page::<K>(client, Some(namespace), &named).await?;
    Ok(page.items.first().and_then(version_of))
}

/// The versions of all objects in a scope now, by their UIDs.
///
/// # Errors
/// When the API server does not say.
pub async fn versions_now<K>(client: &Client, scope: &Scope) -> Result<HashMap<String, String>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone,
{
    let mut versions = HashMap::new();
    for namespace in scope.parts() {
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = page::<K>(client, namespace, &params).await?;
            versions.extend(page.items.iter().filter_map(version_of));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(versions)
}

async fn page<K>(client: &Client, namespace: Option<&str>, params: &ListParams) -> Result<ObjectList<PartialObjectMeta<K>>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let mut request = Request::new(K::url_path(&(), namespace)).list_metadata(params).map_err(kube::Error::BuildRequest)?;
    request.extensions_mut().insert(Beside);
    client.request(request).await
}
