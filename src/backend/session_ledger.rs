//! What a backend has to know of its sessions after a crash.

use async_trait::async_trait;

use crate::domain::Failure;

/// What is kept of one session. No secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    /// As the backend wrote it.
    pub content: String,
    /// Which state of the record this is; `None` of one that is not kept yet.
    pub version: Option<String>,
}

/// Where a backend keeps the ids that a media server has given out for a session, because they cannot be worked out again.
#[async_trait]
pub trait SessionLedger: Send + Sync {
    /// What is kept of a session, as it is now.
    async fn get(&self, session: &str) -> Result<Option<LedgerRecord>, Failure>;

    /// Keeps a new record, or the next state of the one that was read; its version. Fails if another state of it is kept by now.
    async fn put(&self, session: &str, record: &LedgerRecord) -> Result<Option<String>, Failure>;

    /// Forgets a session, if it is kept.
    async fn delete(&self, session: &str) -> Result<(), Failure>;

    /// All sessions whose name begins with `prefix`, with what is kept of them.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, LedgerRecord)>, Failure>;
}
