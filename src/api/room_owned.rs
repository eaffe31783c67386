//! What the kinds have in common whose objects belong to a Room.

use kube::Resource;

use super::names::{MANAGED_BY, MANAGER};

/// An object that belongs to a Room of its namespace: the one that owns it or, before it has an owner, the one of this name.
pub trait RoomOwned: Resource<DynamicType = ()> {
    /// Name of the Room.
    fn room_name(&self) -> &str;

    /// Whether a Presenter had the gateway make the object, so that it is nobody else's.
    fn is_of_presenters(&self) -> bool {
        self.meta().labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|manager| manager == MANAGER)
    }
}
