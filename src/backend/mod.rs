//! Media servers behind one trait, in the words of the domain.
//!
//! Errors are classified where they arise, as [`Failure`](crate::domain::Failure)s. Backends know neither Kubernetes nor each other.

pub mod fake;
mod interface;
mod livekit;
mod metered;
mod registry;

pub use fake::FakeMediaServer;
pub use interface::{Backend, Capabilities, MediaCredentials, SessionSummary, Signalling, TokenSubject};
pub use livekit::{LiveKit, MediaCheck, media_check};
pub use metered::Metered;
pub use registry::Registry;
