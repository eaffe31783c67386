//! Which backend serves which class.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::interface::Backend;
use crate::api::Reason;
use crate::domain::Failure;

/// The backends by name of the class. Whoever watches the classes fills it, everybody else reads.
#[derive(Default)]
pub struct Registry {
    classes: RwLock<HashMap<String, Usable>>,
}

/// A backend, or why there is none to use.
type Usable = Result<Arc<dyn Backend>, Failure>;

impl Registry {
    /// The backend of a class, or why it cannot be used.
    pub fn get(&self, class: &str) -> Usable {
        let unknown = || Failure::transient(Reason::Unreachable, "the media server of this class is not known yet");
        self.classes.read().get(class).cloned().unwrap_or_else(|| Err(unknown()))
    }

    /// All backends that can be used, with the names of their classes.
    pub fn usable(&self) -> Vec<(String, Arc<dyn Backend>)> {
        self.classes.read().iter().filter_map(|(class, usable)| Some((class.clone(), usable.clone().ok()?))).collect()
    }

    /// Sets the backend of a class, or why it cannot be used.
    pub fn set(&self, class: &str, usable: Usable) {
        self.classes.write().insert(class.to_owned(), usable);
    }

    /// Forgets a class.
    pub fn remove(&self, class: &str) {
        self.classes.write().remove(class);
    }
}
