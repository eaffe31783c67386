//! Rooms from beginning to end: a real API server, a real LiveKit with real clients, and Roomkeeper under its own accounts.

mod audit;
mod capacity;
mod classes;
mod counts;
mod direct;
mod edits;
mod faults;
mod guests;
mod invites;
mod lifecycle;
mod media;
mod moderation;
mod on_demand;
mod signing_keys;
