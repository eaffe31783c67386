//! The files of `src`, as the parser sees them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, ItemUse, Path as Names, Signature, TraitItemFn, UseTree,
    Visibility,
};

/// A module, as path from the root of the crate. `main.rs` is a crate of its own and taken for the module `main`.
pub type Module = Vec<String>;

/// A file of `src`.
pub struct Source {
    /// Where it is, for messages, such as `src/backend/mod.rs`.
    pub path: String,
    /// Its module.
    pub module: Module,
    /// What it defines, module by module: its own, and those inside of it.
    pub scopes: Vec<Scope>,
    /// Every path that it names.
    pub mentions: Vec<Mention>,
    /// Its functions outside of tests, with their lines.
    pub functions: Vec<(String, usize)>,
    /// The traits that it implements.
    pub implements: Vec<String>,
    /// Its lines outside of tests.
    pub lines: usize,
}

/// One module of a file.
#[derive(Default)]
pub struct Scope {
    pub module: Module,
    /// Types, functions, traits and constants that it defines.
    pub items: Vec<String>,
    /// What it imports: the name, and the path behind it.
    pub imports: Vec<(String, Vec<String>)>,
    /// What it imports everything of.
    pub globs: Vec<Vec<String>>,
}

/// A path that is named somewhere.
pub struct Mention {
    pub path: Vec<String>,
    /// The module that it stands in.
    pub module: Module,
    pub line: usize,
    pub kind: Kind,
    pub in_test: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Code,
    Import,
    Reexport,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

/// All files of `src`, parsed once for all tests.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut found = Vec::new();
        let mut directories = vec![root().join("src")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let inside = path.strip_prefix(root().join("src")).expect("a file of src").to_owned();
                    found.push(Source::parse(&inside, &read(&path)));
                }
            }
        }
        assert!(found.len() > 20, "only {} files found in src", found.len());
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    });
    &SOURCES
}

impl Source {
    /// Reads a file whose place in `src` is `inside`.
    pub fn parse(inside: &Path, text: &str) -> Self {
        let mut module: Module = inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_test = module.iter().any(|part| part == "tests");
        if module.last().is_some_and(|name| name == "mod") || module == ["lib"] {
            module.pop();
        }
        let path = format!("src/{}", inside.display());
        let file: File = syn::parse_file(text).unwrap_or_else(|error| panic!("{path} cannot be parsed: {error}"));
        let mut reader = Reader { module: module.clone(), in_test: is_test, ..Reader::default() };
        reader.enter(module.clone(), |reader| reader.visit_file(&file));
        let Reader { scopes, mentions, functions, implements, test_lines, .. } = reader;
        let lines = if is_test { 0 } else { text.lines().count() - test_lines };
        Self { path, module, scopes, mentions, functions, implements, lines }
    }

