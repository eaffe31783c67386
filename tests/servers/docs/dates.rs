//! Dates that are moved to the day of the test, tried for every day of the years to come.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::support::dates::{Dates, WRITTEN, aged};

#[test]
fn on_every_day_until_2045_a_date_is_as_far_away_as_it_was_on_the_day_of_writing() {
    let distances = [-400, -1, 0, 1, 7, 14, 59, 60, 365, 3000];
    let written_on = |day: Date| distances.map(|days| format!("until {}T09:00:00Z", day + days.days())).join("\n");
    let text = written_on(WRITTEN);
    for read in date(2026, 1, 1).series(1.day()).take_while(|day| day.year() < 2045) {
        let moved = Dates { written: WRITTEN, read }.moved(&text);
        assert_eq!(moved, written_on(read), "read on {read}");
    }
}

#[test]
fn only_dates_are_moved() {
    let dates = Dates { written: WRITTEN, read: date(2036, 12, 31) };
    for (text, moved) in [
        ("2030-01-01", "2036-12-31"),
        ("nameSuffix: -2030-01-02", "nameSuffix: -2037-01-01"),
        ("“2030-01-02T09:00:00+01:00” – 2030-01-03…", "“2037-01-01T09:00:00+01:00” – 2037-01-02…"),
    ] {
        assert_eq!(dates.moved(text), moved);
    }
    for text in
        ["", "2030-01-0", "2030-13-01", "2030-02-30", "12030-01-01", "2030-01-012", "2020-12/schema", "20300101", "2030/01/01", "äöüß€"]
    {
        assert_eq!(dates.moved(text), text);
    }
}

#[test]
fn what_is_read_in_ten_years_is_ten_years_older_by_its_year_alone() {
    assert_eq!(
        aged("2030-01-15, 2039-12-31, 2030-1-5, 2031-W03, 2026-11-26, 2020-12"),
        "2020-01-15, 2029-12-31, 2020-1-5, 2021-W03, 2026-11-26, 2020-12"
    );
}
