//! The suite itself. Nothing here knows which backend it runs on.

use std::time::Duration;

use roomkeeper::api::Role;
use roomkeeper::backend::{Backend, SessionSummary, TokenSubject};
use roomkeeper::domain::{SessionMember, TokenGrant};

use super::{Joiner, grant, prefix, session, ticket_for};
use crate::support::{eventually, window};

const SOON: Duration = Duration::from_secs(10);

async fn members(backend: &dyn Backend, session: &str) -> Option<Vec<SessionMember>> {
    let mut members = backend.observe(session).await.expect("observe")?;
    members.sort_by(|one, other| one.identity.cmp(&other.identity));
    Some(members)
}

/// Waits until exactly these people are seen.
async fn seen(backend: &dyn Backend, session: &str, expected: &[SessionMember]) {
    eventually(SOON, async || match members(backend, session).await {
        Some(members) if members == expected => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

async fn names(backend: &dyn Backend, prefix: &str) -> Vec<String> {
    let mut names: Vec<_> = backend.list_sessions(prefix).await.expect("list_sessions").into_iter().map(|seen| seen.id).collect();
    names.sort();
    names
}

fn member(grant: &TokenGrant) -> SessionMember {
    SessionMember {
        identity: grant.identity.clone(),
        display_name: grant.display_name.clone(),
        role: Some(grant.role),
        generation: Some(grant.generation),
        signed_by: grant.signed_by.clone(),
    }
}

/// A session with one person in it.
async fn session_of(grant: &TokenGrant, backend: &dyn Backend, people: &dyn Joiner) -> String {
    let session = session();
    backend.ensure(&session, window().into()).await.expect("ensure");
    assert!(people.join(&session, grant).await, "the grant is good");
    seen(backend, &session, &[member(grant)]).await;
    session
}

pub async fn a_probe_of_a_sound_server_is_fine(backend: &dyn Backend, _: &dyn Joiner) {
    assert_eq!(backend.probe().await, Ok(()));
}

pub async fn everything_is_there_that_a_media_server_can_do(backend: &dyn Backend, _: &dyn Joiner) {
    assert_eq!(backend.kind().capabilities().names().count(), 9);
}

pub async fn a_session_that_was_never_made_is_absent(backend: &dyn Backend, _: &dyn Joiner) {
    assert_eq!(members(backend, &session()).await, None);
}

pub async fn a_new_session_is_there_and_empty(backend: &dyn Backend, _: &dyn Joiner) {
    let session = session();
    backend.ensure(&session, window().into()).await.expect("ensure");
    assert_eq!(members(backend, &session).await, Some(vec![]));
}

pub async fn ensuring_a_session_again_leaves_it_and_its_people_alone(backend: &dyn Backend, people: &dyn Joiner) {
    let ada = grant(Role::Attendee);
    let session = session_of(&ada, backend, people).await;
    backend.ensure(&session, window().into()).await.expect("ensure again");
    assert_eq!(members(backend, &session).await, Some(vec![member(&ada)]));
    assert_eq!(names(backend, &session).await, [session]);
}

pub async fn closing_an_absent_session_is_fine(backend: &dyn Backend, _: &dyn Joiner) {
    let session = session();
    assert_eq!(backend.close(&session).await, Ok(()));
    assert_eq!(members(backend, &session).await, None);
}

pub async fn a_closed_session_is_gone_with_its_people(backend: &dyn Backend, people: &dyn Joiner) {
    let session = session_of(&grant(Role::Attendee), backend, people).await;
    backend.close(&session).await.expect("close");
    assert_eq!(members(backend, &session).await, None);
    assert_eq!(backend.list_sessions(&session).await, Ok(vec![]));
    assert_eq!(backend.close(&session).await, Ok(()), "closing again");
}

pub async fn a_list_has_only_sessions_of_its_prefix(backend: &dyn Backend, _: &dyn Joiner) {
    let (ours, theirs) = (prefix(), prefix());
    for session in [format!("{ours}b"), format!("{ours}a"), format!("{theirs}a"), format!("x{ours}a")] {
        backend.ensure(&session, window().into()).await.expect("ensure");
    }
    assert_eq!(names(backend, &ours).await, [format!("{ours}a"), format!("{ours}b")]);
    assert_eq!(names(backend, &prefix()).await, [""; 0]);
}

pub async fn a_list_counts_the_people(backend: &dyn Backend, people: &dyn Joiner) {
    let session = session_of(&grant(Role::Attendee), backend, people).await;
    eventually(SOON, async || match backend.list_sessions(&session).await.expect("list_sessions").as_slice() {
        [SessionSummary { id, joined: 1 }] if *id == session => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

pub async fn removing_somebody_who_is_not_there_is_fine(backend: &dyn Backend, _: &dyn Joiner) {
    let session = session();
    assert_eq!(backend.remove(&session, "ada").await, Ok(()), "no session");
    assert_eq!(members(backend, &session).await, None, "and none is made");
    backend.ensure(&session, window().into()).await.expect("ensure");
    assert_eq!(backend.remove(&session, "ada").await, Ok(()), "no such person");
}

pub async fn muting_somebody_who_is_not_there_is_fine(backend: &dyn Backend, people: &dyn Joiner) {
    let session = session();
    assert_eq!(backend.mute(&session, "ada").await, Ok(()), "no session");
    assert_eq!(members(backend, &session).await, None, "and none is made");
    backend.ensure(&session, window().into()).await.expect("ensure");
    assert_eq!(backend.mute(&session, "ada").await, Ok(()), "no such person");
    assert!(people.join(&session, &grant(Role::Attendee)).await);
    assert_eq!(backend.mute(&session, "ada").await, Ok(()), "nobody who is heard");
}

pub async fn changing_somebody_who_is_not_there_is_fine(backend: &dyn Backend, _: &dyn Joiner) {
    let session = session();
    assert_eq!(backend.set_role(&session, "ada", Role::Presenter, "Ada").await, Ok(()), "no session");
    assert_eq!(members(backend, &session).await, None, "and none is made");
    backend.ensure(&session, window().into()).await.expect("ensure");
    assert_eq!(backend.set_role(&session, "ada", Role::Presenter, "Ada").await, Ok(()), "no such person");
    assert_eq!(members(backend, &session).await, Some(vec![]), "and nobody comes in by it");
}

pub async fn a_presenter_is_seen_as_the_ticket_says(backend: &dyn Backend, people: &dyn Joiner) {
    session_of(&grant(Role::Presenter), backend, people).await;
}

pub async fn a_collaborator_is_seen_as_the_ticket_says(backend: &dyn Backend, people: &dyn Joiner) {
    session_of(&grant(Role::Collaborator), backend, people).await;
}

pub async fn an_attendee_is_seen_as_the_ticket_says(backend: &dyn Backend, people: &dyn Joiner) {
    session_of(&grant(Role::Attendee), backend, people).await;
}

pub async fn a_consumer_is_seen_as_the_ticket_says(backend: &dyn Backend, people: &dyn Joiner) {
    session_of(&grant(Role::Consumer), backend, people).await;
}

pub async fn several_people_are_all_seen(backend: &dyn Backend, people: &dyn Joiner) {
    let (ada, bob) = (grant(Role::Presenter), ticket_for("bob", Role::Consumer));
    let session = session_of(&ada, backend, people).await;
    assert!(people.join(&session, &bob).await);
    seen(backend, &session, &[member(&ada), member(&bob)]).await;
}

pub async fn a_changed_role_and_name_are_seen_and_nothing_else_changes(backend: &dyn Backend, people: &dyn Joiner) {
    let ada = grant(Role::Attendee);
    let session = session_of(&ada, backend, people).await;
    backend.set_role(&session, "ada", Role::Consumer, "Countess of Lovelace").await.expect("set_role");
    let changed = SessionMember { role: Some(Role::Consumer), display_name: "Countess of Lovelace".to_owned(), ..member(&ada) };
    seen(backend, &session, &[changed]).await;
}

pub async fn presenter_and_collaborator_are_told_apart_after_a_change(backend: &dyn Backend, people: &dyn Joiner) {
    let ada = grant(Role::Presenter);
    let session = session_of(&ada, backend, people).await;
    for role in [Role::Collaborator, Role::Presenter] {
        backend.set_role(&session, "ada", role, "Ada Lovelace").await.expect("set_role");
        seen(backend, &session, &[SessionMember { role: Some(role), ..member(&ada) }]).await;
    }
}

pub async fn a_removed_person_is_gone_and_the_others_stay(backend: &dyn Backend, people: &dyn Joiner) {
    let bob = ticket_for("bob", Role::Attendee);
    let session = session_of(&bob, backend, people).await;
    assert!(people.join(&session, &grant(Role::Attendee)).await);
    backend.remove(&session, "ada").await.expect("remove");
    seen(backend, &session, &[member(&bob)]).await;
    backend.remove(&session, "bob").await.expect("remove");
    seen(backend, &session, &[]).await;
}

pub async fn the_same_person_again_takes_the_place_of_the_earlier(backend: &dyn Backend, people: &dyn Joiner) {
    let earlier = grant(Role::Attendee);
    let session = session_of(&earlier, backend, people).await;
    let later = TokenGrant { generation: 4, role: Role::Presenter, ..earlier };
    assert!(people.join(&session, &later).await);
    seen(backend, &session, &[member(&later)]).await;
}

pub async fn nobody_joins_a_session_that_does_not_exist(backend: &dyn Backend, people: &dyn Joiner) {
    let session = session();
    assert!(!people.join(&session, &grant(Role::Presenter)).await, "never made");
    backend.ensure(&session, window().into()).await.expect("ensure");
    backend.close(&session).await.expect("close");
    assert!(!people.join(&session, &grant(Role::Presenter)).await, "closed");
    assert_eq!(members(backend, &session).await, None);
}

pub async fn the_subject_of_a_token_is_told_from_it_as_long_as_it_is_good(backend: &dyn Backend, _: &dyn Joiner) {
    let (session, grant) = (session(), grant(Role::Collaborator));
    let token = backend.mint_token(&session, &grant).await.expect("a token").token;
    let (display_name, signed_by) = (grant.display_name.clone(), grant.signed_by.clone());
    let subject = Some(TokenSubject { session, identity: "ada".to_owned(), display_name, generation: Some(3), signed_by });
    // Clocks may be a minute apart, and tokens are told in whole seconds.
    let (from, until) = (grant.not_before - Duration::from_mins(1), grant.expires_at + Duration::from_mins(1));
    for moment in [from, grant.not_before, grant.expires_at, until - Duration::from_secs(1)] {
        assert_eq!(backend.token_subject(&token, moment), subject, "{moment}");
    }
    for moment in [from - Duration::from_secs(1), until] {
        assert_eq!(backend.token_subject(&token, moment), None, "{moment}");
    }
}

pub async fn a_token_that_was_changed_is_nobodys(backend: &dyn Backend, _: &dyn Joiner) {
    let grant = grant(Role::Presenter);
    let token = backend.mint_token(&session(), &grant).await.expect("a token").token;
    for changed in [&token[1..], &token[..token.len() - 1], &format!("{token}x"), &token.to_uppercase(), "", ".", "..", "a.b.c"] {
        assert_eq!(backend.token_subject(changed, grant.not_before), None, "{changed}");
    }
}