    /// The first folder or file of `src` that it belongs to, such as `domain` or `clock`.
    pub fn part(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// Collects what a file defines and names.
#[derive(Default)]
struct Reader {
    module: Module,
    in_test: bool,
    /// The modules that it is inside of, the innermost last, as places in `scopes`.
    open: Vec<usize>,
    scopes: Vec<Scope>,
    mentions: Vec<Mention>,
    functions: Vec<(String, usize)>,
    implements: Vec<String>,
    test_lines: usize,
}

impl Reader {
    fn enter(&mut self, module: Module, read: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.module, module.clone());
        self.open.push(self.scopes.len());
        self.scopes.push(Scope { module, ..Scope::default() });
        read(self);
        self.open.pop();
        self.module = outer;
    }

    fn scope(&mut self) -> &mut Scope {
        let innermost = *self.open.last().expect("the file's own module");
        &mut self.scopes[innermost]
    }

    fn mention(&mut self, path: Vec<String>, line: usize, kind: Kind) {
        self.mentions.push(Mention { path, module: self.module.clone(), line, kind, in_test: self.in_test });
    }

    fn within_test(&mut self, is_test: bool, read: impl FnOnce(&mut Self)) {
        let outer = self.in_test;
        self.in_test |= is_test;
        read(self);
        self.in_test = outer;
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        if !self.in_test {
            let (first, last) = (signature.fn_token.span.start().line, block.brace_token.span.close().end().line);
            self.functions.push((signature.ident.to_string(), last + 1 - first));
        }
    }

    fn import(&mut self, tree: &UseTree, before: &[String], kind: Kind) {
        let then = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &then(path.ident.to_string()), kind),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.import(item, before, kind)),
            UseTree::Glob(glob) => {
                self.scope().globs.push(before.to_vec());
                self.mention(before.to_vec(), glob.star_token.span.start().line, kind);
            }
            UseTree::Name(name) => {
                let path = if name.ident == "self" { before.to_vec() } else { then(name.ident.to_string()) };
                let named = path.last().expect("a name").clone();
                self.scope().imports.push((named, path.clone()));
                self.mention(path, name.ident.span().start().line, kind);
            }
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { before.to_vec() } else { then(rename.ident.to_string()) };
                self.scope().imports.push((rename.rename.to_string(), path.clone()));
                self.mention(path, rename.ident.span().start().line, kind);
            }
        }
    }

    /// The paths in tokens that no parser has made anything of: what macros and attributes are given.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut colons, mut line) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path_in_tokens(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                // `#[serde(default = "path::to")]` names a function in a text.
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let names: Vec<&str> = text.trim_matches('"').split("::").collect();
                    let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    if text.starts_with('"') && names.len() > 1 && names.iter().all(is_name) {
                        let names = names.into_iter().map(str::to_owned).collect();
                        self.mention(names, literal.span().start().line, Kind::Code);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            self.path_in_tokens(&mut path, line);
            colons = 0;
        }
        self.path_in_tokens(&mut path, line);
    }

    fn path_in_tokens(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.mention(std::mem::take(path), line, Kind::Code);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = named(item);
        if let Some(name) = name {
            self.scope().items.push(name);
        }
        self.within_test(is_for_tests(attributes), |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = if let ImplItem::Fn(function) = item { function.attrs.as_slice() } else { &[] };
        self.within_test(is_for_tests(attributes), |reader| visit::visit_impl_item(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let Some((brace, items)) = &item.content else { return };
        if is_for_tests(&item.attrs) {
            let first = item.attrs.first().map_or(item.mod_token.span, |attribute| attribute.pound_token.span);
            self.test_lines += brace.span.close().end().line + 1 - first.start().line;
        }
        let module = self.module.iter().cloned().chain([item.ident.to_string()]).collect();
        self.enter(module, |reader| items.iter().for_each(|item| reader.visit_item(item)));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let kind = if matches!(item.vis, Visibility::Inherited) { Kind::Import } else { Kind::Reexport };
        self.import(&item.tree, &[], kind);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let implemented = item.trait_.iter().filter_map(|(name, ..)| name.segments.last());
        self.implements.extend(implemented.map(|segment| segment.ident.to_string()));
        visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast Names) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.mention(names, line, Kind::Code);
        visit::visit_path(self, path);
    }

    /// `pub(super)` and `pub(in path)` use nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.tokens(tokens.clone());
    }
}

/// The name that an item defines, and its attributes.
fn named(item: &Item) -> (Option<String>, &[Attribute]) {
    let (name, attributes) = match item {
        Item::Const(item) => (Some(&item.ident), &item.attrs),
        Item::Enum(item) => (Some(&item.ident), &item.attrs),
        Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
        Item::Static(item) => (Some(&item.ident), &item.attrs),
        Item::Struct(item) => (Some(&item.ident), &item.attrs),
        Item::Trait(item) => (Some(&item.ident), &item.attrs),
        Item::Type(item) => (Some(&item.ident), &item.attrs),
        Item::Union(item) => (Some(&item.ident), &item.attrs),
        Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
        Item::Impl(item) => (None, &item.attrs),
        Item::Mod(item) => (None, &item.attrs),
        Item::Use(item) => (None, &item.attrs),
        _ => return (None, &[]),
    };
    (name.map(ToString::to_string), attributes)
}

/// Whether these are the attributes of something that is compiled for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let is_cfg_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    };
    attributes.iter().any(|attribute| is_cfg_test(attribute) || attribute.path().is_ident("test"))
}
