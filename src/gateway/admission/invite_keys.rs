//! The keys that sign invites, as they are at the moment.

use std::sync::Arc;

use tokio::sync::watch;

use super::denied::Denied;
use crate::domain::{Invite, KeyRing, Refusal};

/// The keys that sign invites: none until their Secret has been read and while there is none, and others whenever it changes.
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

    /// Whether the key of this fingerprint is in force; none is while there are no keys.
    pub fn hold(&self, signed_by: Option<&str>) -> bool {
        self.0.borrow().as_ref().is_some_and(|keys| keys.holds(signed_by))
    }

    /// The keys of this moment.
    pub fn current(&self) -> Result<Arc<KeyRing>, Denied> {
        self.0.borrow().clone().ok_or_else(|| Denied::unavailable("there are no keys that sign invites at this moment"))
    }
}
