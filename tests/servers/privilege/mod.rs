//! Permissions: Roomkeeper has what it uses and nothing else, and who may have calls in one namespace gains nothing in others.

mod attempts;
mod canary;
mod foreign_secrets;
mod grants;
mod least;
mod odd_requests;
mod person;
mod secrets;
mod stolen;
mod tenant;
mod viewer;
