//! When a call may be.

use rstest::rstest;
use serde_json::{Value, json};

use super::objects::Objects;
use crate::support::run;

const START: &str = "2027-01-01T09:00:00Z";

fn until(end: &str) -> Value {
    json!({"validFrom": START, "validUntil": end})
}

#[test]
fn the_end_must_be_after_the_start() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(until("2027-01-01T09:00:01Z")).await;
        let rule = ["spec.validUntil", "2027-01-01T09:00:00Z", "must be after spec.validFrom"];
        rooms.refuses(until(START), &rule).await;
        rooms.refuses(until("2027-01-01T08:59:59Z"), &[&rule[..], &["2027-01-01T08:59:59Z"]].concat()).await;
    });
}

#[test]
fn moments_are_compared_across_time_zones() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(until("2027-01-01T08:30:00-01:00")).await;
        rooms.refuses(until("2027-01-01T09:30:00+01:00"), &["spec.validUntil", "must be after"]).await;
    });
}

#[test]
fn a_window_is_at_most_180_days_long() {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(until("2027-06-30T09:00:00Z")).await;
        let rule = ["spec.validUntil", "2027-06-30T09:00:01Z", "180 days", "4320h", START];
        rooms.refuses(until("2027-06-30T09:00:01Z"), &rule).await;
        rooms.refuses_change(&room, json!({"spec": {"validUntil": "2027-06-30T09:00:01Z"}}), &rule).await;
        rooms.accepts_change(&room, json!({"spec": {"validUntil": "2020-01-01T00:00:00Z", "validFrom": null}})).await;
    });
}

#[test]
fn a_window_of_millennia_is_refused_in_plain_words() {
    run(async {
        let rooms = Objects::rooms().await;
        let forever = json!({"validFrom": "0001-01-01T00:00:00Z", "validUntil": "9998-01-01T00:00:00Z"});
        rooms.refuses(forever, &["spec.validUntil", "9998-01-01T00:00:00Z", "180 days"]).await;
    });
}

#[test]
fn an_end_and_a_duration_exclude_each_other() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(json!({"validUntil": START})).await;
        rooms.accepts(json!({"validFrom": START, "duration": "45m"})).await;
        let rule = ["spec.validUntil", START, "spec.duration", "45m", "at most one"];
        rooms.refuses(json!({"validUntil": START, "duration": "45m"}), &rule).await;
        rooms.accepts(json!({"validUntil": null, "duration": "45m"})).await;
    });
}

#[rstest]
#[case("1s")]
#[case("90m")]
#[case("1h30m")]
#[case("1.5h")]
#[case("2700000ms")]
#[case("4320h")]
#[case("15552000s")]
#[case("4319h59m60s")]
fn a_duration_up_to_180_days_is_accepted(#[case] duration: &str) {
    run(async { Objects::rooms().await.accepts(json!({"duration": duration})).await });
}

#[rstest]
#[case("0s")]
#[case("0h0m")]
#[case("0")]
#[case("-45m")]
#[case("soon")]
#[case("45")]
#[case("45 m")]
#[case("1d")]
#[case("m")]
#[case("4320h1s")]
#[case("4320h1ms")]
#[case("99999h99999h99999h99999h99999h")]
#[case("99999999999999999999999999h")]
fn any_other_duration_is_refused_by_value_and_limit(#[case] duration: &str) {
    run(async {
        let quoted = format!("{duration:?}");
        let rule = ["spec.duration", &quoted, "must be a duration such as 45m", "more than 0", "at most 4320h (180 days)"];
        Objects::rooms().await.refuses(json!({"duration": duration}), &rule).await;
    });
}

#[test]
fn an_empty_or_endless_duration_is_refused() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.refuses(json!({"duration": ""}), &["spec.duration", "at least 1 char"]).await;
        rooms.refuses(json!({"duration": "0".repeat(33)}), &["spec.duration", "32"]).await;
        rooms.refuses(json!({"duration": 45}), &["spec.duration", "must be of type string"]).await;
    });
}

#[rstest]
#[case("2027-01-15T09:00:00Z")]
#[case("2027-01-15T09:00:00.25Z")]
#[case("2027-01-15T09:00:00+23:59")]
fn a_moment_is_an_rfc_3339_time(#[case] moment: &str) {
    run(async { Objects::rooms().await.accepts(json!({"validFrom": moment})).await });
}

/// The last two pass for a date-time, and no one could read them.
#[rstest]
#[case("tomorrow")]
#[case("2027-01-15")]
#[case("2027-01-15T09:00:00")]
#[case("2027-02-30T09:00:00Z")]
#[case("2027-01-15T09:00:60Z")]
#[case("2027-01-15T09:00:00+99:99")]
fn anything_else_is_refused_as_moment(#[case] moment: &str) {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.refuses(json!({"validFrom": moment}), &["spec.validFrom", moment]).await;
        rooms.refuses(json!({"validUntil": moment}), &["spec.validUntil", moment]).await;
    });
}
