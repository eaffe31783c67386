//! The pages, taken apart.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::dates::Dates;

/// A page of the documentation.
pub struct Page {
    /// Its path in the repository.
    pub path: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// Its language.
    pub language: String,
    /// The comment before it, without its brackets.
    pub mark: Option<String>,
    pub text: String,
    /// The line that it begins at.
    pub line: usize,
}

/// What has to be there for a block to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Needs {
    /// An API server.
    Cluster,
    /// A node that runs Pods.
    Node,
    /// What the documentation cannot have: the reason.
    Reader(String),
}

impl Page {
    /// The page as it is on the day on which it is read.
    pub fn moved(&self, dates: Dates) -> Self {
        let text = dates.moved(&self.text);
        Self { path: self.path.clone(), blocks: blocks(&self.path, &text), text }
    }
}

impl Block {
    /// Whether it is commands.
    pub fn is_commands(&self) -> bool {
        ["sh", "bash", "shell", "console"].contains(&self.language.as_str())
    }

    /// What has to be there for it to run.
    pub fn needs(&self) -> Needs {
        match self.mark.as_deref() {
            Some("run: node") => Needs::Node,
            Some(mark) => match mark.strip_prefix("not run: ") {
                Some(reason) => Needs::Reader(reason.to_owned()),
                None => Needs::Cluster,
            },
            None => Needs::Cluster,
        }
    }

    /// The file that it is, if it says so in its first line.
    pub fn file(&self) -> Option<&str> {
        let name = self.text.lines().next()?.strip_prefix("# ")?;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        (self.language == "yaml" && is_name && name.contains('.') && !name.ends_with('.')).then_some(name)
    }

    /// Its commands, each with what is shown of its answer.
    pub fn commands(&self) -> Vec<(String, String)> {
        if self.language != "console" {
            return vec![(self.text.clone(), String::new())];
        }
        let mut commands: Vec<(String, String)> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((command, _))) if goes_on => command.extend(["\n", line]),
                (None, Some((_, answer))) => answer.extend([line, "\n"]),
                (None, None) => panic!("line {}: an answer before a command", self.line),
            }
            goes_on = line.ends_with('\\');
        }
        commands
    }
}

/// A path in the repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One page.
pub fn page(path: &str) -> Page {
    page_in(&in_repository(""), path)
}

fn page_in(repository: &Path, path: &str) -> Page {
    let text = fs::read_to_string(repository.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), blocks: blocks(path, &text), text }
}

/// All pages for users: the README and everything in `docs`, but what is for those who work on Roomkeeper.
pub fn pages() -> Vec<Page> {
    pages_in(&in_repository(""))
}

/// The same pages of a copy of the repository.
pub fn pages_in(repository: &Path) -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned()];
    let mut directories = vec!["docs".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(repository.join(&directory)).expect("a directory") {
            let entry = entry.expect("an entry");
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                directories.push(path);
            } else if entry.path().extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.retain(|path| !path.starts_with("docs/decisions/"));
    paths.sort();
    assert!(paths.len() > 20, "only {paths:?}");
    paths.iter().map(|path| page_in(repository, path)).collect()
}

fn blocks(path: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(language) = line.trim_start().strip_prefix("```") else {
            before = if line.trim().is_empty() { before } else { line.trim() };
            continue;
        };
        let mut inside = String::new();
        loop {
            let (_, line) = lines.next().unwrap_or_else(|| panic!("{path}:{}: a block without end", number + 1));
            if line.trim() == "```" {
                break;
            }
            inside += line.get(indent..).unwrap_or_default();
            inside.push('\n');
        }
        let mark = before.strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->")).map(str::to_owned);
        blocks.push(Block { language: language.to_owned(), mark, text: inside, line: number + 1 });
        before = "";
    }
    blocks
}

#[test]
fn a_page_is_taken_apart_as_it_is_meant() {
    let text = "Do this:\n\n<!-- run: node -->\n```sh\nls\n```\n1. List\n   ```yaml\n   # a.yaml\n   kind: A\n   ```\n```console\n$ a \\\n  b\nNAME\n$ c\n```\n";
    let blocks = blocks("page", text);
    assert_eq!(
        blocks.iter().map(|block| (block.language.as_str(), block.line)).collect::<Vec<_>>(),
        [("sh", 4), ("yaml", 8), ("console", 12)]
    );
    assert_eq!((blocks[0].needs(), blocks[1].needs()), (Needs::Node, Needs::Cluster));
    assert_eq!((blocks[0].file(), blocks[1].file()), (None, Some("a.yaml")));
    assert_eq!(blocks[2].commands(), [("a \\\n  b".into(), "NAME\n".into()), ("c".into(), String::new())]);
}
