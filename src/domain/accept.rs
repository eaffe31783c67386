//! Whether a Room is accepted: one judgement for the controller, the gateway and the simulation of the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::core::{Selector, SelectorExt};

use super::rejection::Rejection;
use super::roster::Roster;
use super::valid_room::ValidRoom;
use super::validate::{choose_class, validate};
use crate::api::{AllowedNamespaces, ConditionType, NamespacesFrom, Reason, Room, RoomClass};

/// How the namespace of a Room is judged.
#[derive(Clone, Copy, Debug)]
pub enum NamespaceView<'a> {
    /// By its labels; `None` when the namespace is not known.
    Labels(Option<&'a BTreeMap<String, String>>),
    /// By what the controller recorded in the Room's status: the gateway has no right to read namespaces.
    Recorded,
}

/// Judges a Room with this roster by its class, among `classes`, and by its namespace.
///
/// # Errors
/// With the reason and message of the condition `Accepted`.
pub fn accept<'a>(
    room: &Room,
    roster: Arc<Roster>,
    classes: impl IntoIterator<Item = &'a RoomClass>,
    namespace: NamespaceView<'_>,
) -> Result<ValidRoom, Rejection> {
    if let NamespaceView::Recorded = namespace
        && let Some(rejected) = room.status.as_ref().and_then(|status| status.condition(ConditionType::Accepted, false))
    {
        return Err(Rejection { reason: Reason::NotAccepted, message: rejected.message.clone() });
    }
    let class = choose_class(room, classes)?;
    if let NamespaceView::Labels(labels) = namespace {
        admits_namespace(class, room.metadata.namespace.as_deref().unwrap_or_default(), labels)?;
    }
    validate(room, roster, class)
}

/// Whether a class is open to a namespace with these labels; `None` when the namespace is not known.
fn admits_namespace(class: &RoomClass, namespace: &str, labels: Option<&BTreeMap<String, String>>) -> Result<(), Rejection> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let refused = || Rejection {
        reason: Reason::NamespaceNotAllowed,
        message: format!("RoomClass \"{name}\" is not open to namespace \"{namespace}\""),
    };
    match &class.spec.allowed_namespaces {
        None | Some(AllowedNamespaces { from: NamespacesFrom::All, .. }) => Ok(()),
        Some(AllowedNamespaces { from: NamespacesFrom::Selector, selector }) => {
            // An empty selector matches every namespace, an absent one none.
            let selector = Selector::try_from(selector.clone().ok_or_else(refused)?).map_err(|_| refused())?;
            if labels.is_some_and(|labels| selector.matches(labels)) { Ok(()) } else { Err(refused()) }
        }
    }
}
