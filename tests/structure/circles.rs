//! No file uses itself by way of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::assert_none;
use crate::modules::{Edge, Meaning, Modules, circles, edges};
use crate::source::Source;

/// The circles among files, with the uses that close them.
fn faults(edges: &[Edge]) -> Vec<String> {
    let graph = edges.iter().map(|edge| (edge.from.path.clone(), edge.to.path.clone())).collect();
    let describe = |circle: BTreeSet<String>| {
        let mut uses: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for edge in edges.iter().filter(|edge| circle.contains(&edge.from.path) && circle.contains(&edge.to.path)) {
            uses.entry((&edge.from.path, &edge.to.path)).or_default().insert(edge.item);
        }
        let uses: Vec<String> = uses.into_iter().map(|((from, to), items)| format!("\n    {from} uses {items:?} of {to}")).collect();
        let uses = uses.concat();
        let names = circle.into_iter().collect::<Vec<_>>().join(", ");
        format!("{names} use each other; move what is used both ways to a file of its own, or take one direction out:{uses}")
    };
    circles(&graph).into_iter().map(describe).collect()
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    let edges = edges();
    assert!(edges.len() > 100, "only {} uses found", edges.len());
    assert_none(&faults(edges));
}

fn parsed(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::parse(Path::new(path), text)).collect()
}

#[test]
fn names_are_followed_to_where_they_are_defined() {
    let sources = parsed(&[
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a/mod.rs", "mod inner; pub use inner::{Thing as Renamed, *};"),
        ("a/inner.rs", "pub struct Thing; pub struct Other;\n#[cfg(test)]\nmod tests { use crate::b::run; }"),
        (
            "b.rs",
            "use crate::a::{self, Renamed};\nuse kube::api;\nfn run() { a::Other; api::PostParams; select! { x = super::a::inner::Thing => {} } }\n\
             #[serde(default = \"crate::a::Other\")]\nstruct S;",
        ),
    ]);
    let modules = Modules::of(&sources);
    let uses = modules.uses(&sources);
    let meanings: Vec<&Meaning> = uses.iter().filter(|named| named.by.path == "src/b.rs").map(|named| &named.meaning).collect();
    let inner = vec!["a".to_owned(), "inner".to_owned()];
    let times = |meaning: &Meaning| meanings.iter().filter(|found| **found == meaning).count();
    assert_eq!(times(&Meaning::Item(inner.clone(), "Thing".into())), 2, "an import and a macro: {meanings:?}");
    assert_eq!(times(&Meaning::Item(inner, "Other".into())), 2, "a glob and an attribute: {meanings:?}");
    assert_eq!(times(&Meaning::Foreign("kube::api::PostParams".into())), 1, "{meanings:?}");
    let edges = modules.edges(&uses);
    let pairs: BTreeSet<(&str, &str)> = edges.iter().map(|edge| (edge.from.path.as_str(), edge.to.path.as_str())).collect();
    assert_eq!(pairs, BTreeSet::from([("src/b.rs", "src/a/inner.rs")]), "neither re-exports nor tests use anything");
}

#[test]
fn circles_are_found_where_they_are() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A; use crate::b::B;"),
        ("b.rs", "pub struct B; fn f(_: crate::c::A) {}"),
        ("c.rs", "pub use crate::a::A;"),
    ]);
    let modules = Modules::of(&sources);
    let uses = modules.uses(&sources);
    let found = faults(&modules.edges(&uses));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("src/a.rs, src/b.rs use each other"), "by way of the re-export: {found:?}");
}
