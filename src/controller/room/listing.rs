//! The versions of all Rooms, for when many are to be confirmed at the same time.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use tokio::sync::Mutex;

use crate::api::Room;
use crate::clock;
use crate::cluster::{Scope, Version, versions_now};
use crate::controller::request::{failure_of, timed};
use crate::domain::Failure;

/// How old a list may be.
const RECENT: Duration = Duration::from_secs(1);

/// The last list.
#[derive(Default)]
pub struct Listing(Mutex<Option<Listed>>);

struct Listed {
    /// Uptime at which it was asked for.
    asked: Duration,
    versions: HashMap<String, String>,
}

impl Listing {
    /// Whether a Room was at this version a moment ago. Who comes while all are listed waits for that.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn has(&self, version: Option<Version>, client: &Client, scope: &Scope) -> Result<bool, Failure> {
        let mut listed = self.0.lock().await;
        let asked = clock::uptime();
        if listed.as_ref().is_none_or(|listed| asked.saturating_sub(listed.asked) > RECENT) {
            let versions = timed(versions_now::<Room>(client, scope)).await.map_err(|error| failure_of(&error))?;
            *listed = Some(Listed { asked, versions });
        }
        let versions = listed.as_ref().map(|listed| &listed.versions);
        Ok(version.is_some_and(|(uid, version)| versions.and_then(|versions| versions.get(&uid)) == Some(&version)))
    }
}
