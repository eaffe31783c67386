//! How moments are written in headers and in bodies.

use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use jiff::tz::TimeZone;

/// A moment in the one form that headers have for it (IMF-fixdate).
pub fn http_date(text: &str) -> Option<Timestamp> {
    let moment = DateTimeParser::new().parse_timestamp(text).ok()?;
    // The parser takes other forms too.
    let written = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).ok()?;
    (written == text).then_some(moment)
}

/// The same, of a moment.
pub fn header(moment: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).expect("a year of our time")
}

/// A moment in the form that bodies have for it (RFC 3339).
pub fn date_time(text: &str) -> Option<Timestamp> {
    // The parser takes a space in this place too.
    text.parse().ok().filter(|_| text.as_bytes().get(10) == Some(&b'T'))
}

/// A moment as the service writes it in bodies: with an offset, and up to seven digits of a second.
pub fn written(moment: Timestamp) -> String {
    ticks(moment).to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string()
}

/// A moment in the ticks of 100 ns that the service keeps.
pub fn ticks(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(moment.as_nanosecond() / 100 * 100).expect("a moment")
}
