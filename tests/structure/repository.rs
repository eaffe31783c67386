//! What is told from the other files of the repository: dependencies, permissions, places.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::assert_none;
use crate::modules::{Meaning, uses};
use crate::source::{read, root};

/// Crates that must not get into the tree; `deny.toml` says why.
const BANNED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys", "serde_yml", "unsafe-libyaml"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn the_tree_of_dependencies_holds_what_it_may() {
    let lock = read(&root().join("Cargo.lock"));
    let values = |key: &str| {
        let start = format!("{key} = \"");
        lock.lines().filter_map(move |line| line.strip_prefix(&start)?.strip_suffix('"').map(str::to_owned)).collect::<Vec<_>>()
    };
    let names = values("name");
    assert!(names.len() > 100, "only {} packages found in Cargo.lock", names.len());
    let banned = names.iter().filter(|name| BANNED.contains(&name.as_str())).map(|name| format!("Cargo.lock: {name} is banned"));
    let foreign = values("source").into_iter().filter(|source| source != CRATES_IO);
    assert_none(&banned.chain(foreign.map(|source| format!("Cargo.lock: {source} is not crates.io"))).collect::<Vec<_>>());
}

#[test]
fn every_dependency_is_used() {
    let manifest = read(&root().join("Cargo.toml"));
    let table = manifest.split("\n[").find_map(|table| table.strip_prefix("dependencies]")).expect("the dependencies");
    let crates = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    let crates: Vec<String> = crates.map(|(name, _)| name.replace('-', "_")).collect();
    assert!(crates.len() > 10, "only {crates:?} found in Cargo.toml");
    let foreign = uses().iter().filter(|named| !named.in_test);
    let foreign = foreign.filter_map(|named| if let Meaning::Foreign(path) = &named.meaning { path.split_once("::") } else { None });
    let named: BTreeSet<&str> = foreign.map(|(name, _)| name).collect();
    let used = |name: &String| named.contains(name.as_str());
    let unused: Vec<String> = crates.into_iter().filter(|name| !used(name)).map(|name| format!("{name} is not used in src")).collect();
    assert_none(&unused);
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    // In two parts, because this file is looked at too.
    let places = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("/tm", "p/")].map(|(a, b)| format!("{a}{b}"));
    let listed = Command::new("git").args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(root()).output().expect("git");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in files.split_terminator('\0') {
        // One that is deleted and not yet committed.
        let Ok(bytes) = fs::read(root().join(file)) else { continue };
        seen += 1;
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let named = places.iter().filter(|place| line.contains(place.as_str()));
            faults.extend(named.map(|place| format!("{file}:{}: names {place}", number + 1)));
        }
    }
    assert!(seen > 20, "only {seen} files found");
    assert_none(&faults);
}

#[test]
fn every_permission_has_a_reason() {
    let templates = root().join("charts/roomkeeper/templates");
    let files = ["controller/rbac.yaml", "gateway/rbac.yaml", "tenants.yaml", "tests/call.yaml", "uninstall.yaml"];
    let mut faults = Vec::new();
    let mut rules = 0;
    for file in files {
        let text = read(&templates.join(file));
        let is_comment = |line: &str| line.trim_start().starts_with("# ");
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("  - apiGroups:") {
                rules += 1;
                if !is_comment(before) {
                    faults.push(format!("{file}:{}: a rule without a reason", number + 1));
                }
            }
            if line.contains('*') && !is_comment(line) && !line.starts_with("{{- /*") {
                faults.push(format!("{file}:{}: everything is too much", number + 1));
            }
            before = line;
        }
    }
    assert!(rules > 15, "only {rules} rules found in the chart");
    assert_none(&faults);
}

#[test]
fn permissions_are_granted_where_their_reasons_are_looked_for() {
    let listed = Command::new("git").args(["-c", "safe.directory=*", "ls-files", "charts"]).current_dir(root()).output().expect("git");
    let files = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let granting = files.lines().filter(|file| fs::read_to_string(root().join(file)).is_ok_and(|text| text.contains("\nrules:\n")));
    let granting: Vec<&str> = granting.map(|file| file.trim_start_matches("charts/roomkeeper/templates/")).collect();
    assert_eq!(granting, ["controller/rbac.yaml", "gateway/rbac.yaml", "tenants.yaml", "tests/call.yaml", "uninstall.yaml"]);
}
