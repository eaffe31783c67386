use super::*;
use crate::domain::SessionMember;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn snapshot(session: &str, members: &[&str], asked_at: i64) -> CallSnapshot {
    let member = |name: &&str| SessionMember {
        identity: (*name).into(),
        display_name: String::new(),
        role: None,
        generation: None,
        signed_by: None,
    };
    CallSnapshot { session: session.into(), exists: true, members: members.iter().map(member).collect(), asked_at: at(asked_at) }
}

fn person(identity: &str) -> Claim<'_> {
    Claim { identity, visit: None }
}

/// Somebody with a shared link; two at most may wait, and a place is kept for the host.
fn visitor(identity: &str, is_judged_again: bool) -> Claim<'_> {
    Claim { identity, visit: Some(Visit { is_judged_again, most_waiting: 2, hosts: vec!["host"] }) }
}

/// Reserves a place whose grant is good from `now` to `ends`, and says how many others there were.
fn reserve(reservations: &Reservations, person: &str, session: &str, now: i64, ends: i64) -> usize {
    reservations.reserve(&self::person(person), &snapshot(session, &[], now), at(now), |others| Ok((at(ends), others))).unwrap()
}

/// The same for a claim, in a call with these people; the grant is good for a minute.
fn visit(reservations: &Reservations, claim: &Claim<'_>, members: &[&str], now: i64) -> Result<usize, Denied> {
    reservations.reserve(claim, &snapshot("s", members, now), at(now), |others| Ok((at(now + 60), others)))
}

fn connect(reservations: &Reservations, claim: &Claim<'_>, members: &[&str], now: i64) -> usize {
    reservations.connect(claim, &snapshot("s", members, now), |others| Ok((at(now + 60), others))).unwrap()
}

fn kept(reservations: &Reservations) -> usize {
    reservations.0.lock().sessions.values().map(HashMap::len).sum()
}

#[test]
fn people_in_the_call_and_people_with_a_grant_are_counted_once_and_whoever_asks_never() {
    let reservations = Reservations::default();
    reserve(&reservations, "seated-with-grant", "s", 0, 60);
    reserve(&reservations, "on-the-way", "s", 0, 60);
    reserve(&reservations, "asking", "s", 0, 60);
    let snapshot = snapshot("s", &["seated", "seated-with-grant", "asking"], 1);
    assert_eq!(reservations.others(&person("asking"), &snapshot), 3);
    assert_eq!(reservations.others(&person("somebody"), &snapshot), 4);
}

#[test]
fn sessions_do_not_share_places() {
    let reservations = Reservations::default();
    reserve(&reservations, "a", "one", 0, 60);
    assert_eq!(reserve(&reservations, "b", "two", 0, 60), 0);
    assert_eq!(reserve(&reservations, "b", "one", 0, 60), 1);
}

#[test]
fn a_refused_person_takes_no_place() {
    let reservations = Reservations::default();
    for claim in [person("a"), visitor("link.a", true), visitor("link.a", false)] {
        let refused = reservations.reserve(&claim, &snapshot("s", &[], 0), at(0), |_| Err::<(Timestamp, ()), _>(Denied::NotInCall));
        assert!(matches!(refused, Err(Denied::NotInCall)));
        let refused = reservations.connect(&claim, &snapshot("s", &[], 0), |_| Err::<(Timestamp, ()), _>(Denied::NotInCall));
        assert!(matches!(refused, Err(Denied::NotInCall)));
    }
    assert!(reservations.0.lock().sessions.is_empty());
}

#[test]
fn a_grant_that_ended_while_the_media_server_was_asked_still_counts() {
    let reservations = Reservations::default();
    reserve(&reservations, "a", "s", 0, 60);
    let asked_before_the_end = snapshot("s", &[], 59);
    reserve(&reservations, "b", "s", 65, 125);
    assert_eq!(reservations.others(&person("c"), &asked_before_the_end), 2);
    assert_eq!(reservations.others(&person("c"), &snapshot("s", &[], 60)), 1);
}

#[test]
fn a_second_grant_never_shortens_the_first() {
    let reservations = Reservations::default();
    reserve(&reservations, "a", "s", 0, 60);
    reserve(&reservations, "a", "s", 1, 30);
    assert_eq!(reservations.others(&person("b"), &snapshot("s", &[], 59)), 1);
}

