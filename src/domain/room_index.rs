//! The objects that belong to each Room, without a look at those of all others.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::api::{Identified, Identity, RoomOwned};

/// Namespace and name of an object.
type Name = (String, String);
/// Objects come in the order in which they were created.
type Place = (Option<Timestamp>, String);

/// The Rooms that an object can belong to: the one that owns it or, before it has an owner, any of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Home {
    room: Name,
    owner: Option<String>,
}

/// Names of objects of one kind by the Room that they belong to.
#[derive(Default)]
pub struct RoomIndex {
    homes: HashMap<Home, BTreeSet<Place>>,
    objects: HashMap<Name, (Home, Place)>,
}

impl RoomIndex {
    /// Takes in an object as it is now. One that is being deleted is gone.
    pub fn apply(&mut self, object: &impl RoomOwned) {
        self.remove(object);
        let Some(home) = home(object) else { return };
        let name = name(object);
        let place = (object.meta().creation_timestamp.as_ref().map(|created| created.0), name.1.clone());
        self.homes.entry(home.clone()).or_default().insert(place.clone());
        self.objects.insert(name, (home, place));
    }

    /// An object is gone.
    pub fn remove(&mut self, object: &impl RoomOwned) {
        let Some((home, place)) = self.objects.remove(&name(object)) else { return };
        if let Some(places) = self.homes.get_mut(&home) {
            places.remove(&place);
            if places.is_empty() {
                self.homes.remove(&home);
            }
        }
    }

    /// Names of the first objects of a Room, at most so many, in the order in which they came: what comes after costs nothing.
    #[must_use]
    pub fn first(&self, room: &impl Identified, most: usize) -> Vec<&str> {
        names(self.first_places(room, most))
    }

    /// Names of the last objects of a Room, at most so many, in the order in which they came: what came before costs nothing.
    #[must_use]
    pub fn last(&self, room: &impl Identified, most: usize) -> Vec<&str> {
        let mut last: Vec<&Place> = self.places(room).flat_map(|places| places.iter().rev().take(most)).collect();
        last.sort();
        names(last.split_off(last.len().saturating_sub(most)))
    }

    /// Whether an object belongs to a Room and is none of its first.
    #[must_use]
    pub fn is_late(&self, object: &impl RoomOwned, room: &impl Identified, most: usize) -> bool {
        let Some((home, place)) = self.objects.get(&name(object)) else { return false };
        let first = self.first_places(room, most);
        homes(room).contains(home) && first.len() == most && first.last().is_some_and(|last| *last < place)
    }

    fn first_places(&self, room: &impl Identified, most: usize) -> Vec<&Place> {
        let mut first: Vec<&Place> = self.places(room).flat_map(|places| places.iter().take(most)).collect();
        first.sort();
        first.truncate(most);
        first
    }

    fn places(&self, room: &impl Identified) -> impl Iterator<Item = &BTreeSet<Place>> {
        homes(room).into_iter().filter_map(|home| self.homes.get(&home))
    }
}

fn names(places: Vec<&Place>) -> Vec<&str> {
    places.into_iter().map(|(_, name)| name.as_str()).collect()
}

/// Where the objects of a Room belong.
fn homes(room: &impl Identified) -> [Home; 2] {
    let Identity { namespace, name, uid, .. } = room.identity();
    [None, uid].map(|owner| Home { room: (namespace.to_owned(), name.to_owned()), owner: owner.map(str::to_owned) })
}

/// Where an object belongs; nowhere while it is being deleted, or when two Rooms own it.
fn home(object: &impl RoomOwned) -> Option<Home> {
    let metadata = object.meta();
    let mut owners: Vec<&str> =
        metadata.owner_references.iter().flatten().filter(|owner| owner.kind == "Room").map(|owner| owner.uid.as_str()).collect();
    owners.dedup();
    if metadata.deletion_timestamp.is_some() || owners.len() > 1 {
        return None;
    }
    let room = (metadata.namespace.clone().unwrap_or_default(), object.room_name().to_owned());
    Some(Home { room, owner: owners.pop().map(str::to_owned) })
}

