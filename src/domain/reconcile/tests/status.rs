use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use crate::api::{LedgerEntry, Participant, Phase, Reason, Role, RoomSpec, SessionStatus};
use crate::domain::Failure;
use crate::domain::tests::{Reconciliation, Simulation, at, session_id, spec};
use crate::fixtures::{participant, unreachable};

fn refused() -> Failure {
    Failure::rejected(Reason::Rejected, "the media server refused the request")
}

fn conflict() -> Failure {
    Failure::rejected(Reason::NameConflict, "a Secret of that name exists and is not this Room's")
}

/// `Type=Status Reason` of every condition.
fn conditions(sim: &Simulation) -> Vec<String> {
    sim.status().conditions.iter().map(|it| format!("{}={} {}", it.type_, it.status, it.reason)).collect()
}

fn passed(mut sim: Simulation) -> Simulation {
    sim.reconcile();
    sim
}

/// A Room whose servers answer with these failures.
fn without_servers(mut sim: Simulation, media: Failure, secrets: Failure) -> Simulation {
    sim.media.fail_with(Some(media));
    sim.secrets_failure = Some(secrets);
    sim
}

fn open() -> Simulation {
    Simulation::reconciled_at("09:00").at("09:10")
}

#[rstest]
#[case::scheduled(Simulation::new(spec()).at("08:10"), Phase::Scheduled, "Issued", "NotNeeded", "False NotYetOpen")]
#[case::open(Simulation::new(spec()), Phase::Open, "Issued", "Provisioned", "True Joinable")]
#[case::suspended(open().edited(|spec| spec.suspend = true), Phase::Suspended, "Issued", "NotNeeded", "False Suspended")]
#[case::expired(open().at("10:00"), Phase::Expired, "Withdrawn", "NotNeeded", "False Expired")]
#[case::expired_from_the_start(Simulation::new(spec()).at("10:00"), Phase::Expired, "Withdrawn", "NotNeeded", "False Expired")]
fn a_room_is_ready_when_the_world_is_as_its_spec_wants_it_at_this_moment(
    #[case] sim: Simulation,
    #[case] phase: Phase,
    #[case] invites: &str,
    #[case] session: &str,
    #[case] open: &str,
) {
    let sim = passed(sim);
    assert_eq!(sim.status().phase, phase);
    let expected = [
        "Accepted=True Valid".to_owned(),
        format!("InvitesReady=True {invites}"),
        format!("SessionReady=True {session}"),
        format!("Open={open}"),
        "Ready=True Reconciled".to_owned(),
    ];
    assert_eq!(conditions(&sim), expected);
}

