//! `docs/design.md`: the table of the layout, and the pictures that name files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::assert_none;
use crate::source::{read, root};

/// The pictures that follow something through files, by the heading above them.
const PICTURES: &[&str] = &["### A Room from watch event to status write", "### A join from accept to media token"];

fn design() -> String {
    read(&root().join("docs/design.md"))
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The table of the layout: what each folder or file of `src` may use.
pub fn layout() -> BTreeMap<String, BTreeSet<String>> {
    let design = design();
    let rows = design.lines().filter(|line| line.starts_with("| `src/"));
    let mut table = BTreeMap::new();
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [places, _, uses] = columns.as_slice() else { panic!("docs/design.md: a row of the layout has three columns: {row}") };
        let allowed: BTreeSet<String> = quoted(uses).map(str::to_owned).collect();
        for place in quoted(places).filter_map(|place| place.strip_prefix("src/")) {
            table.insert(place.trim_end_matches('/').trim_end_matches(".rs").to_owned(), allowed.clone());
        }
    }
    assert!(table.len() > 8, "docs/design.md: only {} rows of the layout found", table.len());
    table
}

/// The files that a picture names, in its order.
fn files_of_picture(design: &str, heading: &str) -> Vec<String> {
    let (_, after) = design.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("docs/design.md has no {heading:?}"));
    let picture = after.split("```").nth(1).expect("a picture");
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.');
    picture
        .split(|c| !is_name(c))
        .filter(|word| Path::new(word).extension().is_some_and(|extension| extension == "rs"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_pictures_name_files_that_are_there_each_of_them_once() {
    let design = design();
    let mut faults = Vec::new();
    for heading in PICTURES {
        let files = files_of_picture(&design, heading);
        assert!(files.len() > 5, "{heading}: only {files:?}");
        let mut seen = BTreeSet::new();
        for file in &files {
            if !root().join("src").join(file).is_file() {
                faults.push(format!("docs/design.md, {heading}: there is no src/{file}; draw the way as it is now"));
            }
            if !seen.insert(file) {
                faults.push(format!("docs/design.md, {heading}: comes back to {file}"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_places_of_the_source_that_documents_name_are_there() {
    let listed = Command::new("git").args(["-c", "safe.directory=*", "ls-files", "*.md"]).current_dir(root()).output().expect("git");
    let files = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let mut seen = 0;
    let mut faults = Vec::new();
    // What a changelog names was there then.
    for file in files.lines().filter(|file| *file != "CHANGELOG.md" && root().join(file).is_file()) {
        let text = read(&root().join(file));
        for place in quoted(&text).filter(|place| place.starts_with("src/") && !place.contains([' ', '*', '<'])) {
            seen += 1;
            if !Path::new(&root()).join(place).exists() {
                faults.push(format!("{file}: there is no {place}"));
            }
        }
    }
    assert!(seen > 20, "only {seen} places found");
    assert_none(&faults);
}
