//! Roomkeeper: a Kubernetes operator that makes call rooms declarative.
//!
//! `docs/design.md` holds the whole system on one page; each module says at its head what it may know.

pub mod api;
pub mod backend;
pub mod domain;
pub mod gateway;
