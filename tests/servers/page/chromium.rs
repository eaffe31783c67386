//! Every browser test, in Chromium.

use super::browser::Browser::Chromium;
use super::files::{run_file, run_file_with_controls, run_file_with_named_gateway};

#[test]
fn the_lobby_tells_and_waits_and_copes_with_devices() {
    run_file(Chromium, "lobby.test.mjs");
}

#[test]
fn people_meet_in_a_call() {
    run_file_with_controls(Chromium, "call.test.mjs");
}

#[test]
fn the_page_works_wherever_it_came_from() {
    run_file_with_named_gateway(Chromium, "addresses.test.mjs");
}

#[test]
fn every_end_of_a_call_is_told_in_words() {
    run_file(Chromium, "endings.test.mjs");
}

#[test]
fn the_page_is_accessible_in_every_state() {
    run_file(Chromium, "accessibility.test.mjs");
}

#[test]
fn the_page_keeps_the_invite_and_asks_no_third_party() {
    run_file(Chromium, "privacy.test.mjs");
}

#[test]
fn all_languages_say_the_same_things() {
    run_file(Chromium, "messages.test.mjs");
}

#[test]
fn presenters_moderate() {
    run_file(Chromium, "moderation.test.mjs");
}

#[test]
fn people_join_by_a_shared_link() {
    run_file(Chromium, "links.test.mjs");
}
