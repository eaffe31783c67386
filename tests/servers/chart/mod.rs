//! The chart: what it renders for which values, what it refuses, and its life on a real API server.

mod accounts;
mod authorities;
mod files;
mod install;
mod livekit;
mod media;
mod metrics;
mod names;
mod network;
mod notes;
mod others;
mod parent;
mod permissions;
mod pods;
mod refusals;
mod releases;
mod security_context;
mod selftest;
mod upgrades;
