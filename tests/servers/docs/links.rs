//! Links between the pages.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::pages::{Page, in_repository, page, pages};

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for page in pages().into_iter().chain([page("CONTRIBUTING.md"), page("CHANGELOG.md")]) {
        for target in links(&page) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { PathBuf::from(&page.path) } else { beside(&page.path, file) };
            let there = in_repository(&path.display().to_string());
            if !there.exists() {
                faults.push(format!("{}: {target} is not there", page.path));
            } else if !anchor.is_empty() && !anchors(&std::fs::read_to_string(&there).unwrap_or_default()).contains(anchor) {
                faults.push(format!("{}: {target} has no such heading", page.path));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(seen > 50, "only {seen} links");
}

#[test]
fn every_page_is_in_the_index() {
    let index: BTreeSet<PathBuf> = links(&page("docs/README.md")).iter().map(|target| beside("docs/README.md", target)).collect();
    let missing: Vec<String> = pages().into_iter().map(|page| page.path).filter(|path| !index.contains(Path::new(path))).collect();
    assert_eq!(missing, ["docs/README.md"]);
}

/// Targets of the links of a page.
fn links(page: &Page) -> Vec<String> {
    let mut inside = false;
    let prose = page.text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let found = prose.flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    found.map(str::to_owned).collect()
}

/// A link as path in the repository.
fn beside(page: &str, target: &str) -> PathBuf {
    let mut path = Path::new(page).parent().expect("a directory").to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// Anchors of the headings of a page, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}
