//! The browsers that the page is tested in.

use std::env;
use std::path::PathBuf;

/// What the tests of a file are run in. People of the other one take part in some of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Browser {
    Chromium,
    Firefox,
}

impl Browser {
    /// Its name, by which tests ask for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// Its program: what the variable names, or the first of its names on `PATH`.
    pub fn program(self) -> PathBuf {
        let (variable, names, missing): (_, &[&str], _) = match self {
            Self::Chromium => (
                "CHROMIUM",
                &["chromium", "chromium-browser", "google-chrome"],
                "install Chromium (Debian: chromium), or name it in CHROMIUM: the page is tested in it",
            ),
            Self::Firefox => (
                "FIREFOX",
                &["firefox-esr", "firefox"],
                "install Firefox (Debian: firefox-esr), or name it in FIREFOX: the page is tested in it",
            ),
        };
        if let Some(path) = env::var_os(variable) {
            return path.into();
        }
        let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
        let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file());
        found.expect(missing)
    }
}
