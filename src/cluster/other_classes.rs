//! What is known of the RoomClasses that other installations look after.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::api::RoomClass;

/// Names of the RoomClasses of other installations: their Rooms are left alone, and not judged for want of a class.
#[derive(Clone, Default)]
pub struct OtherClasses(Arc<RwLock<Names>>);

/// Names, each with whether the class is a default one.
#[derive(Default)]
struct Names {
    known: HashMap<String, bool>,
    /// What a list that is under way has brought.
    listed: HashMap<String, bool>,
}

impl OtherClasses {
    /// Whether a class of this name is another installation's.
    #[must_use]
    pub fn have(&self, name: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.contains_key(name)
    }

    /// Whether another installation has a default class.
    #[must_use]
    pub fn have_default(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.values().any(|is_default| *is_default)
    }

    /// Takes note of what an event says of others; whether it concerns this installation.
    pub(super) fn take(&self, event: &Event<RoomClass>, is_ours: impl Fn(&RoomClass) -> bool) -> bool {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Names { known, listed } = &mut *names;
        match event {
            Event::Init => listed.clear(),
            Event::InitDone => *known = std::mem::take(listed),
            Event::InitApply(class) | Event::Apply(class) | Event::Delete(class) if is_ours(class) => {
                // It may have been deleted, and made anew for us.
                known.remove(&class.name_any());
            }
            Event::InitApply(class) => {
                listed.insert(class.name_any(), class.is_default());
                known.insert(class.name_any(), class.is_default());
                return false;
            }
            Event::Apply(class) => {
                known.insert(class.name_any(), class.is_default());
                return false;
            }
            Event::Delete(class) => {
                known.remove(&class.name_any());
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::DEFAULT_CLASS_ANNOTATION;

    fn class(name: &str, is_default: bool) -> RoomClass {
        let annotations = json!({DEFAULT_CLASS_ANNOTATION: is_default.to_string()});
        serde_json::from_value(json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"backend": {}}})).expect("a class")
    }

    /// Classes whose names begin with `our` are ours.
    fn take(others: &OtherClasses, event: &Event<RoomClass>) -> bool {
        others.take(event, |class| class.name_any().starts_with("our"))
    }

    #[test]
    fn only_the_classes_of_others_are_kept_from_us_and_remembered() {
        let others = OtherClasses::default();
        assert!(take(&others, &Event::Init));
        assert!(!take(&others, &Event::InitApply(class("their-first", true))));
        assert!(take(&others, &Event::InitApply(class("ours", true))));
        assert!(take(&others, &Event::InitDone));
        assert!(!take(&others, &Event::Apply(class("their-second", false))));
        assert!(others.have("their-first") && others.have("their-second") && !others.have("ours") && !others.have("nobodys"));
        assert!(others.have_default());
        assert!(!take(&others, &Event::Delete(class("their-first", true))));
        assert!(!others.have("their-first") && !others.have_default());
    }

    #[test]
    fn a_class_that_a_new_list_does_not_have_is_forgotten_and_none_is_missing_meanwhile() {
        let others = OtherClasses::default();
        for event in [Event::Init, Event::InitApply(class("kept", false)), Event::InitApply(class("gone", false)), Event::InitDone] {
            take(&others, &event);
        }
        take(&others, &Event::Init);
        assert!(others.have("kept") && others.have("gone"), "a list is under way");
        take(&others, &Event::InitApply(class("kept", false)));
        take(&others, &Event::InitDone);
        assert!(others.have("kept") && !others.have("gone"));
    }
}
