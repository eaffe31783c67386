//! Which part of the crate may use which, and which other crates.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::design::layout;
use crate::modules::{Meaning, Use, circles, edges, uses};
use crate::source::{Source, sources};

/// Crates, parts of them, or modules of this one that a part must not use. A part is a folder or file of `src`.
const MUST_NOT_USE: &[(&str, &[&str])] = &[
    ("api", &["kube::Api", "kube::Client", "kube::api", "kube::client", "kube::runtime", "axum", "reqwest", "tokio"]),
    ("domain", &["kube::Api", "kube::Client", "kube::api", "kube::client", "kube::runtime", "axum", "reqwest", "tokio"]),
    ("domain", &["std::time::Instant", "std::time::SystemTime", "std::fs", "std::env", "std::net", "std::process", "livekit_api"]),
    ("backend", &["kube", "k8s_openapi", "axum"]),
    ("cluster", &["axum", "reqwest", "livekit_api", "livekit_protocol"]),
    ("controller", &["crate::backend::livekit", "crate::backend::fake", "axum", "reqwest", "livekit_api", "livekit_protocol"]),
    ("gateway", &["crate::backend::livekit", "crate::backend::fake", "livekit_api", "livekit_protocol"]),
    ("gateway/admission", &["axum", "crate::gateway::http"]),
    ("commands", &["axum", "livekit_api", "livekit_protocol"]),
];

/// A path of the crate as it is written in `MUST_NOT_USE`.
fn written(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Foreign(path) => path.clone(),
        Meaning::Module(module) => format!("crate::{}", module.join("::")),
        Meaning::Item(module, name) => format!("crate::{}::{name}", module.join("::")),
    }
}

/// Whether a path is `prefix` or lies below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What files name outside of their tests.
fn used() -> impl Iterator<Item = &'static Use<'static>> {
    uses().iter().filter(|named| !named.in_test)
}

#[test]
fn parts_use_only_what_the_table_of_the_design_says() {
    let table = layout();
    let parts: BTreeSet<&str> = sources().iter().map(Source::part).filter(|part| *part != "lib").collect();
    let unknown = parts.into_iter().filter(|part| !table.contains_key(*part));
    let mut faults: BTreeSet<String> =
        unknown.map(|part| format!("docs/design.md has no row for src/{part}; say there what it holds and may use")).collect();
    for Use { by, meaning, .. } in used() {
        let (Meaning::Item(module, _) | Meaning::Module(module)) = meaning else { continue };
        let (part, Some(known)) = (by.part(), module.first()) else { continue };
        if known != part && table.get(part).is_some_and(|allowed| !allowed.contains(known)) {
            // Move what both need to a part that both may use, or change the table.
            faults.insert(format!("{}: docs/design.md does not let `{part}` use {}", by.path, written(meaning)));
        }
    }
    assert_none(&faults.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_table_of_the_design_has_no_circle_and_no_row_for_what_is_not_there() {
    let table = layout();
    let there: BTreeSet<&str> = sources().iter().map(Source::part).collect();
    let named = table.iter().flat_map(|(part, allowed)| allowed.iter().chain([part]));
    let gone = named.filter(|part| !there.contains(part.as_str())).map(|part| format!("docs/design.md: there is no src/{part}"));
    let edges = table.iter().flat_map(|(part, allowed)| allowed.iter().map(|known| (part.clone(), known.clone()))).collect();
    let circles =
        circles(&edges).into_iter().map(|circle| format!("docs/design.md: {circle:?} may use each other; let one of them go without"));
    assert_none(&gone.chain(circles).collect::<Vec<_>>());
}

#[test]
fn parts_do_not_use_what_is_kept_from_them() {
    let mut faults = BTreeSet::new();
    for Use { by, line, meaning, .. } in used() {
        let (place, name) = (by.module.join("/"), written(meaning));
        let rules =
            MUST_NOT_USE.iter().filter(|(part, _)| place.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        if rules.flat_map(|(_, forbidden)| *forbidden).any(|forbidden| is_below(&name, forbidden)) {
            faults.insert(format!("{}:{line}: must not use {name}", by.path));
        }
    }
    assert_none(&faults.into_iter().collect::<Vec<_>>());
}

#[test]
fn media_servers_do_not_know_each_other() {
    let implements = |source: &&Source| source.implements.iter().any(|name| name == "Backend");
    let media_servers = sources().iter().filter(|source| source.part() == "backend").filter(implements);
    let implementations: BTreeSet<&str> = media_servers.map(|source| source.module[1].as_str()).collect();
    assert!(implementations.len() > 1, "no media servers found in src/backend");
    let mut faults = Vec::new();
    for edge in edges().iter().filter(|edge| edge.from.part() == "backend" && edge.to.part() == "backend") {
        let (Some(from), Some(to)) = (edge.from.module.get(1), edge.to.module.get(1)) else { continue };
        if from != to && implementations.contains(to.as_str()) {
            faults.push(format!("{}:{}: must not know the media server {to}, only the trait", edge.from.path, edge.line));
        }
    }
    assert_none(&faults);
}
