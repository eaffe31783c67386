//! What the tools say of an object: kstatus by its own library, Argo CD by our scripts in its own engine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use super::{in_repository, printed};
use crate::support::tools::tool;

/// A status and its words.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct ConditionState {
    pub status: String,
    pub message: String,
}

/// What kstatus says of an object.
pub fn kstatus(object: &Value) -> ConditionState {
    ask(&mut Command::new(tool("kstatus")), &object.to_string())
}

/// What Argo CD says of an object of this kind, given as YAML.
pub fn argo_cd(kind: &str, object: &str) -> ConditionState {
    ask(Command::new(tool("argo-health")).arg(folder(kind).join("health.lua")), object)
}

/// Where Argo CD's customization for a kind is.
pub fn folder(kind: &str) -> PathBuf {
    in_repository("gitops/argo-cd/roomkeeper.io").join(kind)
}

/// Reads YAML.
pub fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn ask(program: &mut Command, object: &str) -> ConditionState {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("the tool");
    child.stdin.take().expect("its input").write_all(object.as_bytes()).expect("it reads");
    let said = printed(&child.wait_with_output().expect("it ends"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{said}: {error}"))
}
