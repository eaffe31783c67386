//! Carries out the steps of a plan, which is all I/O: by the API server and by the media server.

use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::core::Status;

use super::invite_secrets::InviteSecrets;
use super::invites::Invites;
use super::observe::Snapshot;
use super::seats::Seat;
use crate::api::{Reason, Room};
use crate::clock;
use crate::cluster::{Proof, patch_params};
use crate::controller::context::Context;
use crate::controller::finalizer::finalizer_patch;
use crate::controller::request::{failure_of, timed};
use crate::domain::{Batch, Execution, Failure, InviteChange, InviteStep, Outcome, Plan, RoomStep, SessionStep};
use crate::observability::logs::AUDIT;

/// Invite Secrets of one Room that are written at the same time.
const INVITES_AT_ONCE: usize = 8;

/// People of one session who are removed or changed at the same time, and how long that may take in one reconciliation.
const MEMBERS_AT_ONCE: usize = 8;
const MEMBERS_WITHIN: Duration = Duration::from_secs(20);

/// What a reconciliation carried out.
pub struct Executed<'a> {
    /// What came of the plan.
    pub outcome: Outcome,
    /// The object as our finalizer left it, if it was added.
    pub written: Option<Room>,
    /// That the status is to prove how fresh the view is.
    pub proof: Option<Proof<'a>>,
}

/// Carries out a plan. What follows from each result is for [`Execution`] to decide. `None` when the call is ended, and everything else was
/// left for later, because others wait to be ended. One of them goes on all the same: what it writes proves for the others how fresh the view is.
///
/// # Errors
/// If the finalizer could not be set, or nothing may be done at this moment; every other failure is part of the outcome.
pub async fn execute<'a>(plan: Plan, snapshot: &'a Snapshot, seat: &Seat, context: &'a Context) -> Result<Option<Executed<'a>>, Failure> {
    let mut execution = Execution::begin(plan, &snapshot.observed);
    let (mut written, mut proof, mut is_ended) = (None, None, false);
    let members_until = clock::uptime() + MEMBERS_WITHIN;
    while let Some(batch) = execution.next_batch() {
        // Steps before may have taken long, or the machine was suspended meanwhile.
        context.fence.check()?;
        snapshot.working.beat();
        match batch {
            Batch::Room(step) => {
                let result = room_step(&step, snapshot, context).await.map(|room| written = room.or_else(|| written.take()));
                execution.record_room(&step, result);
            }
            Batch::Session(step) => {
                let result = session_step(&step, snapshot).await;
                execution.record_session(step, result);
            }
            Batch::Members(steps) => {
                let request = async |step: SessionStep| {
                    let in_time = clock::uptime() < members_until;
                    let result = if in_time { session_step(&step, snapshot).await } else { Err(too_slow()) };
                    (step, result)
                };
                let requests: Vec<_> = steps.into_iter().map(|step| request(step).boxed()).collect();
                let mut results = stream::iter(requests).buffered(MEMBERS_AT_ONCE);
                while let Some((step, result)) = results.next().await {
                    execution.record_session(step, result);
                }
            }
            Batch::Invites(steps) => {
                let request = async |step: InviteStep| {
                    let result = invite_step(&step, snapshot, context).await;
                    (step, result)
                };
                let requests: Vec<_> = steps.into_iter().map(|step| request(step).boxed()).collect();
                let mut results = stream::iter(requests).buffered(INVITES_AT_ONCE);
                while let Some((step, result)) = results.next().await {
                    snapshot.working.beat();
                    execution.record_invite(&step, result);
                }
            }
        }
        if !is_ended && execution.has_ended_the_call() {
            is_ended = true;
            if seat.is_wanted() {
                proof = context.freshness.ask(snapshot.namespace(), clock::uptime());
                if proof.is_none() {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(Executed { outcome: execution.finish()?, written, proof }))
}

fn too_slow() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server takes too long to change who is in the call; it is tried again")
}

/// Writes the object, and gives it as it is afterwards if it stays.
async fn room_step(step: &RoomStep, snapshot: &Snapshot, context: &Context) -> Result<Option<Room>, Failure> {
    match step {
        RoomStep::AddFinalizer => set_finalizers(snapshot, context, true).await.map(Some),
        RoomStep::ReleaseFinalizer { give_up: _ } => fine_if(Status::is_not_found, set_finalizers(snapshot, context, false).await),
        RoomStep::Delete => {
            let (api, name) = rooms(snapshot, context);
            // One that was changed since may have a later end.
            let ObjectMeta { uid, resource_version, .. } = snapshot.room().metadata.clone();
            let preconditions = Preconditions { uid, resource_version };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            fine_if(|status| status.is_not_found() || status.is_conflict(), timed(api.delete(&name, &params)).await)
        }
    }
    .map_err(|error| failure_of(&error))
}

/// The answer of the API server is only worth an error if it is none of those that mean that nothing is left to do.
fn fine_if<T>(done: impl FnOnce(&Status) -> bool, answer: Result<T, kube::Error>) -> Result<Option<Room>, kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if done(&status) => Ok(None),
        answer => answer.map(|_| None),
    }
}