#[test]
fn places_of_calls_that_nobody_joins_any_more_are_dropped() {
    let reservations = Reservations::default();
    for number in 0..1000 {
        reserve(&reservations, "a", &format!("s{number}"), 0, 60);
    }
    reserve(&reservations, "b", "s0", 69, 129);
    assert_eq!(kept(&reservations), 1001, "kept as long as a request could ask for them");
    reserve(&reservations, "b", "s1", 130, 190);
    assert_eq!(kept(&reservations), 2);
    assert_eq!(reservations.0.lock().sessions.len(), 2);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_dropping() {
    let reservations = Reservations::default();
    reserve(&reservations, "a", "s", 1_000_000, 1_000_060);
    reserve(&reservations, "a", "t", 0, 60);
    reserve(&reservations, "b", "t", 1_000_130, 1_000_190);
    assert_eq!(kept(&reservations), 1);
}

#[test]
fn visitors_who_never_connect_are_in_nobodys_way_but_for_a_few_in_that_of_other_visitors() {
    let reservations = Reservations::default();
    for number in 0..1000 {
        let name = format!("link.{number}");
        visit(&reservations, &visitor(&name, true), &[], 0).unwrap();
    }
    assert_eq!(kept(&reservations), 2);
    let now = snapshot("s", &[], 1);
    assert_eq!(reservations.others(&person("ada"), &now), 0);
    assert_eq!(reservations.others(&visitor("link.new", true), &now), 3, "the host's and the newest two");
    assert_eq!(reservations.others(&visitor("link.new", true), &snapshot("s", &[], 15)), 1, "they wait for fifteen seconds");
}

#[test]
fn a_visitor_who_connects_has_a_place_like_everybody_until_the_connection_ends() {
    let reservations = Reservations::default();
    visit(&reservations, &visitor("link.a", true), &[], 0).unwrap();
    assert_eq!(connect(&reservations, &visitor("link.a", true), &[], 1), 1, "the host's");
    connect(&reservations, &visitor("link.a", true), &[], 2);
    assert_eq!(reservations.others(&person("ada"), &snapshot("s", &[], 3)), 1);
    reservations.disconnected("s", "link.a", at(3));
    assert_eq!(reservations.others(&person("ada"), &snapshot("s", &[], 4)), 1, "the second one is still there");
    reservations.disconnected("s", "link.a", at(5));
    assert_eq!(reservations.others(&person("ada"), &snapshot("s", &[], 4)), 1, "the call was seen before that");
    assert_eq!(reservations.others(&person("ada"), &snapshot("s", &[], 5)), 0);
}

#[test]
fn a_visitor_with_a_place_on_approval_gets_it_unless_somebody_of_the_list_took_it() {
    let reservations = Reservations::default();
    for name in ["link.a", "link.b"] {
        visit(&reservations, &visitor(name, true), &[], 0).unwrap();
    }
    let claim = visitor("link.a", true);
    let others = |second| reservations.others(&claim, &snapshot("s", &[], second));
    assert_eq!(others(1), 1, "that of the other one came after theirs");
    reserve(&reservations, "ada", "s", 1, 60);
    assert_eq!(others(1), 2);
    assert_eq!(reservations.others(&visitor("link.c", true), &snapshot("s", &[], 1)), 4);
}

#[test]
fn a_visitor_who_comes_again_takes_no_second_place() {
    let reservations = Reservations::default();
    assert_eq!(visit(&reservations, &visitor("link.a", true), &[], 0).unwrap(), 1);
    assert_eq!(visit(&reservations, &visitor("link.a", true), &["link.a"], 20).unwrap(), 1);
    assert_eq!(kept(&reservations), 1);
    assert_eq!(visit(&reservations, &visitor("link.b", false), &["link.a"], 30).unwrap(), 2);
    assert_eq!(visit(&reservations, &visitor("link.b", false), &["link.a"], 31).unwrap(), 2);
}

#[test]
fn where_nobody_judges_them_again_no_more_visitors_than_that_may_be_on_their_way() {
    let reservations = Reservations::default();
    for name in ["link.a", "link.b"] {
        visit(&reservations, &visitor(name, false), &[], 0).unwrap();
    }
    let crowded = |members: &[&str], now| matches!(visit(&reservations, &visitor("link.c", false), members, now), Err(Denied::Crowded));
    assert!(crowded(&[], 59));
    assert_eq!(reservations.others(&person("ada"), &snapshot("s", &[], 1)), 2, "they can come without being asked");
    assert!(!crowded(&["link.a"], 59), "one of them has come");
}

#[test]
fn the_host_has_a_place_whoever_else_comes() {
    let reservations = Reservations::default();
    let now = snapshot("s", &["link.a", "link.b"], 0);
    assert_eq!(reservations.others(&visitor("link.c", true), &now), 3);
    assert_eq!(reservations.others(&visitor("link.c", true), &snapshot("s", &["link.a", "host"], 0)), 2);
    assert_eq!(reservations.others(&person("host"), &now), 2);
    assert_eq!(reservations.others(&person("ada"), &now), 2, "people on the list come in their own order");
}
