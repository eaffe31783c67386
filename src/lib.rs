//! Roomkeeper: a Kubernetes operator that makes call rooms declarative.
//!
//! `docs/design.md` holds the whole system on one page; each module says at its head what it may know.

pub mod api;
pub mod backend;
pub mod bind;
pub mod causes;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod domain;
pub mod gateway;
pub mod metrics;
pub mod pulse;
pub mod release;
pub mod selftest;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod traces;
