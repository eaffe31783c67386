//! What the source may look like: who knows whom, who reads the clock, how long files get. Told from the text alone, so that it needs
//! no server. `docs/design.md` has the table that this holds the code to.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which parts of the crate each part may know, itself left out.
const KNOWS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("domain", &["api"]),
    // For unit tests alone.
    ("fixtures", &["api", "domain"]),
    ("backend", &["api", "clock", "domain", "metrics", "tls"]),
    ("cluster", &["api", "domain", "backend", "causes", "clock", "metrics"]),
    ("controller", &["api", "domain", "backend", "cluster", "clock", "metrics", "telemetry", "traces"]),
    ("gateway", &["api", "domain", "backend", "cluster", "clock", "metrics", "telemetry", "tls", "traces", "bind"]),
    ("clock", &[]),
    ("config", &["api"]),
    ("bind", &[]),
    ("causes", &[]),
    ("metrics", &["api", "bind", "watchdog"]),
    ("watchdog", &["clock"]),
    ("release", &["api", "clock", "cluster", "config", "controller"]),
    ("selftest", &["api", "causes", "config", "tls"]),
    ("settings", &["cluster", "config", "controller", "gateway"]),
    ("telemetry", &["config", "traces"]),
    ("traces", &["tls"]),
    ("tls", &[]),
    ("lib", &[]),
    ("main", &[]),
];

/// Crates, or parts of them, that a part must not know, whatever stands behind the path named.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    ("api", &["kube::Api", "kube::Client", "kube::api", "kube::client", "kube::runtime", "axum", "reqwest", "tokio"]),
    ("domain", &["kube::Api", "kube::Client", "kube::api", "kube::client", "kube::runtime", "axum", "reqwest", "tokio"]),
    ("domain", &["std::time::Instant", "std::time::SystemTime", "std::fs", "std::env", "std::net", "std::process", "livekit_api"]),
    ("backend", &["kube", "k8s_openapi", "axum"]),
    ("cluster", &["axum", "reqwest", "livekit_api", "livekit_protocol"]),
    (
        "controller",
        &[
            "crate::backend::LiveKit",
            "crate::backend::FakeMediaServer",
            "crate::backend::fake",
            "axum",
            "reqwest",
            "livekit_api",
            "livekit_protocol",
        ],
    ),
    ("gateway", &["crate::backend::LiveKit", "crate::backend::FakeMediaServer", "crate::backend::fake", "livekit_api", "livekit_protocol"]),
    ("selftest", &["axum", "livekit_api", "livekit_protocol"]),
    ("main", &["roomkeeper::domain", "roomkeeper::backend"]),
];

/// What only `src/clock.rs` may name.
const CLOCKS: &[&str] = &["Instant", "SystemTime", "Timestamp::now", "Zoned::now"];

/// Names that say nothing about what a module holds.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

/// Crates that must not get into the tree; `deny.toml` says why.
const BANNED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys", "serde_yml", "unsafe-libyaml"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const LONGEST_FILE: usize = 400;
const LONGEST_MAIN: usize = 100;

/// A file of `src`.
struct Source {
    /// Where it is, for messages.
    path: String,
    /// Its module as path, such as `["backend", "livekit", "token"]`.
    module: Vec<String>,
    /// All of it.
    text: String,
    /// Its lines before its tests, none if it is a test as a whole.
    lines: usize,
    /// What it names outside of its tests, as paths from `crate` or an external crate.
    names: BTreeSet<String>,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = read(path);
        let inside = path.strip_prefix(root().join("src")).expect("a file of src").with_extension("");
        let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_test = module.iter().any(|part| part == "tests");
        if module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        let tested = if is_test { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default() };
        let lines = tested.lines().count();
        let names = names(&code(tested)).into_iter().map(|name| absolute(&module, &name)).collect();
        Self { path: format!("src/{}", inside.with_extension("rs").display()), module, text, lines, names }
    }

    /// The part of the crate that it belongs to.
    fn part(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Source::read(&path));
            }
        }
    }
    assert!(found.len() > 20, "only {} files found in src", found.len());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The text without its comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap_or("") });
    lines.collect::<Vec<_>>().join("\n")
}

/// All paths that code names, imports as one path for each name.
fn names(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        rest = &rest[start..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word == "use" && after.starts_with(' ') {
            let (tree, after) = after.split_once(';').expect("the end of an import");
            names.extend(flatten(tree));
            rest = after;
        } else {
            names.insert(word.trim_end_matches(':').to_owned());
            rest = after;
        }
    }
    names
}

/// The paths of an import such as `a::{b, c::{self, d as e}}`.
fn flatten(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return if path.is_empty() { Vec::new() } else { vec![path.trim_end_matches("::self").to_owned()] };
    };
    let group = group.trim_end().strip_suffix('}').expect("the end of a group");
    let mut depth = 0;
    let items = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    items.flat_map(|item| flatten(&format!("{}{}", prefix.trim(), item.trim()))).filter(|path| !path.ends_with("::")).collect()
}

/// A path as seen from everywhere: `super` and `self` resolved by the module that it is written in.
fn absolute(module: &[String], path: &str) -> String {
    let mut at: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut parts = path.split("::").peekable();
    if !parts.peek().is_some_and(|first| matches!(*first, "self" | "super")) {
        return path.to_owned();
    }
    while let Some(step) = parts.next_if(|part| matches!(*part, "self" | "super")) {
        if step == "super" {
            at.pop();
        }
    }
    ["crate"].into_iter().chain(at).chain(parts).collect::<Vec<_>>().join("::")
}

