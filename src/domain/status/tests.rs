use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::api::{Participant, Role, RoomSpec};
use crate::domain::world::{Pass, World, at, participant, session_id, spec, unreachable};

fn refused() -> Failure {
    Failure::rejected(Reason::Rejected, "the media server refused the request")
}

fn conflict() -> Failure {
    Failure::rejected(Reason::NameConflict, "a Secret of that name exists and is not this Room's")
}

/// `Type=Status Reason` of every condition.
fn conditions(world: &World) -> Vec<String> {
    world.status().conditions.iter().map(|it| format!("{}={} {}", it.type_, it.status, it.reason)).collect()
}

fn passed(mut world: World) -> World {
    world.pass();
    world
}

fn open() -> World {
    World::after_pass_at("09:00").at("09:10")
}

#[rstest]
#[case::scheduled(World::new(spec()).at("08:10"), Phase::Scheduled, "Issued", "NotNeeded", "False NotYetOpen")]
#[case::open(World::new(spec()), Phase::Open, "Issued", "Provisioned", "True Joinable")]
#[case::suspended(open().edited(|spec| spec.suspend = true), Phase::Suspended, "Issued", "NotNeeded", "False Suspended")]
#[case::expired(open().at("10:00"), Phase::Expired, "Withdrawn", "NotNeeded", "False Expired")]
#[case::expired_from_the_start(World::new(spec()).at("10:00"), Phase::Expired, "Withdrawn", "NotNeeded", "False Expired")]
fn a_room_is_ready_when_the_world_is_as_its_spec_wants_it_at_this_moment(
    #[case] world: World,
    #[case] phase: Phase,
    #[case] invites: &str,
    #[case] session: &str,
    #[case] open: &str,
) {
    let world = passed(world);
    assert_eq!(world.status().phase, phase);
    let expected = [
        "Accepted=True Valid".to_owned(),
        format!("InvitesReady=True {invites}"),
        format!("SessionReady=True {session}"),
        format!("Open={open}"),
        "Ready=True Reconciled".to_owned(),
    ];
    assert_eq!(conditions(&world), expected);
}

#[rstest]
#[case::session_not_made(World::new(spec()), unreachable(), Phase::Pending)]
#[case::session_not_seen(open(), unreachable(), Phase::Open)]
#[case::session_refused(World::new(spec()), refused(), Phase::Pending)]
#[case::session_not_closed(open().edited(|spec| spec.suspend = true), unreachable(), Phase::Suspended)]
#[case::session_not_closed_at_the_end(open().at("10:00"), refused(), Phase::Expired)]
fn trouble_with_the_session_is_told_by_session_ready_and_ready(#[case] world: World, #[case] failure: Failure, #[case] phase: Phase) {
    let world = passed(world.with(|world| world.media_failure = Some(failure.clone())));
    let (reason, said) = (failure.reason, conditions(&world));
    assert_eq!(world.status().phase, phase);
    assert!(said[1].starts_with("InvitesReady=True"), "{said:?}");
    assert_eq!(said[2], format!("SessionReady=False {reason}"));
    let open = match phase {
        Phase::Suspended => "Suspended".to_owned(),
        Phase::Expired => "Expired".to_owned(),
        _ => reason.to_string(),
    };
    assert_eq!(said[3], format!("Open=False {open}"));
    assert_eq!(said[4], format!("Ready=False {reason}"));
    let kstatus = if failure.needs_change() { format!("Stalled=True {reason}") } else { "Reconciling=True Progressing".into() };
    assert_eq!(said[5..], [kstatus]);
}

#[rstest]
#[case::for_now(unreachable(), "Reconciling=True Progressing")]
#[case::for_good(conflict(), "Stalled=True NameConflict")]
fn trouble_with_invites_is_told_by_invites_ready_and_ready_while_people_can_join(#[case] failure: Failure, #[case] kstatus: &str) {
    let world = passed(World::new(spec()).with(|world| world.secrets_failure = Some(failure.clone())));
    let reason = failure.reason;
    assert_eq!(world.status().phase, Phase::Open);
    assert_eq!(
        conditions(&world),
        [
            "Accepted=True Valid".to_owned(),
            format!("InvitesReady=False {reason}"),
            "SessionReady=True Provisioned".to_owned(),
            "Open=True Joinable".to_owned(),
            format!("Ready=False {reason}"),
            kstatus.to_owned(),
        ]
    );
}