fn name(object: &impl RoomOwned) -> Name {
    (object.meta().namespace.clone().unwrap_or_default(), object.meta().name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::RoomGuest;
    use crate::fixtures::{ROOM_UID, guest, room_from};

    /// A guest with more in its metadata.
    fn guest_with(name: &str, metadata: &Value) -> RoomGuest {
        let mut object = serde_json::to_value(guest(name, "Attendee", None).as_ref()).unwrap();
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn owned_by(uids: &[&str]) -> Value {
        let owner = |uid: &&str| json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "name": "standup", "uid": uid});
        json!({"ownerReferences": uids.iter().map(owner).collect::<Vec<_>>()})
    }

    /// As many as there can be.
    const ALL: usize = usize::MAX;

    fn index(guests: &[RoomGuest]) -> RoomIndex {
        let mut index = RoomIndex::default();
        for guest in guests {
            index.apply(guest);
        }
        index
    }

    #[rstest]
    #[case::without_an_owner(json!({}), 1)]
    #[case::that_the_room_owns(owned_by(&[ROOM_UID]), 1)]
    #[case::of_one_of_its_name_that_is_gone(owned_by(&["uid-of-one-before"]), 0)]
    #[case::of_both(owned_by(&[ROOM_UID, "uid-of-one-before"]), 0)]
    #[case::of_another_namespace(json!({"namespace": "other"}), 0)]
    #[case::being_deleted(json!({"deletionTimestamp": "2030-01-01T00:00:00Z"}), 0)]
    fn guests_are_those_of_this_room_and_no_other_of_its_name(#[case] metadata: Value, #[case] count: usize) {
        assert_eq!(index(&[guest_with("eve", &metadata)]).first(&room_from(json!({})), ALL).len(), count);
    }

    #[test]
    fn they_come_in_the_order_in_which_they_were_created_owned_or_not() {
        let created = |name, owner: &[&str], second: u8| {
            let mut metadata = owned_by(owner);
            metadata["creationTimestamp"] = json!(format!("2030-01-01T00:00:{second:02}Z"));
            guest_with(name, &metadata)
        };
        let guests = [created("c", &[ROOM_UID], 1), created("b", &[], 2), created("a", &[ROOM_UID], 3), created("d", &[], 1)];
        let (index, room) = (index(&guests), room_from(json!({})));
        assert_eq!(index.first(&room, ALL), ["c", "d", "b", "a"]);
        assert_eq!((index.first(&room, 3), index.last(&room, 3)), (vec!["c", "d", "b"], vec!["d", "b", "a"]));
    }

    #[test]
    fn a_guest_that_changes_is_there_once_and_one_that_goes_not_at_all() {
        let mut index = index(&[guest_with("eve", &json!({}))]);
        let adopted = guest_with("eve", &owned_by(&[ROOM_UID]));
        index.apply(&adopted);
        assert_eq!(index.first(&room_from(json!({})), ALL), ["eve"]);
        index.apply(&guest_with("eve", &json!({"deletionTimestamp": "2030-01-01T00:00:00Z"})));
        index.remove(&adopted);
        assert!(index.first(&room_from(json!({})), ALL).is_empty() && index.homes.is_empty() && index.objects.is_empty());
    }

    #[test]
    fn of_a_hundred_thousand_objects_a_room_looks_at_its_own_and_at_no_more_than_it_asks_for() {
        let mut crowd: Vec<RoomGuest> = (0..100_000).map(|number| guest_with(&format!("g{number:06}"), &json!({}))).collect();
        let mut neighbour = room_from(json!({}));
        neighbour.metadata.name = Some("neighbour".into());
        for guest in crowd.iter_mut().rev().take(3) {
            guest.spec.room_name = "neighbour".into();
        }
        let index = index(&crowd);
        assert_eq!(index.first(&neighbour, 700), ["g099997", "g099998", "g099999"]);
        let first = index.first(&room_from(json!({})), 700);
        assert_eq!((first.len(), first[0], first[699]), (700, "g000000", "g000699"));
        let late = |number: usize| index.is_late(&crowd[number], &room_from(json!({})), 700);
        assert_eq!([late(699), late(700), late(99_998)], [false, true, false]);
        assert!(!index.is_late(&crowd[99_998], &neighbour, 700));
    }
}
