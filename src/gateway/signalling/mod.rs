//! Signalling that is passed through, and its connections.

pub mod connections;
pub mod proxy;
