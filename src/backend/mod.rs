//! Media servers behind one trait, in the words of the domain.
//!
//! Errors are classified where they arise, as [`Failure`](crate::domain::Failure)s. Backends know neither Kubernetes nor each other.

mod azure;
pub mod fake;
mod interface;
mod livekit;
mod metered;
mod registry;
mod session_ledger;

pub use azure::{AzureCommunicationServices, WorkloadIdentity};
pub use fake::FakeMediaServer;
pub use interface::{Backend, MediaCredentials, ServiceIds, SessionSummary, Signalling, TokenSubject};
pub use livekit::{LiveKit, MediaCheck, RelayCheck, media_check, relay_checks};
pub use metered::Metered;
pub use registry::Registry;
pub use session_ledger::{LedgerRecord, SessionLedger};
