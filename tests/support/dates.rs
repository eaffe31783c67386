//! The dates of pages and examples, moved to the day of the test.
//!
//! A Room whose dates have passed is over, so a dated example works until its day only. Tests must not end with it: pages and examples are
//! written as on one day, and whoever tries them moves all of their dates together, until that day is the day of the test.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::now;
use super::process::log_file;

/// The day as of which pages and examples are written.
pub const WRITTEN: Date = date(2030, 1, 1);
/// Length of a date such as 2030-01-15.
const LENGTH: usize = 10;

/// Texts that are written as on one day and read on another.
#[derive(Clone, Copy)]
pub struct Dates {
    pub written: Date,
    pub read: Date,
}

impl Dates {
    /// The text as it would be if it were written on the day on which it is read.
    pub fn moved(self, text: &str) -> String {
        let later = self.read - self.written;
        let (mut moved, mut at) = (String::with_capacity(text.len()), 0);
        while let Some(character) = text[at..].chars().next() {
            if let Some(date) = date_at(text, at) {
                moved += &(date + later).to_string();
                at += LENGTH;
            } else {
                moved.push(character);
                at += character.len_utf8();
            }
        }
        moved
    }
}

/// The date that begins here, if one does.
fn date_at(text: &str, at: usize) -> Option<Date> {
    let word = text.get(at..at + LENGTH)?;
    let has_form =
        word.bytes().enumerate().all(|(place, byte)| if place == 4 || place == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    let is_digit = |character: char| character.is_ascii_digit();
    let is_part = text[..at].ends_with(is_digit) || text[at + LENGTH..].starts_with(is_digit);
    if has_form && !is_part { word.parse().ok() } else { None }
}

/// The files of the repository, as they are found on one day.
pub struct Checkout {
    pub root: PathBuf,
    pub dates: Dates,
}

impl Checkout {
    /// The repository itself, today.
    pub fn today() -> Self {
        let read = now().to_zoned(TimeZone::UTC).date();
        Self { root: env!("CARGO_MANIFEST_DIR").into(), dates: Dates { written: WRITTEN, read } }
    }

    /// What is found in ten years. The clocks of servers cannot be set, but they would not see the difference: here each date of pages
    /// and examples is ten years further in the past. That is done by the year alone, so that a date is still aged where [`Dates::moved`]
    /// does not know it for one, or does not get to see it.
    pub fn in_ten_years() -> Self {
        let (today, root) = (Self::today(), log_file("in-ten-years").with_extension("d"));
        fs::create_dir_all(&root).expect("a directory");
        for name in ["README.md", "docs", "charts", "crds", "examples", "gitops"] {
            copy(&today.root.join(name), &root.join(name), &aged);
        }
        Self { root, dates: Dates { written: WRITTEN - 10.years(), ..today.dates } }
    }

    /// Copies a file or folder of the repository, with its dates moved to the day on which it is read.
    pub fn copy(&self, name: &str, to: &Path) {
        copy(&self.root.join(name), to, &|text| self.dates.moved(text));
    }
}

/// The text with the years from that of writing on being ten years earlier.
pub fn aged(text: &str) -> String {
    (0..10)
        .map(|years| WRITTEN.year() + years)
        .fold(text.to_owned(), |text, year| text.replace(&format!("{year}-"), &format!("{}-", year - 10)))
}

/// Copies a file or folder; what is text goes through `change`.
fn copy(from: &Path, to: &Path, change: &dyn Fn(&str) -> String) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a directory");
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            // Not what somebody has installed to try an example.
            if entry.file_name() == "node_modules" {
                continue;
            }
            copy(&entry.path(), &to.join(entry.file_name()), change);
        }
        return;
    }
    let bytes = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    let changed = str::from_utf8(&bytes).map(|text| change(text).into_bytes());
    fs::write(to, changed.unwrap_or(bytes)).expect("a copy");
}
