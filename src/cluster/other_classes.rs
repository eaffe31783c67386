//! What is known of the RoomClasses that other installations look after.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::api::RoomClass;

/// Names of the RoomClasses of other installations: their Rooms are left alone, and not judged for want of a class.
#[derive(Clone, Default)]
pub struct OtherClasses {
    names: Arc<RwLock<Names>>,
    changed: Arc<watch::Sender<()>>,
}

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
        self.names.read().known.contains_key(name)
    }

    /// Whether another installation has a default class.
    #[must_use]
    pub fn have_default(&self) -> bool {
        self.names.read().known.values().any(|is_default| *is_default)
    }

    /// Changes when a class of another installation comes or goes, or becomes or ceases to be a default one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes note of what an event says of others; whether it concerns this installation.
    pub(super) fn take(&self, event: &Event<RoomClass>, is_ours: impl Fn(&RoomClass) -> bool) -> bool {
        if let Event::InitApply(class) | Event::Apply(class) | Event::Delete(class) = event
            && is_ours(class)
        {
            // It may have been deleted, and made again for us.
            self.names.write().known.remove(&class.name_any());
            return true;
        }
        if self.names.write().take(event) {
            self.changed.send_replace(());
        }
        matches!(event, Event::Init | Event::InitDone)
    }
}

impl Names {
    /// Whether an event of a class of others changed what is known.
    fn take(&mut self, event: &Event<RoomClass>) -> bool {
        let Self { known, listed } = self;
        match event {
            Event::Init => {
                listed.clear();
                false
            }
            Event::InitDone => {
                let before = std::mem::replace(known, std::mem::take(listed));
                before != *known
            }
            Event::InitApply(class) => {
                listed.insert(class.name_any(), class.is_default());
                known.insert(class.name_any(), class.is_default()) != Some(class.is_default())
            }
            Event::Apply(class) => known.insert(class.name_any(), class.is_default()) != Some(class.is_default()),
            Event::Delete(class) => known.remove(&class.name_any()).is_some(),
        }
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

    #[test]
    fn each_change_of_what_others_have_is_told() {
        let others = OtherClasses::default();
        let mut changes = others.changes();
        let mut told = |event| {
            take(&others, &event);
            let news = changes.has_changed().unwrap();
            changes.mark_unchanged();
            news
        };
        assert!(!told(Event::Init));
        assert!(told(Event::InitApply(class("theirs", true))));
        assert!(!told(Event::InitDone), "nothing is new");
        assert!(!told(Event::Apply(class("theirs", true))), "its status, say");
        assert!(told(Event::Apply(class("theirs", false))));
        assert!(!told(Event::Apply(class("ours", true))));
        assert!(told(Event::Delete(class("theirs", false))));
        told(Event::Apply(class("theirs", true)));
        assert!(!told(Event::Init));
        assert!(told(Event::InitDone), "it went while the watch was cut");
    }
}
