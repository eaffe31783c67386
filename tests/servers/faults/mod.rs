//! Every request of the controller that changes something goes wrong once, in every way: where it all ends is what the Room says.
//!
//! `make test` tries some of these plans, `make faults` all of them, and prints how many held.

mod attack;
mod requests;
mod scenarios;
