//! Third stage, I/O: carries out a plan, step by step in its order.

use futures::{FutureExt, StreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;

use super::context::Context;
use super::invites::{Invites, withdraw};
use super::observe::Sight;
use super::request::{failure_of, timed};
use crate::api::{FINALIZER, LedgerEntry, MANAGER, Role, Room};
use crate::backend::Backend;
use crate::domain::{Failure, Goal, Outcome, Plan, SessionView, Step};
use crate::observability::logs::AUDIT;

/// Invite Secrets of one Room that are written at the same time.
const INVITES_AT_ONCE: usize = 8;

/// What a reconciliation carried out.
#[derive(Default)]
pub struct Executed {
    /// What came of the steps.
    pub outcome: Outcome,
    /// The Room object as it is after the steps; `None` when it was not written.
    pub written: Option<Room>,
    /// The object is gone, or about to go: there is nothing to report on.
    pub gone: bool,
    /// The object went without its session being known as closed.
    pub left_behind: Option<Failure>,
}

/// Carries out a plan.
///
/// # Errors
/// Only when the finalizer could not be set, because nothing may be made before it; every other failure is part of what
/// came of the plan.
pub async fn execute(plan: &Plan, sight: &Sight, context: &Context) -> Result<Executed, Failure> {
    let mut done = Executed::default();
    if let (Goal::Open, SessionView::Unknown(failure)) = (&plan.goal, &sight.session) {
        done.outcome.session_failure = Some(failure.clone());
    }
    done.outcome.session_found = matches!(sight.session, SessionView::Present(_));
    let is_invite = |step: &&Step| matches!(step, Step::IssueInvite { .. } | Step::WithdrawInvite { .. });
    let mut steps = plan.steps.iter().peekable();
    while let Some(step) = steps.peek().copied() {
        if is_invite(&step) {
            let batch: Vec<&Step> = std::iter::from_fn(|| steps.next_if(|step| is_invite(step))).collect();
            invites(batch, sight, context, &mut done.outcome).await;
        } else {
            single(step, sight, context, &mut done).await?;
            steps.next();
        }
    }
    Ok(done)
}

async fn single(step: &Step, sight: &Sight, context: &Context, done: &mut Executed) -> Result<(), Failure> {
    match step {
        Step::AddFinalizer => done.written = Some(set_finalizers(sight, context, true).await.map_err(|error| failure_of(&error))?),
        Step::RemovePerson { .. } | Step::SetRole { .. } | Step::CloseSession { .. } | Step::EnsureSession { .. } => {
            session(step, sight, &mut done.outcome).await;
        }
        Step::ReserveSession { session, epoch } => done.outcome.session_reserved = Some((session.clone(), *epoch)),
        Step::DeleteRoom => delete_room(sight, context, done).await,
        Step::ReleaseFinalizer { give_up } => release(*give_up, sight, context, done).await,
        // Invites are written in batches.
        Step::IssueInvite { .. } | Step::WithdrawInvite { .. } => {}
    }
    Ok(())
}

async fn session(step: &Step, sight: &Sight, outcome: &mut Outcome) {
    let result = match &sight.backend {
        Ok(backend) => session_step(step, backend.as_ref(), sight, outcome).await,
        Err(failure) => Err(failure.clone()),
    };
    if let Err(failure) = result {
        outcome.session_failure.get_or_insert(failure);
    }
}

async fn session_step(step: &Step, backend: &dyn Backend, sight: &Sight, outcome: &mut Outcome) -> Result<(), Failure> {
    match step {
        Step::RemovePerson { session, identity } => {
            backend.remove(session, identity).await?;
            audit(sight, "removed", Some(identity), None);
            outcome.removed.push(identity.clone());
        }
        Step::SetRole { session, person } => {
            backend.set_role(session, &person.name, person.role, &person.display_name).await?;
            audit(sight, "role changed", Some(&person.name), Some(person.role));
        }
        Step::CloseSession { session } => {
            backend.close(session).await?;
            let recorded = sight.room.status.as_ref().and_then(|status| status.session.as_ref());
            if recorded.is_some_and(|recorded| recorded.id == *session) {
                audit(sight, "ended", None, None);
                outcome.session_closed = true;
            }
        }
        Step::EnsureSession { session, epoch } => {
            backend.ensure(session).await?;
            outcome.session_made = Some((session.clone(), *epoch));
        }
        _ => {}
    }
    Ok(())
}

/// Writes down what was done to a call or to somebody in it.
fn audit(sight: &Sight, event: &str, participant: Option<&str>, role: Option<Role>) {
    let role = role.map(tracing::field::debug);
    tracing::info!(target: AUDIT, event, namespace = sight.namespace(), room = sight.name(), participant, role);
}

/// What came of one step with an invite Secret.
enum Invited {
    Issued(LedgerEntry),
    Withdrawn(String),
}

async fn invites(steps: Vec<&Step>, sight: &Sight, context: &Context, outcome: &mut Outcome) {
    let requests: Vec<_> = steps.into_iter().map(|step| invite(step, sight, context).boxed()).collect();
    let results: Vec<_> = stream::iter(requests).buffer_unordered(INVITES_AT_ONCE).collect().await;
    for result in results {
        match result {
            Ok(Some(Invited::Issued(entry))) => outcome.issued.push(entry),
            Ok(Some(Invited::Withdrawn(name))) => outcome.withdrawn.push(name),
            Ok(None) => {}
            // One that needs somebody to act matters more than one that passes by itself.
            Err(failure) if failure.needs_change() => outcome.invites_failure = Some(failure),
            Err(failure) => {
                outcome.invites_failure.get_or_insert(failure);
            }
        }
    }
}

async fn invite(step: &Step, sight: &Sight, context: &Context) -> Result<Option<Invited>, Failure> {
    match (step, &sight.valid) {
        (Step::IssueInvite { person, issue }, Ok(room)) => {
            let Context { client, gateway_url, .. } = context;
            let invites = Invites { owner: &sight.room, room, keys: &sight.keys, gateway_url, client };
            invites.issue(person, *issue).await.map(|entry| Some(Invited::Issued(entry)))
        }
        (Step::WithdrawInvite { secret_name, secret_uid }, _) => {
            withdraw(&context.client, &sight.room, secret_name, secret_uid.as_deref()).await?;
            Ok(Some(Invited::Withdrawn(secret_name.clone())))
        }
        _ => Ok(None),
    }
}

fn rooms(sight: &Sight, context: &Context) -> (Api<Room>, String) {
    let meta = &sight.room.metadata;
    let api = Api::namespaced(context.client.clone(), meta.namespace.as_deref().unwrap_or_default());
    (api, meta.name.clone().unwrap_or_default())
}

/// Writes the finalizers with ours, or without it, unless somebody else changed the object in between.
async fn set_finalizers(sight: &Sight, context: &Context, ours: bool) -> Result<Room, kube::Error> {
    let (api, name) = rooms(sight, context);
    let meta = &sight.room.metadata;
    let others = meta.finalizers.iter().flatten().filter(|finalizer| *finalizer != FINALIZER).map(String::as_str);
    let finalizers: Vec<&str> = others.chain(ours.then_some(FINALIZER)).collect();
    let patch = json!({"metadata": {"resourceVersion": meta.resource_version, "finalizers": finalizers}});
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    timed(api.patch(&name, &params, &Patch::Merge(patch))).await
}

async fn release(give_up: bool, sight: &Sight, context: &Context, done: &mut Executed) {
    match done.outcome.failure() {
        Some(_) if !give_up => return,
        failure => done.left_behind = failure.cloned(),
    }
    match set_finalizers(sight, context, false).await {
        Ok(_) => done.gone = true,
        Err(kube::Error::Api(status)) if status.is_not_found() => done.gone = true,
        Err(error) => {
            done.left_behind = None;
            done.outcome.invites_failure.get_or_insert(failure_of(&error));
        }
    }
}

async fn delete_room(sight: &Sight, context: &Context, done: &mut Executed) {
    let (api, name) = rooms(sight, context);
    let preconditions = Preconditions { uid: sight.room.metadata.uid.clone(), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match timed(api.delete(&name, &params)).await {
        Ok(_) => done.gone = true,
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => done.gone = true,
        Err(error) => {
            done.outcome.invites_failure.get_or_insert(failure_of(&error));
        }
    }
}
