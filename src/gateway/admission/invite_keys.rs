//! The keys that sign invites, as they are at the moment.

use std::sync::Arc;

use tokio::sync::watch;

use super::denied::Denied;
use crate::domain::{Invite, KeyRing, Refusal};

/// The keys that sign invites: none until their Secret has been read, and others whenever it changes.
#[derive(Clone)]
pub struct InviteKeys(watch::Receiver<Option<Arc<KeyRing>>>);

impl InviteKeys {
    /// The keys that `current` holds.
    pub fn new(current: watch::Receiver<Option<Arc<KeyRing>>>) -> Self {
        Self(current)
    }

    /// The invite in this bearer token, if one of the keys signed it.
    pub fn verify(&self, bearer: Option<&str>) -> Result<Invite, Denied> {
        let bearer = bearer.ok_or(Refusal::InvalidInvite)?;
        self.current()?.verify(bearer).map_err(|_| Refusal::InvalidInvite.into())
    }

    pub fn sign(&self, invite: &Invite) -> Result<String, Denied> {
        self.current()?.sign(invite).map_err(|error| Denied::unavailable(error.to_string()))
    }

    fn current(&self) -> Result<Arc<KeyRing>, Denied> {
        self.0.borrow().clone().ok_or_else(|| Denied::unavailable("the keys that sign invites are not known yet"))
    }
}