#[rstest]
#[case::session_not_made(Simulation::new(spec()), unreachable(), Phase::Pending)]
#[case::session_not_seen(open(), unreachable(), Phase::Open)]
#[case::session_refused(Simulation::new(spec()), refused(), Phase::Pending)]
#[case::session_not_closed(open().edited(|spec| spec.suspend = true), unreachable(), Phase::Suspended)]
#[case::session_not_closed_at_the_end(open().at("10:00"), refused(), Phase::Expired)]
fn trouble_with_the_session_is_told_by_session_ready_and_ready(#[case] sim: Simulation, #[case] failure: Failure, #[case] phase: Phase) {
    let sim = passed(sim.with(|sim| sim.media.fail_with(Some(failure.clone()))));
    let (reason, said) = (failure.reason, conditions(&sim));
    assert_eq!(sim.status().phase, phase);
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
    let sim = passed(Simulation::new(spec()).with(|sim| sim.secrets_failure = Some(failure.clone())));
    let reason = failure.reason;
    assert_eq!(sim.status().phase, Phase::Open);
    assert_eq!(
        conditions(&sim),
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
    let mut sim = open().with(|sim| sim.recheck = true);
    sim.secrets_failure = Some(failure.clone());
    sim.reconcile();
    sim.recheck = false;
    for _ in 0..3 {
        sim.reconcile();
        assert_eq!(conditions(&sim)[1], format!("InvitesReady=False {}", failure.reason));
    }
    sim.secrets_failure = None;
    sim.reconcile();
    assert_eq!(conditions(&sim)[1], "InvitesReady=True Issued");
    assert!(sim.plan().steps.is_empty());
}

#[test]
fn a_room_that_is_not_accepted_says_why_and_waits_for_a_change() {
    let sim = passed(Simulation::new(spec()).with(|sim| sim.class = None));
    assert_eq!(sim.status().phase, Phase::Pending);
    assert_eq!(
        conditions(&sim),
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
    let sim = passed(open().with(|sim| sim.class = None).at("10:00"));
    assert_eq!(conditions(&sim)[0], "Accepted=False ClassNotFound");
    assert_eq!(conditions(&sim)[4..], ["Ready=True Reconciled"]);
}

#[test]
fn conditions_keep_their_time_while_their_status_stays() {
    let mut sim = Simulation::reconciled_at("08:10").at("09:00");
    sim.reconcile();
    let since = |sim: &Simulation, kind: &str| {
        let found = sim.status().conditions.iter().find(|it| it.type_ == kind);
        found.map(|it| it.last_transition_time.0)
    };
    assert_eq!(since(&sim, "SessionReady"), Some(at("08:10")), "another reason is no transition");
    assert_eq!(since(&sim, "Ready"), Some(at("08:10")));
    assert_eq!(since(&sim, "Open"), Some(at("09:00")));
    sim = passed(sim.at("10:00"));
    assert_eq!(since(&sim, "Open"), Some(at("10:00")));
    assert_eq!(since(&sim, "Accepted"), Some(at("08:10")));
}

#[test]
fn every_condition_names_the_generation_that_it_describes() {
    let sim = passed(open().edited(|spec| spec.suspend = true));
    assert_eq!(sim.status().observed_generation, Some(2));
    assert!(sim.status().conditions.iter().all(|condition| condition.observed_generation == Some(2)));
}

#[rstest]
#[case::scheduled(Simulation::new(spec()).at("08:10"))]
#[case::open(Simulation::new(spec()))]
#[case::suspended(Simulation::new(spec()).edited(|spec| spec.suspend = true))]
#[case::expired(Simulation::new(spec()).at("10:00"))]
#[case::not_accepted(open().with(|sim| sim.class = None))]
#[case::no_media_server(Simulation::new(spec()).with(|sim| sim.media.fail_with(Some(unreachable()))))]
#[case::no_invites(Simulation::new(spec()).with(|sim| sim.secrets_failure = Some(conflict())))]
#[case::neither(without_servers(open().at("10:00"), refused(), conflict()))]
fn a_pass_that_finds_the_same_writes_nothing_and_tells_nothing(#[case] mut sim: Simulation) {
    sim.reconcile();
    for _ in 0..3 {
        sim.now += jiff::SignedDuration::from_secs(1);
        let pass = sim.reconcile();
        assert!(!pass.wrote_status);
        assert_eq!(pass.event_drafts, []);
    }
    let messages: BTreeSet<_> = sim.status().conditions.iter().map(|condition| condition.message.as_str()).collect();
    let stable = |message: &&str| !message.is_empty() && !message.contains(|c: char| c.is_ascii_digit());
    assert!(messages.iter().all(stable), "messages hold no ids, times or numbers: {messages:?}");
}

#[test]
fn the_ledger_is_ordered_by_name_whatever_the_order_of_the_list() {
    let names = ["gus", "ada", "eve", "bob"];
    let participants = names.map(|name| participant(name, Role::Attendee)).into();
    let sim = passed(Simulation::new(RoomSpec { participants, ..spec() }));
    let ledger: Vec<_> = sim.status().participants.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(ledger, ["ada", "bob", "eve", "gus"]);
    let mut reordered = sim.edited(|spec| spec.participants.reverse());
    let before = reordered.status().participants.clone();
    reordered.reconcile();
    assert_eq!(reordered.status().participants, before);
}

#[test]
fn the_ledger_holds_what_was_issued_and_nothing_else() {
    let mut sim = open().edited(|spec| {
        spec.participants.remove(0);
        spec.participants[0] = Participant { invite_generation: Some(4), ..participant("bob", Role::Presenter) };
    });
    sim.reconcile();
    let entry = LedgerEntry {
        name: "bob".into(),
        role: Role::Presenter,
        invite_generation: 4,
        secret_name: "standup-invite-bob".into(),
        secret_uid: "secret-2".into(),
    };
    assert_eq!(sim.status().participants, [entry]);
}

#[test]
fn invites_that_could_not_be_deleted_stay_in_the_ledger() {
    let sim = passed(open().at("10:00").with(|sim| sim.secrets_failure = Some(unreachable())));
    assert_eq!(sim.status().participants.len(), 2);
}

#[test]
fn the_session_is_told_from_its_beginning_to_its_end() {
    let mut sim = open();
    let session = |sim: &Simulation| sim.status().session.clone().unwrap();
    let living = SessionStatus { id: session_id(1), epoch: 1, created_at: Some(Time(at("09:00"))), ended_at: None };
    assert_eq!(session(&sim), living);
    sim = passed(sim.at("10:05").with(|sim| sim.media.fail_with(Some(unreachable()))));
    assert_eq!(session(&sim), living);
    sim = passed(sim.at("10:06").with(|sim| sim.media.fail_with(None)));
    let ended = SessionStatus { ended_at: Some(Time(at("10:06"))), ..living };
    assert_eq!(session(&sim), ended);
    sim = passed(sim.at("10:30"));
    assert_eq!(session(&sim), ended);
}

#[rstest]
#[case::issued(Simulation::new(spec()), true)]
#[case::failed(Simulation::new(spec()).with(|sim| sim.secrets_failure = Some(unreachable())), false)]
#[case::failed_again(open().with(|sim| (sim.signing_key, sim.secrets_failure) = (2, Some(unreachable()))), false)]
#[case::not_accepted(open().with(|sim| sim.class = None), true)]
#[case::not_accepted_and_edited(open().edited(|spec| spec.max_participants = Some(0)), false)]
#[case::over(open().at("10:00"), false)]
fn the_revision_of_the_invites_is_known_only_while_all_of_them_have_it(#[case] sim: Simulation, #[case] known: bool) {
    assert_eq!(passed(sim).status().invites_revision.is_some(), known);
}

#[test]
fn people_are_counted_as_invited_and_joined() {
    let counts = |sim: &Simulation| sim.status().counts.map(|counts| (counts.invited, counts.joined));
    let mut sim = open().with(|sim| ["ada", "bob"].into_iter().for_each(|name| sim.join(name)));
    sim.reconcile();
    assert_eq!(counts(&sim), Some((2, 2)));
    sim = passed(sim.edited(|spec| spec.participants[1].suspended = true));
    assert_eq!(counts(&sim), Some((1, 1)));
    sim = passed(sim.at("10:00"));
    assert_eq!(counts(&sim), Some((1, 0)));
}

#[test]
fn a_room_keeps_the_class_and_the_window_it_was_accepted_with_while_it_is_not_accepted() {
    let sim = passed(open().edited(|spec| spec.max_participants = Some(0)));
    let status = sim.status();
    assert_eq!(status.phase, Phase::Pending);
    assert_eq!(status.room_class_name.as_deref(), Some("standard"));
    assert_eq!((&status.valid_from, &status.valid_until), (&Some(Time(at("09:00"))), &Some(Time(at("10:00")))));
    assert_eq!(status.next_transition_time, Some(Time(at("10:00"))));
}

/// Reason of every Event of a reconciliation, warnings with an exclamation mark.
fn told(pass: &Reconciliation) -> Vec<String> {
    pass.event_drafts.iter().map(|draft| format!("{}{}", draft.reason, if draft.warning { "!" } else { "" })).collect()
}

#[test]
fn every_change_of_phase_is_told_once() {
    let mut sim = Simulation::new(spec()).at("08:10");
    assert_eq!(told(&sim.reconcile()), ["Scheduled"]);
    sim = sim.at("09:00");
    assert_eq!(told(&sim.reconcile()), ["Opened"]);
    sim.edit(|spec| spec.suspend = true);
    assert_eq!(told(&sim.reconcile()), ["Suspended"]);
    sim.edit(|spec| spec.suspend = false);
    assert_eq!(told(&sim.reconcile()), ["Opened"]);
    sim = sim.at("10:00");
    assert_eq!(told(&sim.reconcile()), ["Expired"]);
    assert_eq!(told(&sim.reconcile()), [""; 0]);
}

#[test]
fn a_room_without_any_status_is_told_like_a_new_one() {
    let mut sim = Simulation::new(spec()).with(|sim| sim.room_mut().status = None);
    assert_eq!(sim.plan().describe(), ["add finalizer", "ensure 1", "create ada", "create bob"]);
    assert_eq!(told(&sim.reconcile()), ["Opened"]);
}

#[test]
fn people_put_out_and_sessions_made_anew_are_told() {
    let mut sim = open().with(|sim| sim.join("bob")).edited(|spec| spec.participants[1].suspended = true);
    let pass = sim.reconcile();
    assert_eq!(told(&pass), ["ParticipantRemoved"]);
    assert!(pass.event_drafts[0].note.contains("bob"));
    sim.media.lose_sessions();
    assert_eq!(told(&sim.reconcile()), ["SessionRestored!"]);
}

#[test]
fn a_failure_is_told_once_until_it_is_over_and_comes_again() {
    let mut sim = open().with(|sim| sim.media.fail_with(Some(unreachable())));
    assert_eq!(told(&sim.reconcile()), ["Unreachable!"]);
    assert_eq!(told(&sim.reconcile()), [""; 0]);
    sim.media.fail_with(Some(refused()));
    assert_eq!(told(&sim.reconcile()), ["Rejected!"]);
    sim.media.fail_with(None);
    assert_eq!(told(&sim.reconcile()), [""; 0]);
    sim.media.fail_with(Some(unreachable()));
    assert_eq!(told(&sim.reconcile()), ["Unreachable!"]);
}

#[test]
fn a_rejection_is_told_once_and_again_when_it_says_something_else() {
    let mut sim = open().edited(|spec| spec.max_participants = Some(351));
    let pass = sim.reconcile();
    assert_eq!(told(&pass), ["NotAccepted!"]);
    assert!(pass.event_drafts[0].note.starts_with("spec.maxParticipants: "), "{}", pass.event_drafts[0].note);
    assert_eq!(told(&sim.reconcile()), [""; 0]);
    sim.edit(|spec| spec.max_participants = Some(0));
    assert_eq!(told(&sim.reconcile()), ["NotAccepted!"]);
    sim.edit(|spec| spec.max_participants = Some(1));
    assert_eq!(told(&sim.reconcile()), ["Opened"]);
}

#[rstest]
#[case::scheduled(Simulation::new(spec()).at("08:10"))]
#[case::expired(open().at("10:00"))]
fn a_change_of_phase_is_not_told_as_more_than_it_is_when_something_failed(#[case] sim: Simulation) {
    let mut sim = without_servers(sim, unreachable(), conflict());
    let pass = sim.reconcile();
    assert_eq!(pass.event_drafts.len(), 2);
    let claims = ["issued", "gone", "deleted"];
    assert!(claims.iter().all(|claim| !pass.event_drafts[0].note.contains(claim)), "{}", pass.event_drafts[0].note);
}
