//! Where a name is defined: paths are followed through imports and re-exports to the file that has the item.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::source::{Kind, Mention, Module, Scope, Source, sources};

/// How many imports a name is followed through.
const LONGEST_CHAIN: usize = 16;

/// All modules of the crate.
pub struct Modules<'a> {
    scopes: BTreeMap<&'a [String], (&'a Source, &'a Scope)>,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An item of this module of the crate.
    Item(Module, String),
    /// A module of the crate.
    Module(Module),
    /// Something of another crate, by its whole path.
    Foreign(String),
}

/// A path that a file names, with its meaning.
pub struct Use<'a> {
    pub by: &'a Source,
    pub line: usize,
    pub kind: Kind,
    pub in_test: bool,
    pub meaning: Meaning,
}

/// One file uses an item of another.
pub struct Edge<'a> {
    pub from: &'a Source,
    pub to: &'a Source,
    pub line: usize,
    pub item: &'a str,
}

impl<'a> Modules<'a> {
    pub fn of(sources: &'a [Source]) -> Self {
        let scopes = sources.iter().flat_map(|source| source.scopes.iter().map(move |scope| (scope.module.as_slice(), (source, scope))));
        Self { scopes: scopes.collect() }
    }

    /// Everything that files name and that means something outside of a function.
    pub fn uses(&self, sources: &'a [Source]) -> Vec<Use<'a>> {
        let named = sources.iter().flat_map(|by| by.mentions.iter().map(move |mention| (by, mention)));
        named
            .filter_map(|(by, Mention { path, module, line, kind, in_test })| {
                let meaning = self.resolve(module, path, LONGEST_CHAIN)?;
                Some(Use { by, line: *line, kind: *kind, in_test: *in_test, meaning })
            })
            .collect()
    }

    /// The file of a module.
    pub fn file(&self, module: &[String]) -> Option<&'a Source> {
        self.scopes.get(module).map(|(source, _)| *source)
    }

    fn resolve(&self, module: &[String], path: &[String], left: usize) -> Option<Meaning> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(&[], rest, left),
            // As the binary sees the library.
            "roomkeeper" if module.first().is_some_and(|part| part == "main") => self.walk(&[], rest, left),
            "self" => self.walk(module, rest, left),
            "super" => self.resolve_from_parent(module, rest, left),
            "Self" => None,
            _ => self.walk(module, path, left).or_else(|| (path.len() > 1 || !first.is_empty()).then(|| Meaning::Foreign(path.join("::")))),
        }
    }

    fn resolve_from_parent(&self, module: &[String], rest: &[String], left: usize) -> Option<Meaning> {
        let (_, parent) = module.split_last()?;
        match rest.first().map(String::as_str) {
            Some("super") => self.resolve_from_parent(parent, &rest[1..], left),
            _ => self.walk(parent, rest, left),
        }
    }

    /// Goes down from a module.
    fn walk(&self, module: &[String], path: &[String], left: usize) -> Option<Meaning> {
        let Some((name, rest)) = path.split_first() else { return Some(Meaning::Module(module.to_vec())) };
        let (_, scope) = self.scopes.get(module)?;
        if scope.items.contains(name) {
            return Some(Meaning::Item(module.to_vec(), name.clone()));
        }
        let child: Module = module.iter().chain([name]).cloned().collect();
        if self.scopes.contains_key(child.as_slice()) {
            return self.walk(&child, rest, left);
        }
        let left = left.checked_sub(1)?;
        let mut imports = scope.imports.iter().filter(|(imported, path)| imported == name && path.as_slice() != [name.clone()]);
        if let Some((_, behind)) = imports.next() {
            return self.resolve(module, &[behind, rest].concat(), left);
        }
        scope.globs.iter().find_map(|glob| match self.resolve(module, glob, left)? {
            Meaning::Module(all) if all != module => self.walk(&all, path, left),
            _ => None,
        })
    }

    /// Which file uses which, outside of tests. A module that shows what is below it to others does not use it thereby.
    pub fn edges(&self, uses: &'a [Use<'a>]) -> Vec<Edge<'a>> {
        let mut edges = Vec::new();
        for Use { by, line, kind, meaning, .. } in uses.iter().filter(|named| !named.in_test) {
            let Meaning::Item(module, item) = meaning else { continue };
            let shows_what_is_below = *kind == Kind::Reexport && module.starts_with(&by.module);
            if let Some(to) = self.file(module).filter(|to| to.path != by.path && !shows_what_is_below) {
                edges.push(Edge { from: by, to, line: *line, item });
            }
        }
        edges
    }
}

/// What the files of `src` name, found once for all tests.
pub fn uses() -> &'static [Use<'static>] {
    static USES: LazyLock<Vec<Use<'static>>> = LazyLock::new(|| Modules::of(sources()).uses(sources()));
    &USES
}

/// Which file of `src` uses which.
pub fn edges() -> &'static [Edge<'static>] {
    static EDGES: LazyLock<Vec<Edge<'static>>> = LazyLock::new(|| Modules::of(sources()).edges(uses()));
    &EDGES
}

/// The circles of a graph: sets of nodes that can all be reached from each other.
pub fn circles(edges: &BTreeSet<(String, String)>) -> Vec<BTreeSet<String>> {
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges {
        after.entry(from).or_default().push(to);
    }
    let reached_from = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![start];
        while let Some(node) = next.pop() {
            next.extend(after.get(node).into_iter().flatten().filter(|node| seen.insert((**node).to_owned())));
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<String>> = after.keys().map(|node| (*node, reached_from(node))).collect();
    let mut found: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (node, seen) in reach.iter().filter(|(node, seen)| seen.contains(**node)) {
        let circle = seen.iter().filter(|other| reach.get(other.as_str()).is_some_and(|back| back.contains(*node)));
        found.insert(circle.cloned().collect());
    }
    found.into_iter().collect()
}
