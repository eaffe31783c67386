//! The pinned servers and clients that `make tools` builds.

use std::env;
use std::path::{Path, PathBuf};

/// The path of a tool: in `ROOMKEEPER_TOOLS` if that is set, else in `.tools/bin` of the repository.
pub fn tool(name: &str) -> PathBuf {
    let ours = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let directory = env::var_os("ROOMKEEPER_TOOLS").map_or_else(ours, PathBuf::from);
    let path = directory.join(name);
    assert!(path.is_file(), "{name} is not in {}: run `make tools`", directory.display());
    path
}
