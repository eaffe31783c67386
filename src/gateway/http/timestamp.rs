//! Moments as clients read them.

use jiff::Timestamp;

/// A moment in whole milliseconds: JavaScript knows no finer ones.
pub fn rfc3339(moment: Timestamp) -> String {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment).to_string()
}