#[rstest]
#[case::for_now(unreachable())]
#[case::for_good(conflict())]
fn trouble_with_invites_is_told_until_they_are_known_to_be_right(#[case] failure: Failure) {
    let mut world = open().with(|world| world.recheck = true);
    world.secrets_failure = Some(failure.clone());
    world.pass();
    world.recheck = false;
    for _ in 0..3 {
        world.pass();
        assert_eq!(conditions(&world)[1], format!("InvitesReady=False {}", failure.reason));
    }
    world.secrets_failure = None;
    world.pass();
    assert_eq!(conditions(&world)[1], "InvitesReady=True Issued");
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_room_that_is_not_accepted_says_why_and_waits_for_a_change() {
    let world = passed(World::new(spec()).with(|world| world.class = None));
    assert_eq!(world.status().phase, Phase::Pending);
    assert_eq!(
        conditions(&world),
        [
            "Accepted=False NoDefaultClass",
            "InvitesReady=False NotAccepted",
            "SessionReady=False NotAccepted",
            "Open=False NotAccepted",
            "Ready=False NoDefaultClass",
            "Stalled=True NoDefaultClass",
        ]
    );
}

#[test]
fn what_a_spec_says_does_not_keep_an_expired_room_from_being_ready() {
    let world = passed(open().with(|world| world.class = None).at("10:00"));
    assert_eq!(conditions(&world)[0], "Accepted=False ClassNotFound");
    assert_eq!(conditions(&world)[4..], ["Ready=True Reconciled"]);
}

#[test]
fn conditions_keep_their_time_while_their_status_stays() {
    let mut world = World::after_pass_at("08:10").at("09:00");
    world.pass();
    let since = |world: &World, kind: &str| {
        let found = world.status().conditions.iter().find(|it| it.type_ == kind);
        found.map(|it| it.last_transition_time.0)
    };
    assert_eq!(since(&world, "SessionReady"), Some(at("08:10")), "another reason is no transition");
    assert_eq!(since(&world, "Ready"), Some(at("08:10")));
    assert_eq!(since(&world, "Open"), Some(at("09:00")));
    world = passed(world.at("10:00"));
    assert_eq!(since(&world, "Open"), Some(at("10:00")));
    assert_eq!(since(&world, "Accepted"), Some(at("08:10")));
}

#[test]
fn every_condition_names_the_generation_that_it_describes() {
    let world = passed(open().edited(|spec| spec.suspend = true));
    assert_eq!(world.status().observed_generation, Some(2));
    assert!(world.status().conditions.iter().all(|condition| condition.observed_generation == Some(2)));
}

#[rstest]
#[case::scheduled(World::new(spec()).at("08:10"))]
#[case::open(World::new(spec()))]
#[case::suspended(World::new(spec()).edited(|spec| spec.suspend = true))]
#[case::expired(World::new(spec()).at("10:00"))]
#[case::not_accepted(open().with(|world| world.class = None))]
#[case::no_media_server(World::new(spec()).with(|world| world.media_failure = Some(unreachable())))]
#[case::no_invites(World::new(spec()).with(|world| world.secrets_failure = Some(conflict())))]
#[case::neither(open().at("10:00").with(|world| (world.media_failure, world.secrets_failure) = (Some(refused()), Some(conflict()))))]
fn a_pass_that_finds_the_same_writes_nothing_and_tells_nothing(#[case] mut world: World) {
    world.pass();
    for _ in 0..3 {
        world.now += jiff::SignedDuration::from_secs(1);
        let pass = world.pass();
        assert!(!pass.wrote_status);
        assert_eq!(pass.notices, []);
    }
    let messages: BTreeSet<_> = world.status().conditions.iter().map(|condition| condition.message.as_str()).collect();
    let stable = |message: &&str| !message.is_empty() && !message.contains(|c: char| c.is_ascii_digit());
    assert!(messages.iter().all(stable), "messages hold no ids, times or numbers: {messages:?}");
}

#[test]
fn the_ledger_is_ordered_by_name_whatever_the_order_of_the_list() {
    let names = ["gus", "ada", "eve", "bob"];
    let participants = names.map(|name| participant(name, Role::Attendee)).into();
    let world = passed(World::new(RoomSpec { participants, ..spec() }));
    let ledger: Vec<_> = world.status().participants.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(ledger, ["ada", "bob", "eve", "gus"]);
    let mut reordered = world.edited(|spec| spec.participants.reverse());
    let before = reordered.status().participants.clone();
    reordered.pass();
    assert_eq!(reordered.status().participants, before);
}

#[test]
fn the_ledger_holds_what_was_issued_and_nothing_else() {
    let mut world = open().edited(|spec| {
        spec.participants.remove(0);
        spec.participants[0] = Participant { invite_generation: Some(4), ..participant("bob", Role::Presenter) };
    });
    world.pass();
    let entry = LedgerEntry {
        name: "bob".into(),
        role: Role::Presenter,
        invite_generation: 4,
        secret_name: "standup-invite-bob".into(),
        secret_uid: "secret-2".into(),
    };
    assert_eq!(world.status().participants, [entry]);
}

#[test]
fn invites_that_could_not_be_deleted_stay_in_the_ledger() {
    let world = passed(open().at("10:00").with(|world| world.secrets_failure = Some(unreachable())));
    assert_eq!(world.status().participants.len(), 2);
}

#[test]
fn the_session_is_told_from_its_beginning_to_its_end() {
    let mut world = open();
    let session = |world: &World| world.status().session.clone().unwrap();
    let living = SessionStatus { id: session_id(1), epoch: 1, created_at: Some(Time(at("09:00"))), ended_at: None };
    assert_eq!(session(&world), living);
    world = passed(world.at("10:05").with(|world| world.media_failure = Some(unreachable())));
    assert_eq!(session(&world), living);
    world = passed(world.at("10:06").with(|world| world.media_failure = None));
    let ended = SessionStatus { ended_at: Some(Time(at("10:06"))), ..living };
    assert_eq!(session(&world), ended);
    world = passed(world.at("10:30"));
    assert_eq!(session(&world), ended);
}

#[rstest]
#[case::issued(World::new(spec()), true)]
#[case::failed(World::new(spec()).with(|world| world.secrets_failure = Some(unreachable())), false)]
#[case::failed_again(open().edited(|spec| spec.suspend = true).with(|world| world.secrets_failure = Some(unreachable())), false)]
#[case::not_accepted(open().with(|world| world.class = None), true)]
#[case::not_accepted_and_edited(open().edited(|spec| spec.max_participants = Some(0)), false)]
#[case::over(open().at("10:00"), false)]
fn the_revision_of_the_invites_is_known_only_while_all_of_them_have_it(#[case] world: World, #[case] known: bool) {
    assert_eq!(passed(world).status().invites_revision.is_some(), known);
}

#[test]
fn people_are_counted_as_invited_and_joined() {
    let counts = |world: &World| world.status().counts.map(|counts| (counts.invited, counts.joined));
    let mut world = open().with(|world| ["ada", "bob"].into_iter().for_each(|name| world.join(name)));
    world.pass();
    assert_eq!(counts(&world), Some((2, 2)));
    world = passed(world.edited(|spec| spec.participants[1].suspended = true));
    assert_eq!(counts(&world), Some((1, 1)));
    world = passed(world.at("10:00"));
    assert_eq!(counts(&world), Some((1, 0)));
}

#[test]
fn a_room_keeps_the_class_and_the_window_it_was_accepted_with_while_it_is_not_accepted() {
    let world = passed(open().edited(|spec| spec.valid_until = Some(Time(at("08:59")))));
    let status = world.status();
    assert_eq!(status.phase, Phase::Pending);
    assert_eq!(status.room_class_name.as_deref(), Some("standard"));
    assert_eq!((&status.valid_from, &status.valid_until), (&Some(Time(at("09:00"))), &Some(Time(at("10:00")))));
    assert_eq!(status.next_transition_time, Some(Time(at("10:00"))));
}

/// Reason of every notice of a pass, warnings with an exclamation mark.
fn told(pass: &Pass) -> Vec<String> {
    pass.notices.iter().map(|notice| format!("{}{}", notice.reason, if notice.warning { "!" } else { "" })).collect()
}

#[test]
fn every_change_of_phase_is_told_once() {
    let mut world = World::new(spec()).at("08:10");
    assert_eq!(told(&world.pass()), ["Scheduled"]);
    world = world.at("09:00");
    assert_eq!(told(&world.pass()), ["Opened"]);
    world.edit(|spec| spec.suspend = true);
    assert_eq!(told(&world.pass()), ["Suspended"]);
    world.edit(|spec| spec.suspend = false);
    assert_eq!(told(&world.pass()), ["Opened"]);
    world = world.at("10:00");
    assert_eq!(told(&world.pass()), ["Expired"]);
    assert_eq!(told(&world.pass()), [""; 0]);
}

#[test]
fn a_room_without_any_status_is_told_like_a_new_one() {
    let mut world = World::new(spec()).with(|world| world.room_mut().status = None);
    assert_eq!(world.plan().in_words(), ["add finalizer", "ensure 1", "create ada", "create bob"]);
    assert_eq!(told(&world.pass()), ["Opened"]);
}

#[test]
fn people_put_out_and_sessions_made_anew_are_told() {
    let mut world = open().with(|world| world.join("bob")).edited(|spec| spec.participants[1].suspended = true);
    let pass = world.pass();
    assert_eq!(told(&pass), ["ParticipantRemoved"]);
    assert!(pass.notices[0].note.contains("bob"));
    world.sessions.clear();
    assert_eq!(told(&world.pass()), ["SessionRestored!"]);
}

#[test]
fn a_failure_is_told_once_until_it_is_over_and_comes_again() {
    let mut world = open().with(|world| world.media_failure = Some(unreachable()));
    assert_eq!(told(&world.pass()), ["Unreachable!"]);
    assert_eq!(told(&world.pass()), [""; 0]);
    world.media_failure = Some(refused());
    assert_eq!(told(&world.pass()), ["Rejected!"]);
    world.media_failure = None;
    assert_eq!(told(&world.pass()), [""; 0]);
    world.media_failure = Some(unreachable());
    assert_eq!(told(&world.pass()), ["Unreachable!"]);
}

#[test]
fn a_rejection_is_told_once_and_again_when_it_says_something_else() {
    let mut world = open().edited(|spec| spec.max_participants = Some(351));
    let pass = world.pass();
    assert_eq!(told(&pass), ["NotAccepted!"]);
    assert!(pass.notices[0].note.starts_with("spec.maxParticipants: "), "{}", pass.notices[0].note);
    assert_eq!(told(&world.pass()), [""; 0]);
    world.edit(|spec| spec.max_participants = Some(0));
    assert_eq!(told(&world.pass()), ["NotAccepted!"]);
    world.edit(|spec| spec.max_participants = Some(1));
    assert_eq!(told(&world.pass()), ["Opened"]);
}

#[rstest]
#[case::scheduled(World::new(spec()).at("08:10"))]
#[case::expired(open().at("10:00"))]
fn a_change_of_phase_is_not_told_as_more_than_it_is_when_something_failed(#[case] world: World) {
    let mut world = world.with(|world| (world.media_failure, world.secrets_failure) = (Some(unreachable()), Some(conflict())));
    let pass = world.pass();
    assert_eq!(pass.notices.len(), 2);
    let claims = ["issued", "gone", "deleted"];
    assert!(claims.iter().all(|claim| !pass.notices[0].note.contains(claim)), "{}", pass.notices[0].note);
}
