//! The page as a build: committed as its sources say, light, sound, and made with tools that are there.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the page.
pub fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// Runs a command, and fails with what it said when it does.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}: run `tools/need`"));
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed:\n{}", said());
    output
}

/// Installs the packages that the lock file names, where they are not there yet.
pub fn packages() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| drop(succeed(Command::new(web().join("../tools/page")).arg("install"))));
}

/// All files below a folder, with their contents.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("a file of the folder").display().to_string();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn the_committed_page_is_what_its_sources_build() {
    packages();
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page-dist");
    succeed(Command::new("node").arg("build.mjs").arg("--out").arg(&fresh).current_dir(web()));
    let (fresh, kept) = (files(&fresh), files(&web().join("dist")));
    assert_eq!(fresh.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "web/dist is not what web/src says: run `make page`");
    for (name, content) in &fresh {
        assert!(kept.get(name) == Some(content), "web/dist/{name} is not what web/src says: run `make page`");
    }
}

#[test]
fn what_the_page_decides_without_a_browser_is_as_its_unit_tests_say() {
    packages();
    succeed(Command::new("node").args(["--test", "tests/unit.test.mjs"]).current_dir(web()));
}

#[test]
fn the_types_of_the_page_are_sound() {
    packages();
    succeed(Command::new("node").args(["node_modules/typescript/bin/tsc", "--noEmit"]).current_dir(web()));
}
