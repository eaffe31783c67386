//! The same tests in Firefox: those of what browsers differ in, and with `ROOMKEEPER_SOAK` all of them.

use super::browser::Browser::Firefox;
use super::files::{run_file, run_file_with_controls, run_file_with_named_gateway};

#[test]
fn the_lobby_tells_and_waits_and_copes_with_devices() {
    run_file(Firefox, "lobby.test.mjs");
}

#[test]
fn people_meet_in_a_call() {
    run_file_with_controls(Firefox, "call.test.mjs");
}

#[test]
#[ignore = "at length by `make soak`: its tests depend little on the browser"]
fn the_page_works_wherever_it_came_from() {
    run_file_with_named_gateway(Firefox, "addresses.test.mjs");
}

#[test]
fn every_end_of_a_call_is_told_in_words() {
    run_file(Firefox, "endings.test.mjs");
}

#[test]
#[ignore = "at length by `make soak`: its tests depend little on the browser"]
fn the_page_is_accessible_in_every_state() {
    run_file(Firefox, "accessibility.test.mjs");
}

#[test]
fn the_page_keeps_the_invite_and_asks_no_third_party() {
    run_file(Firefox, "privacy.test.mjs");
}

#[test]
#[ignore = "at length by `make soak`: its tests depend little on the browser"]
fn all_languages_say_the_same_things() {
    run_file(Firefox, "messages.test.mjs");
}

#[test]
fn presenters_moderate() {
    run_file(Firefox, "moderation.test.mjs");
}

#[test]
#[ignore = "at length by `make soak`: its tests depend little on the browser"]
fn people_join_by_a_shared_link() {
    run_file(Firefox, "links.test.mjs");
}
