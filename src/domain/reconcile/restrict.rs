//! The steps of a Room whose spec is not accepted: what it takes away counts all the same, and nothing is given.

use std::collections::BTreeSet;

use super::super::roster::{Person, Roster, is_above};
use super::super::session::{Installation, SessionMember};
use super::observed::{Observed, SessionView};
use super::step::{SessionStep, Step};
use super::teardown::{close_live_session, withdraw, withdraw_unrecorded};

/// Suspends the call, puts people out of it, lowers roles and withdraws invites, as the spec says.
pub(super) fn restrict(observed: &Observed, installation: &Installation) -> Vec<Step> {
    let roster = Roster::new(&observed.room, &observed.guests, observed.removed.clone());
    let session_steps = match (observed.live_session(), &observed.session) {
        _ if observed.room.spec.suspend => close_live_session(observed, installation),
        (Some(session), SessionView::Present(members)) => {
            members.iter().filter_map(|member| restrict_member(&roster, &session.id, member)).map(Step::Session).collect()
        }
        _ => Vec::new(),
    };
    session_steps.into_iter().chain(withdraw_unlisted(observed, &roster)).collect()
}

/// What must be taken from somebody in the call, if anything. A role that no permissions show is left as it is, because any other could
/// be a higher one.
fn restrict_member(roster: &Roster, session: &str, member: &SessionMember) -> Option<SessionStep> {
    hold_to_roster(roster, session, member, |person| !member.role.is_some_and(|role| is_above(role, person.role)))
}

/// What must happen to somebody in the call: who is not on the roster is removed, who is not as it says is changed.
pub(super) fn hold_to_roster(
    roster: &Roster,
    session: &str,
    member: &SessionMember,
    is_right: impl FnOnce(&Person) -> bool,
) -> Option<SessionStep> {
    let session = session.to_owned();
    let Some(person) = roster.recognize(member) else {
        return Some(SessionStep::RemoveMember { session, identity: member.identity.clone() });
    };
    (!is_right(&person)).then_some(SessionStep::SetRole { session, person })
}

/// Withdraws the invites of everybody who left the list.
pub(super) fn withdraw_unlisted<'a>(observed: &'a Observed, roster: &Roster) -> impl Iterator<Item = Step> + use<'a> {
    let listed: BTreeSet<String> = roster.invited().map(|person| person.name.clone()).collect();
    let unrecorded: Vec<&str> = observed.unrecorded().filter(|name| !listed.contains(*name)).collect();
    let recorded = observed.ledger().iter().filter(move |entry| !listed.contains(&entry.name)).map(withdraw);
    recorded.chain(unrecorded.into_iter().map(|name| withdraw_unrecorded(observed, name)))
}
