//! Who may come in, and what Presenters may do.

pub mod authorize;
pub mod join;
pub mod kube_writer;
pub mod moderation;
pub mod reservations;
