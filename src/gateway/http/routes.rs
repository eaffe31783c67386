//! The resources of the API.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get, post};
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;

use super::bearer::bearer_token;
use super::client_ip::TrustedProxies;
use super::json::StrictJson;
use super::link_turns::LinkTurns;
use super::problem::Problem;
use super::public_address::{PublicAddress, SignallingAddress};
use super::rate_limit::RateLimits;
use super::request_span::describe_room;
use super::responses::{CheckBody, GuestBody, GuestListBody, JoinBody, RemovalListBody};
use crate::api::Role;
use crate::domain::Invite;
use crate::gateway::admission::{
    AdmissionService, ConnectionChecks, Denied, InviteKeys, JoinResponse, LiveRooms, ModerationService, RoomView, holder,
};
use crate::observability::logs::AUDIT;
use crate::observability::metrics::Metrics;

/// What the API is served from.
#[derive(Clone)]
pub struct Api {
    pub admission: Arc<AdmissionService>,
    pub moderation: Arc<ModerationService>,
    pub checks: Arc<ConnectionChecks>,
    pub keys: InviteKeys,
    /// For traces, which name the UID of a Room.
    pub rooms: LiveRooms,
    pub limits: Arc<RateLimits>,
    pub turns: LinkTurns,
    pub trusted_proxies: TrustedProxies,
    pub address: PublicAddress,
    pub metrics: Metrics,
}

/// Who sends a request.
struct Caller {
    bearer: Option<String>,
    address: IpAddr,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let address = api.trusted_proxies.client_of(&parts.extensions, &parts.headers);
        Ok(Self { bearer: bearer_token(&parts.headers).map(str::to_owned), address })
    }
}

impl FromRef<Api> for PublicAddress {
    fn from_ref(api: &Api) -> Self {
        api.address.clone()
    }
}

/// The API as routes.
pub fn routes(api: Api) -> Router {
    Router::new()
        .route("/v1/room", get(room))
        .route("/v1/join", post(join))
        .route("/v1/connection-check", post(check_connection))
        .route("/v1/participants/{identity}/mute", post(mute))
        .route("/v1/participants/{identity}/remove", post(remove))
        .route("/v1/end", post(end))
        .route("/v1/guests", get(list_guests).post(add_guest))
        .route("/v1/guests/{identity}", delete(withdraw_guest))
        .route("/v1/removals", get(list_removals))
        .route("/v1/removals/{identity}", delete(readmit))
        .with_state(api)
}

/// `GET /v1/room`: what the holder of an invite is told about the call.
async fn room(State(api): State<Api>, caller: Caller) -> Result<RoomView, Problem> {
    let invite = api.keys.verify(caller.bearer.as_deref())?;
    check_use(&api, &invite, &caller)?;
    let _turn = api.turns.wait(&invite, caller.address).await;
    let view = api.admission.view(&invite).await;
    if let Err(Denied::Unavailable(cause)) = &view {
        tracing::info!(namespace = invite.namespace, room = invite.room, participant = invite.participant, cause, "view unavailable");
    }
    Ok(view?)
}

/// Body of `POST /v1/join`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct JoinRequest {
    /// The name that others see; of those who come by the shared link alone.
    display_name: Option<String>,
}

/// `POST /v1/join`: the way in.
async fn join(
    State(api): State<Api>,
    SignallingAddress(address): SignallingAddress,
    caller: Caller,
    body: Result<StrictJson<JoinRequest>, Problem>,
) -> Result<JoinBody, Problem> {
    let joined = try_join(&api, &caller, body).await;
    api.metrics.join_ended(joined.as_ref().err().map_or("joined", Problem::name));
    Ok(JoinBody::new(joined?, address))
}

async fn try_join(api: &Api, caller: &Caller, body: Result<StrictJson<JoinRequest>, Problem>) -> Result<JoinResponse, Problem> {
    let invite = invite(api, "join", caller)?;
    let StrictJson(JoinRequest { display_name }) = body.inspect_err(|problem| log_refusal("join", Some(&invite), problem, None))?;
    let _turn = api.turns.wait(&invite, caller.address).await;
    let joined = api.admission.join(&invite, display_name.as_deref()).await;
    if let Ok(JoinResponse { identity, .. }) = &joined {
        let Invite { namespace, room, .. } = &invite;
        tracing::info!(target: AUDIT, event = "join", namespace, room, participant = identity, result = "joined");
    }
    or_problem("join", &invite, joined)
}

/// `POST /v1/connection-check`: what to check a connection with before the call.
async fn check_connection(
    State(api): State<Api>,
    SignallingAddress(address): SignallingAddress,
    caller: Caller,
) -> Result<CheckBody, Problem> {
    let invite = invite(&api, "check connection", &caller)?;
    let _turn = api.turns.wait(&invite, caller.address).await;
    let credentials = or_problem("check connection", &invite, api.checks.check(&invite).await)?;
    Ok(CheckBody::new(credentials, address))
}

