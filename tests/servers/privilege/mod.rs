//! Permissions: Roomkeeper has what it uses and nothing else, and who may have calls in one namespace gains nothing in others.

mod attempts;
mod grants;
mod least;
mod person;
mod stolen;
mod tenant;
mod viewer;