/// Whether a path is `prefix` or lies below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn imports_are_read_as_they_are_meant() {
    let code = code("use a::{b, c::{self, d as e}};\n// use f::g;\nfn h() { i::j(k::L); }\npub use super::m;\n");
    let read = names(&code);
    for name in ["a::b", "a::c", "a::c::d", "i::j", "k::L", "super::m"] {
        assert!(read.contains(name), "{name} is missing in {read:?}");
    }
    assert!(!read.contains("f::g"), "a comment is no import");
    let module = ["x".to_owned(), "y".to_owned()];
    assert_eq!(absolute(&module, "super::m"), "crate::x::m");
    assert_eq!(absolute(&module, "super::super::m"), "crate::m");
    assert_eq!(absolute(&module, "self::m"), "crate::x::y::m");
    assert_eq!(absolute(&module, "std::fmt"), "std::fmt");
}

#[test]
fn parts_know_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = KNOWS.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        let part = source.part();
        let Some(allowed) = allowed.get(part) else {
            faults.push(format!("{}: no rule says whom `{part}` may know", source.path));
            continue;
        };
        for name in &source.names {
            let Some(known) = name.strip_prefix("crate::").and_then(|path| path.split("::").next()) else { continue };
            if known != part && !allowed.contains(&known) {
                faults.push(format!("{}: `{part}` must not know {name}", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn parts_do_not_know_what_is_kept_from_them() {
    let mut faults = Vec::new();
    for source in sources() {
        let rules = MUST_NOT_KNOW.iter().filter(|(part, _)| *part == source.part());
        for forbidden in rules.flat_map(|(_, forbidden)| *forbidden) {
            let named = source.names.iter().filter(|name| is_below(name, forbidden));
            faults.extend(named.map(|name| format!("{}: `{}` must not know {name}", source.path, source.part())));
        }
    }
    assert_none(&faults);
}

#[test]
fn backends_do_not_know_each_other() {
    let all: Vec<Source> = sources().into_iter().filter(|source| source.part() == "backend").collect();
    let modules = all.iter().filter_map(|source| source.module.get(1)).map(String::as_str);
    // The trait is in a file of its own, which all of them know.
    let backends: BTreeSet<&str> = modules.filter(|module| *module != "interface").collect();
    let parent = all.iter().find(|source| source.module.len() == 1).expect("src/backend/mod.rs");
    // `pub use livekit::LiveKit` gives what is in `livekit` a second name.
    let owner_of = |name: &str| {
        let inside = name.strip_prefix("crate::backend::")?.split("::").next()?;
        let exported = |backend: &&&str| parent.names.contains(&format!("{backend}::{inside}"));
        backends.iter().find(|backend| **backend == inside).or_else(|| backends.iter().find(exported)).copied()
    };
    let mut faults = Vec::new();
    for source in all.iter().filter(|source| source.module.len() > 1) {
        let others = source.names.iter().filter(|name| owner_of(name).is_some_and(|owner| owner != source.module[1]));
        faults.extend(others.map(|name| format!("{}: must not know {name}", source.path)));
    }
    assert_none(&faults);
}

#[test]
fn only_the_clock_reads_the_clock() {
    let mut faults = Vec::new();
    for source in sources().into_iter().filter(|source| source.part() != "clock") {
        let code = code(&source.text);
        let names = names(&code);
        let clocks = names.iter().filter(|name| CLOCKS.iter().any(|clock| *name == clock || name.ends_with(&format!("::{clock}"))));
        faults.extend(clocks.map(|name| format!("{}: {name} is for src/clock.rs alone", source.path)));
        let below = names.iter().filter(|name| name.contains("::Instant::") || name.contains("::SystemTime::"));
        faults.extend(below.map(|name| format!("{}: {name} is for src/clock.rs alone", source.path)));
        if code.contains("clippy::disallowed_methods") {
            faults.push(format!("{}: the lint that keeps the clock in one place must not be allowed", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn files_are_short_and_named_by_what_they_hold() {
    let mut faults = Vec::new();
    for source in sources() {
        let longest = if source.part() == "main" { LONGEST_MAIN } else { LONGEST_FILE };
        if source.lines > longest {
            faults.push(format!("{}: {} lines before its tests, at most {longest} are allowed", source.path, source.lines));
        }
        for name in source.module.iter().filter(|name| EMPTY_NAMES.contains(&name.as_str())) {
            faults.push(format!("{}: a module named {name} says nothing about what it holds", source.path));
        }
        let code = code(&source.text);
        for name in code.split("mod ").skip(1).filter_map(|rest| rest.split([';', ' ']).next()) {
            if EMPTY_NAMES.contains(&name) {
                faults.push(format!("{}: a module named {name} says nothing about what it holds", source.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn no_code_is_unsafe() {
    assert!(read(&root().join("Cargo.toml")).contains("unsafe_code = \"forbid\""), "Cargo.toml does not forbid unsafe code");
    let is_unsafe = |source: &Source| names(&code(&source.text)).contains("unsafe");
    assert_none(&sources().into_iter().filter(is_unsafe).map(|source| format!("{}: unsafe", source.path)).collect::<Vec<_>>());
}

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
    let sources = sources();
    let used = |name: &String| sources.iter().any(|source| source.names.iter().any(|path| path.starts_with(&format!("{name}::"))));
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
