//! Requests for Rooms and what belongs to them, as the API server counts them by itself: that costs nothing, and tells nothing of who asked.

use std::collections::BTreeMap;

use axum::http::Request;

use crate::installation::Installation;

/// Whose requests count.
const RESOURCES: [&str; 4] = ["rooms", "roomguests", "secrets", "events"];

/// How many there were, by verb and resource.
pub struct Requests(BTreeMap<(String, String), u64>);

impl Requests {
    /// So far.
    pub async fn of(installation: &Installation) -> Result<Self, String> {
        let request = Request::get("/metrics").body(Vec::new()).expect("a request");
        let text = installation.admin.request_text(request).await.map_err(|error| format!("the API server gives no metrics: {error}"))?;
        let mut requests = BTreeMap::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
            let Some((labels, value)) = line.rsplit_once("} ") else { continue };
            let label = |name: &str| labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'));
            let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else { continue };
            if RESOURCES.contains(&resource) && label("dry_run") == Some("") {
                *requests.entry((verb.to_owned(), resource.to_owned())).or_default() += value.parse().unwrap_or(0);
            }
        }
        Ok(Self(requests))
    }

    /// Those that were not there yet.
    pub fn since(self, before: &Self) -> Self {
        let new = |(key, number): ((String, String), u64)| {
            let number = number - before.0.get(&key).copied().unwrap_or_default();
            (key, number)
        };
        Self(self.0.into_iter().map(new).collect())
    }

    /// How many change something.
    pub fn writes(&self) -> u64 {
        let is_write = |verb: &str| ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"].contains(&verb);
        self.0.iter().filter(|((verb, _), _)| is_write(verb)).map(|(_, number)| number).sum()
    }
}
