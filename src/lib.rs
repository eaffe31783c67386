//! Roomkeeper: a Kubernetes operator that makes call rooms declarative.
//!
//! `docs/design.md` holds the whole system on one page, with the layout of the code and what each part of it may use.

pub mod api;
pub mod args;
pub mod backend;
pub mod bind;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod controller;
pub mod domain;
pub mod error_chain;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fuzzing;
pub mod gateway;
pub mod observability;
pub mod tls;