/// `POST /v1/participants/{identity}/mute`, for Presenters.
async fn mute(State(api): State<Api>, Path(identity): Path<String>, caller: Caller) -> Result<StatusCode, Problem> {
    let invite = invite(&api, "mute", &caller)?;
    or_problem("mute", &invite, api.moderation.mute(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// `POST /v1/participants/{identity}/remove`, for Presenters.
async fn remove(State(api): State<Api>, Path(identity): Path<String>, caller: Caller) -> Result<StatusCode, Problem> {
    let invite = invite(&api, "remove", &caller)?;
    or_problem("remove", &invite, api.moderation.remove(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// `POST /v1/end`, for Presenters.
async fn end(State(api): State<Api>, caller: Caller) -> Result<StatusCode, Problem> {
    let invite = invite(&api, "end", &caller)?;
    or_problem("end", &invite, api.moderation.end(&invite).await).map(|()| StatusCode::NO_CONTENT)
}

/// Body of `POST /v1/guests`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GuestRequest {
    /// The name that others see.
    display_name: Option<String>,
    /// The role; that of a participant for whom none is set, if absent.
    #[serde(default)]
    role: Role,
}

/// `POST /v1/guests`, for Presenters: adds a person, and answers with the join link.
async fn add_guest(
    State(api): State<Api>,
    address: SignallingAddress,
    caller: Caller,
    body: Result<StrictJson<GuestRequest>, Problem>,
) -> Result<GuestBody, Problem> {
    let invite = invite(&api, "add guest", &caller)?;
    let StrictJson(GuestRequest { display_name, role }) = match body {
        Ok(body) => body,
        // Whoever may not add people is told that, whatever they sent.
        Err(problem) => {
            or_problem("add guest", &invite, api.moderation.may_add_people(&invite))?;
            log_refusal("add guest", Some(&invite), &problem, None);
            return Err(problem);
        }
    };
    let added = api.moderation.add_guest(&invite, display_name.as_deref(), role).await;
    Ok(GuestBody::new(or_problem("add guest", &invite, added)?, &address.http()))
}

/// `GET /v1/guests`, for Presenters: the guests of the Room.
async fn list_guests(State(api): State<Api>, caller: Caller) -> Result<GuestListBody, Problem> {
    let invite = invite(&api, "list guests", &caller)?;
    Ok(or_problem("list guests", &invite, api.moderation.list_guests(&invite))?.into())
}

/// `DELETE /v1/guests/{identity}`, for Presenters: withdraws a guest.
async fn withdraw_guest(State(api): State<Api>, Path(identity): Path<String>, caller: Caller) -> Result<StatusCode, Problem> {
    let invite = invite(&api, "withdraw guest", &caller)?;
    or_problem("withdraw guest", &invite, api.moderation.withdraw_guest(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// `GET /v1/removals`, for Presenters: who is kept out of the Room.
async fn list_removals(State(api): State<Api>, caller: Caller) -> Result<RemovalListBody, Problem> {
    let invite = invite(&api, "list removals", &caller)?;
    Ok(or_problem("list removals", &invite, api.moderation.list_removals(&invite))?.into())
}

/// `DELETE /v1/removals/{identity}`, for Presenters: lets somebody in again.
async fn readmit(State(api): State<Api>, Path(identity): Path<String>, caller: Caller) -> Result<StatusCode, Problem> {
    let invite = invite(&api, "readmit", &caller)?;
    or_problem("readmit", &invite, api.moderation.readmit(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// The invite of a request: genuine, still good, and not used too often. A refusal is logged.
fn invite(api: &Api, event: &str, caller: &Caller) -> Result<Invite, Problem> {
    let verified = api.keys.verify(caller.bearer.as_deref()).map_err(Problem::from);
    let invite = verified.inspect_err(|problem| log_refusal(event, None, problem, None))?;
    check_use(api, &invite, caller).inspect_err(|problem| log_refusal(event, Some(&invite), problem, None))?;
    Ok(invite)
}

/// Whether a genuine invite is still good, and not used too often.
fn check_use(api: &Api, invite: &Invite, caller: &Caller) -> Result<(), Problem> {
    let room = ObjectRef::new(&invite.room).within(&invite.namespace);
    describe_room(&room, api.rooms.get(&room).and_then(|room| room.metadata.uid.clone()).as_deref());
    holder(&api.rooms, invite)?;
    api.limits.count(invite, caller.address)
}

/// The outcome of a request, whose refusal is logged.
fn or_problem<T>(event: &str, invite: &Invite, outcome: Result<T, Denied>) -> Result<T, Problem> {
    outcome.map_err(|denied| {
        let problem = Problem::from(&denied);
        let cause = if let Denied::Unavailable(cause) = &denied { Some(cause.as_str()) } else { None };
        log_refusal(event, Some(invite), &problem, cause);
        problem
    })
}

/// Logs a refusal. Names come from signed invites only; invite and media token never get here.
fn log_refusal(event: &str, invite: Option<&Invite>, problem: &Problem, cause: Option<&str>) {
    let namespace = invite.map(|invite| invite.namespace.as_str());
    let room = invite.map(|invite| invite.room.as_str());
    let participant = invite.map(|invite| invite.participant.as_str());
    tracing::info!(target: AUDIT, event, namespace, room, participant, result = problem.name(), cause);
}
