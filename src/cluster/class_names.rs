//! The names of classes, as many Rooms have them.

use std::collections::HashSet;
use std::sync::Arc;

/// Names of which each is kept once: of classes there are few.
#[derive(Default)]
pub(super) struct ClassNames(HashSet<Arc<str>>);

impl ClassNames {
    /// The one copy of a name.
    pub fn keep(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let name = Arc::<str>::from(name);
        self.0.insert(name.clone());
        name
    }
}
