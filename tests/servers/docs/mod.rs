//! The documentation: every command in it is run as it stands, every manifest is shown to a real API server, every link leads
//! somewhere, and what it lists is what there is.
//!
//! How a block of a page is taken:
//! - `sh` and `console` (lines that begin with `$ `) run in the order of the page, in one shell, in a directory where the
//!   repository's `charts`, `crds`, `examples` and `gitops` are, with kubectl's namespace being one of the page's own.
//! - `yaml` whose first line is a comment with a file's name becomes that file. Objects of Kubernetes are applied by a dry run.
//! - A command that begins with `! ` has to fail.
//! - Dates are written as on 1 January 2030, and are moved to the day on which they are tried.
//! - `<!-- run: node -->` before a block: it needs Pods, so it is `tests/servers/node/documentation.rs` that runs it.
//! - `<!-- not run: why -->` before a block: it is not run, and the reason is printed.

mod commands;
mod coverage;
mod dates;
mod links;
mod manifests;
pub mod pages;
pub mod reader;