async fn session_step(step: &SessionStep, snapshot: &Snapshot) -> Result<(), Failure> {
    let backend = || snapshot.backend.as_ref().map_err(Clone::clone);
    match step {
        SessionStep::Ensure { session, epoch: _, settings } => backend()?.ensure(session, *settings).await,
        SessionStep::Admit { session, settings, people } => {
            let keys = snapshot.keys.as_deref().ok_or_else(no_key)?;
            backend()?.admit(session, *settings, people, keys.signing_key_fingerprint()).await
        }
        // The gateway creates it.
        SessionStep::Reserve { session: _, epoch: _ } => Ok(()),
        SessionStep::Close { session } => backend()?.close(session).await,
        SessionStep::RemoveMember { session, identity } => backend()?.remove(session, identity).await,
        SessionStep::SetRole { session, person } => backend()?.set_role(session, &person.name, person.role, &person.display_name).await,
    }?;
    audit(step, snapshot);
    Ok(())
}

fn no_key() -> Failure {
    Failure::transient(Reason::Misconfigured, "there is no invite signing key")
}

/// Writes down what was done to a call or to somebody in it.
fn audit(step: &SessionStep, snapshot: &Snapshot) {
    let (event, participant, role) = match step {
        SessionStep::RemoveMember { session: _, identity } => ("removed", Some(identity), None),
        SessionStep::SetRole { session: _, person } => ("role changed", Some(&person.name), Some(person.role)),
        SessionStep::Close { session } if snapshot.observed.is_recorded(session) => ("ended", None, None),
        SessionStep::Close { .. } | SessionStep::Ensure { .. } | SessionStep::Admit { .. } | SessionStep::Reserve { .. } => return,
    };
    let role = role.map(tracing::field::debug);
    tracing::info!(target: AUDIT, event, namespace = snapshot.namespace(), room = snapshot.name(), participant, role);
}

async fn invite_step(step: &InviteStep, snapshot: &Snapshot, context: &Context) -> Result<InviteChange, Failure> {
    let Context { client, gateway_url, .. } = context;
    match step {
        InviteStep::Issue { person, write } => {
            // Plans issue invites of accepted Rooms only.
            let room = snapshot.observed.valid.as_ref().map_err(|rejection| Failure::rejected(rejection.reason, &rejection.message))?;
            let keys = snapshot.keys.as_deref().ok_or_else(no_key)?;
            let invites = Invites { owner: snapshot.room(), room, keys, gateway_url, client };
            invites.issue(person, write).await.map(InviteChange::Issued)
        }
        InviteStep::Withdraw { secret_name, secret_uid } => {
            InviteSecrets::new(client, snapshot.namespace(), snapshot.uid()).delete(secret_name, secret_uid.as_deref()).await?;
            Ok(InviteChange::Withdrawn { secret_name: secret_name.clone() })
        }
    }
}

fn rooms(snapshot: &Snapshot, context: &Context) -> (Api<Room>, String) {
    let meta = &snapshot.room().metadata;
    let api = Api::namespaced(context.client.clone(), meta.namespace.as_deref().unwrap_or_default());
    (api, meta.name.clone().unwrap_or_default())
}

/// Writes the finalizers with ours, or without it, unless somebody else changed the object in between.
async fn set_finalizers(snapshot: &Snapshot, context: &Context, ours: bool) -> Result<Room, kube::Error> {
    let (api, name) = rooms(snapshot, context);
    timed(api.patch(&name, &patch_params(), &finalizer_patch(&snapshot.room().metadata, ours))).await
}
