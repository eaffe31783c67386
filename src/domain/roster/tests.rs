use std::collections::BTreeSet;
use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{guest, invite, member, room_from, roster};

/// Nobody was removed.
fn nobody() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn guests_are_people_under_an_identity_of_their_own() {
    let roster = Roster::new(&room_from(json!({"participants": [{"name": "ada"}]})), &[guest("eve", "Collaborator", None)], nobody());
    let names: Vec<_> = roster.people().map(|person| (person.name.as_str(), person.display_name.as_str(), person.role)).collect();
    assert_eq!(names, [("ada", "ada", Role::Attendee), ("guest-eve", "EVE", Role::Collaborator)]);
    assert!(roster.invitee(&invite("guest-eve")).is_some());
    assert!(roster.invitee(&invite("eve")).is_none());
    assert!(roster.invitee(&Invite { generation: 1, ..invite("guest-eve") }).is_none());
}

#[rstest]
#[case::of_a_presenter("Presenter", Some("pia"), Role::Presenter)]
#[case::of_an_attendee("Presenter", Some("att"), Role::Attendee)]
#[case::below_the_inviter("Consumer", Some("att"), Role::Consumer)]
#[case::of_nobody("Presenter", None, Role::Presenter)]
#[case::of_somebody_who_left("Presenter", Some("gone"), Role::Attendee)]
#[case::of_somebody_who_is_suspended("Presenter", Some("out"), Role::Attendee)]
#[case::of_a_guest_of_somebody_who_left("Presenter", Some("guest-third"), Role::Attendee)]
#[case::of_a_guest("Presenter", Some("guest-first"), Role::Collaborator)]
#[case::of_a_guest_of_an_attendee("Presenter", Some("guest-second"), Role::Attendee)]
#[case::of_itself("Presenter", Some("guest-eve"), Role::Consumer)]
fn the_role_of_a_guest_is_never_above_that_of_the_inviter(#[case] asked: &str, #[case] inviter: Option<&str>, #[case] expected: Role) {
    let out = json!({"name": "out", "role": "Presenter", "suspended": true});
    let room = room_from(json!({"participants": [{"name": "pia", "role": "Presenter"}, {"name": "att"}, out]}));
    let guests = [
        guest("first", "Collaborator", Some("pia")),
        guest("second", "Presenter", Some("att")),
        guest("third", "Presenter", Some("gone")),
        guest("eve", asked, inviter),
    ];
    assert_eq!(Roster::new(&room, &guests, nobody()).get("guest-eve").unwrap().role, expected);
}

/// A guest whose inviter had an invite of this generation.
fn guest_of(inviter: &str, generation: i64) -> Arc<RoomGuest> {
    let mut guest = guest("eve", "Presenter", Some(inviter)).as_ref().clone();
    guest.spec.inviter_generation = Some(generation);
    Arc::new(guest)
}

#[test]
fn a_guest_of_somebody_whose_invite_was_replaced_is_an_attendee_at_most() {
    let room = room_from(json!({"participants": [{"name": "pia", "role": "Presenter", "inviteGeneration": 2}]}));
    let role = |generation| Roster::new(&room, &[guest_of("pia", generation)], nobody()).get("guest-eve").unwrap().role;
    assert_eq!((role(2), role(1)), (Role::Presenter, Role::Attendee));
}

#[rstest]
#[case::in_force(json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Collaborator", "generation": 3}}), Ok(Role::Collaborator))]
#[case::replaced(json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Presenter", "generation": 4}}), Err(Reason::LinkReplaced))]
#[case::withdrawn(json!({"joinPolicy": "InviteOnly"}), Err(Reason::LinkReplaced))]
fn a_guest_of_the_shared_link_goes_with_it(#[case] spec: Value, #[case] expected: Result<Role, Reason>) {
    let verdict = judge_guests(&room_from(spec), &[guest_of("*", 3)], &nobody()).remove(0).1;
    assert_eq!(verdict.map(|person| person.role).map_err(|rejection| rejection.reason), expected);
}

#[test]
fn a_guest_whose_identity_a_participant_has_is_not_let_in_and_told_so() {
    let room = room_from(json!({"participants": [{"name": "guest-eve", "displayName": "The other Eve"}]}));
    let guests = [guest("eve", "Presenter", None)];
    assert_eq!(Roster::new(&room, &guests, nobody()).get("guest-eve").unwrap().display_name, "The other Eve");
    let verdict = judge_guests(&room, &guests, &nobody()).remove(0).1.unwrap_err();
    assert_eq!(verdict.reason, Reason::NameConflict);
    assert!(verdict.message.contains("guest-eve"));
}

