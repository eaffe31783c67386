//! The RoomClass that the chart installs. The controller applies it from a file, because Helm cannot create a RoomClass in the same step as
//! its CustomResourceDefinition.

use std::path::{Path, PathBuf};

use kube::api::Patch;
use kube::{Api, Client, ResourceExt};

use super::writes::apply_params;
use crate::api::RoomClass;

/// Why the RoomClass of the file could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ClassFileError {
    /// The file cannot be read, or holds no RoomClass.
    #[error("the RoomClass in {path} cannot be read: {reason}")]
    File { path: PathBuf, reason: String },
    /// The API server refused it, or could not be reached.
    #[error("the RoomClass {name} could not be applied: {source}")]
    Apply { name: String, source: Box<kube::Error> },
}

/// Reads a RoomClass from a YAML file.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub fn read_class(path: &Path) -> Result<RoomClass, ClassFileError> {
    let fault = |reason: String| ClassFileError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| fault(error.to_string()))
}

/// Applies the class. Fields that the file does not name, and others set, stay.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn apply_class(client: Client, class: &RoomClass) -> Result<(), ClassFileError> {
    let name = class.name_any();
    let applied = Api::<RoomClass>::all(client).patch(&name, &apply_params(), &Patch::Apply(class)).await;
    applied.map(|_| ()).map_err(|source| ClassFileError::Apply { name, source: Box::new(source) })
}
