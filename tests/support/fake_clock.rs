//! A wall clock of somebody's own, which can be set while they run: libfaketime's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::log_file;

/// The wall clock of who is started in its environment.
pub struct FakeClock {
    library: String,
    file: PathBuf,
}

impl FakeClock {
    /// A clock that is right.
    ///
    /// # Panics
    /// Without the program `faketime`.
    pub fn new() -> Self {
        // Of the two libraries the one for programs with several threads.
        let told = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let told = told.expect("the program faketime (Debian: faketime)");
        let library = String::from_utf8(told.stdout).expect("a path").trim().to_owned();
        let clock = Self { library, file: log_file("clock") };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds ahead of the right time, or behind it.
    pub fn set(&self, seconds: i64) {
        // As a whole, because it is read all the time.
        let written = self.file.with_extension("next");
        fs::write(&written, format!("{seconds:+}\n")).expect("the clock's file");
        fs::rename(written, &self.file).expect("the clock's file");
    }

    /// The environment in which it is the clock.
    pub fn environment(&self) -> [(&str, &str); 4] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().expect("a path in UTF-8")),
            ("FAKETIME_NO_CACHE", "1"),
            // Nobody can set that one.
            ("DONT_FAKE_MONOTONIC", "1"),
        ]
    }
}