#[test]
fn no_more_than_350_guests_are_let_in() {
    let guests: Vec<_> = (0..351).map(|number| guest(&format!("g{number:03}"), "Attendee", None)).collect();
    assert_eq!(Roster::new(&room_from(json!({})), &guests, nobody()).people().count(), 350);
    let verdicts = judge_guests(&room_from(json!({})), &guests, &nobody());
    let refused: Vec<_> =
        verdicts.iter().filter_map(|(guest, verdict)| Some((guest.metadata.name.clone()?, verdict.as_ref().err()?.reason))).collect();
    assert_eq!(refused, [("g350".to_owned(), Reason::TooManyParticipants)]);
}

#[test]
fn the_shared_link_lets_in_whoever_has_it_under_names_that_no_participant_can_have() {
    let roster = roster(&room_from(json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Consumer", "generation": 2}})));
    let link = roster.invitee(&Invite { generation: 2, ..invite("*") }).unwrap();
    assert!(link.is_link() && roster.invited().any(Person::is_link) && roster.people().next().is_none());
    let person = roster.invitee(&Invite { generation: 2, ..invite(&visitor_identity("abc")) }).unwrap();
    assert_eq!((person.name.as_str(), person.role, person.is_visitor(), person.is_link()), ("link.abc", Role::Consumer, true, false));
    assert_eq!(roster.recognize(&member("link.abc", 2)).unwrap().display_name, "link.abc", "the name of their own choice is kept");
}

#[rstest]
#[case::older_link(json!({"joinPolicy": "AnyoneWithLink", "link": {"generation": 3}}))]
#[case::invite_only(json!({"joinPolicy": "InviteOnly"}))]
#[case::by_default(json!({}))]
fn a_link_that_is_not_that_of_today_lets_nobody_in_and_keeps_nobody(#[case] spec: Value) {
    let roster = roster(&room_from(spec));
    assert!(roster.invitee(&Invite { generation: 2, ..invite("*") }).is_none());
    assert!(roster.recognize(&member("link.abc", 2)).is_none());
}

#[test]
fn only_who_came_by_the_invite_of_today_keeps_a_seat() {
    let participants = json!([{"name": "ada", "inviteGeneration": 1}, {"name": "bob", "suspended": true}, {"name": "link-x"}]);
    let roster = roster(&room_from(json!({"participants": participants, "joinPolicy": "AnyoneWithLink"})));
    assert!(roster.recognize(&member("ada", 1)).is_some());
    for (identity, generation) in [("ada", Some(0)), ("ada", None), ("bob", Some(0)), ("link-y", Some(0)), ("eve", Some(0))] {
        assert!(roster.recognize(&SessionMember { generation, ..member(identity, 0) }).is_none(), "{identity} {generation:?}");
    }
}

#[test]
fn who_was_removed_keeps_no_seat_and_vouches_for_nobody_and_all_others_stay_as_they_are() {
    let people = json!([{"name": "pia", "role": "Presenter"}, {"name": "pat", "role": "Presenter"}, {"name": "ada"}]);
    let room = room_from(json!({"participants": people, "joinPolicy": "AnyoneWithLink"}));
    let guests = [guest("first", "Presenter", Some("pia")), guest("second", "Presenter", Some("guest-first"))];
    let roster = |removed: &[&str]| Roster::new(&room, &guests, removed.iter().map(|name| (*name).to_owned()).collect());
    let first = guest_generation(&guests[0]);
    let everybody = [member("pia", 0), member("ada", 0), member("guest-first", first), member("link.abc", 0)];
    let kept = |roster: &Roster| {
        everybody.iter().filter(|member| roster.recognize(member).is_some()).map(|member| member.identity.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&roster(&[])), ["pia", "ada", "guest-first", "link.abc"]);
    assert_eq!(kept(&roster(&["pia", "link.abc"])), ["ada", "guest-first"]);
    assert_eq!(kept(&roster(&["ada", "guest-first"])), ["pia", "link.abc"]);
    let roles = |roster: &Roster| ["guest-first", "guest-second"].map(|name| roster.get(name).unwrap().role);
    assert_eq!(roles(&roster(&["ada"])), [Role::Presenter, Role::Presenter]);
    assert_eq!(roles(&roster(&["pia"])), [Role::Attendee, Role::Attendee]);
    assert_eq!(roles(&roster(&["guest-first"])), [Role::Presenter, Role::Attendee]);
    assert_eq!(roster(&["pia"]).hosts().collect::<Vec<_>>(), ["pat"], "a place is kept for those who may come");
}

/// ben with this generation on the list, of a Room whose status knows him by these.
fn ben(listed: Option<i64>, issued: Option<i64>, rotated: Option<i64>) -> Room {
    let mut room = room_from(json!({"participants": [{"name": "ben", "inviteGeneration": listed}]}));
    let issued = issued
        .map(|generation| json!({"name": "ben", "role": "Attendee", "inviteGeneration": generation, "secretName": "s", "secretUID": "u"}));
    let rotated = rotated.map(|generation| json!({"name": "ben", "inviteGeneration": generation}));
    let status = json!({"participants": issued.into_iter().collect::<Vec<_>>(), "rotatedInvites": rotated.into_iter().collect::<Vec<_>>()});
    room.status = Some(serde_json::from_value(status).unwrap());
    room
}

#[rstest]
#[case::new(None, None, None, 0)]
#[case::declared(Some(2), None, None, 2)]
#[case::off_the_list_and_back(None, None, Some(1), 1)]
#[case::back_before_anybody_noticed(None, Some(1), None, 1)]
#[case::rotated_again(Some(3), Some(2), Some(2), 3)]
fn an_invite_that_was_replaced_never_becomes_good_again(
    #[case] listed: Option<i64>,
    #[case] issued: Option<i64>,
    #[case] rotated: Option<i64>,
    #[case] expected: i64,
) {
    let room = ben(listed, issued, rotated);
    let roster = roster(&room);
    assert_eq!(roster.get("ben").unwrap().generation, expected);
    for generation in 0..expected {
        assert!(roster.invitee(&Invite { generation, ..invite("ben") }).is_none());
        assert!(roster.recognize(&member("ben", generation)).is_none());
    }
    let remembered: Vec<_> = super::rotated(&room).into_iter().collect();
    assert_eq!(remembered, if expected > 0 { vec![("ben".to_owned(), expected)] } else { vec![] });
}

#[test]
fn who_left_the_list_is_remembered_by_what_was_issued_last() {
    let mut room = ben(None, Some(4), None);
    room.spec.participants.clear();
    assert_eq!(super::rotated(&room), [("ben".to_owned(), 4)].into());
}

#[test]
fn a_guest_who_is_made_again_under_the_same_name_has_another_invite() {
    let made = |uid: &str| {
        let mut guest = guest("eve", "Attendee", None).as_ref().clone();
        guest.metadata.uid = Some(uid.into());
        Arc::new(guest)
    };
    let room = room_from(json!({}));
    let generation = |guest: Arc<RoomGuest>| Roster::new(&room, &[guest], nobody()).get("guest-eve").unwrap().generation;
    let (first, second) =
        (generation(made("12345678-9abc-4def-8000-000000000001")), generation(made("12345678-9abd-4def-8000-000000000001")));
    assert_eq!((first, second), (0x1234_5678_9abc, 0x1234_5678_9abd));
    assert!(first < 1 << 53, "JSON carries it as a number");
}

#[rstest]
#[case::short("\u{e9}", "\u{e9}")]
#[case::as_long_as_can_be(&"\u{e9}".repeat(128), &"\u{e9}".repeat(128))]
#[case::too_long(&"\u{9577}".repeat(100), &"\u{9577}".repeat(85))]
#[case::emoji(&"\u{1f600}".repeat(128), &"\u{1f600}".repeat(64))]
fn a_name_of_many_bytes_is_shown_as_far_as_media_servers_take_it(#[case] declared: &str, #[case] shown: &str) {
    let guest = {
        let mut guest = guest("eve", "Attendee", None).as_ref().clone();
        guest.spec.display_name = declared.into();
        Arc::new(guest)
    };
    let room = room_from(json!({"joinPolicy": "AnyoneWithLink", "participants": [{"name": "li", "displayName": declared}]}));
    let roster = Roster::new(&room, &[guest], nobody());
    let names = ["li", "guest-eve"].map(|name| roster.get(name).unwrap().display_name.clone());
    assert_eq!(names, [shown, shown]);
    assert_eq!(bounded_display_name(declared), shown);
}
