//! Whether the CustomResourceDefinitions in the cluster are as new as this program: what they do not know, the API server takes off every
//! object without a word.

use std::time::Duration;

use hyper::http::Request;
use kube::Client;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::REQUEST_TIMEOUT;
use crate::api::{GROUP, VERSION, crds};

/// How often to look, with a second between: the API server tells of new definitions a little later than it goes by them.
const LOOKS: usize = 10;

/// A definition that is older than this program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the CustomResourceDefinition of {kind} is older than this program and lacks {field}: apply the CustomResourceDefinitions of this version \
     first"
)]
pub struct OldDefinition {
    kind: String,
    field: String,
}

/// Checks that the definitions have every field that this program knows. Where the API server does not tell, nothing is known to be missing.
///
/// # Errors
/// When one lacks a field.
pub async fn are_new_enough(client: &Client) -> Result<(), OldDefinition> {
    let mut found = None;
    for _ in 0..LOOKS {
        let Some(document) = served(client).await else { return Ok(()) };
        found = outdated(&document);
        if found.is_none() {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
    found.map_or(Ok(()), Err)
}

/// The OpenAPI document of our kinds.
async fn served(client: &Client) -> Option<Value> {
    let request = Request::get(format!("/openapi/v3/apis/{GROUP}/{VERSION}")).body(Vec::new()).ok()?;
    match timeout(REQUEST_TIMEOUT, client.request(request)).await {
        Ok(Ok(document)) => Some(document),
        Ok(Err(error)) => {
            tracing::info!(%error, "whether the CustomResourceDefinitions are of this version is not known");
            None
        }
        Err(_) => None,
    }
}

/// The first kind whose definition lacks a field, and the field.
fn outdated(document: &Value) -> Option<OldDefinition> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    crds().iter().find_map(|crd| {
        let kind = &crd.spec.names.kind;
        let served = schemas.iter().find(|(name, _)| name.rsplit('.').next() == Some(kind))?.1;
        let known = serde_json::to_value(crd.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()?;
        Some(OldDefinition { kind: kind.clone(), field: lacking(&known, served, "")? })
    })
}

/// The first field of one schema that another one lacks.
fn lacking(known: &Value, served: &Value, path: &str) -> Option<String> {
    let properties = known.get("properties").and_then(Value::as_object).into_iter().flatten();
    let of_field = properties.into_iter().find_map(|(name, field)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match served.get("properties").and_then(|properties| properties.get(name)) {
            // Of what all kinds have it says where that is described.
            Some(served) if served.get("properties").is_none() && served.get("items").is_none() => None,
            Some(served) => lacking(field, served, &path),
            None => Some(path),
        }
    });
    of_field.or_else(|| {
        let item = ["items", "additionalProperties"].into_iter().find_map(|key| Some((known.get(key)?, served.get(key)?)));
        item.and_then(|(known, served)| lacking(known, served, &format!("{path}[]")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As the API server tells of our kinds.
    fn document() -> Value {
        let crds = crds();
        let schemas = crds.iter().map(|crd| {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let mut schema = serde_json::to_value(schema).unwrap();
            schema["properties"]["metadata"] = json!({"allOf": [{"$ref": "#/components/schemas/io.k8s.meta.v1.ObjectMeta"}]});
            (format!("io.roomkeeper.v1alpha1.{}", crd.spec.names.kind), schema)
        });
        json!({"components": {"schemas": schemas.collect::<serde_json::Map<_, _>>()}})
    }

    #[test]
    fn definitions_that_lack_nothing_are_new_enough() {
        assert_eq!(outdated(&document()), None);
        assert_eq!(outdated(&json!({})), None, "nothing is known");
    }

    #[test]
    fn a_field_that_is_missing_is_named_wherever_it_is() {
        for (parent, name, field) in [
            ("Room/properties/status", "invitesRevision", "status.invitesRevision"),
            ("Room/properties/status/properties/participants/items", "secretUID", "status.participants[].secretUID"),
            ("RoomGuest", "status", "status"),
        ] {
            let mut older = document();
            let properties = older.pointer_mut(&format!("/components/schemas/io.roomkeeper.v1alpha1.{parent}/properties")).unwrap();
            properties.as_object_mut().unwrap().remove(name).unwrap();
            let kind = parent.split('/').next().unwrap().to_owned();
            assert_eq!(outdated(&older), Some(OldDefinition { kind, field: field.to_owned() }));
        }
    }
}
