//! The RoomClass that an installation brings along. It comes as a file and not by the tool that installs, because that tool
//! installs the kind itself in the same step.

use std::path::{Path, PathBuf};

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

use crate::api::{MANAGER, RoomClass};

/// Why the class of the installation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassFileError {
    /// The file cannot be read.
    #[error("the RoomClass in {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The API server does not take it.
    #[error("the RoomClass {name} could not be applied: {source}")]
    Apply {
        /// Name of the class.
        name: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
}

/// Reads a RoomClass from a YAML file.
///
/// # Errors
/// When there is none in it.
pub fn read_class(path: &Path) -> Result<RoomClass, ClassFileError> {
    let fault = |reason: String| ClassFileError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| fault(error.to_string()))
}

/// Makes the class as the file says. What others set in it, and the file does not name, stays.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn apply_class(client: Client, class: &RoomClass) -> Result<(), ClassFileError> {
    let name = class.name_any();
    let applied = Api::<RoomClass>::all(client).patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(class)).await;
    applied.map(|_| ()).map_err(|source| ClassFileError::Apply { name, source: Box::new(source) })
}
