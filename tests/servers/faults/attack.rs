//! One plan: the n-th request that changes something goes wrong, while something happens to a Room.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::ListParams;
use roomkeeper::api::Room;
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use super::scenarios::{After, Scenario};
use crate::support::eventually;
use crate::support::fault_proxy::{Fault, FaultProxy, Faults};
use crate::support::operator::Role;
use crate::support::stage::{Place, Stage, condition, value};

/// Within this time all is as it must be.
const CONVERGES: Duration = Duration::from_secs(30);
/// Class of the Rooms, whose media server is behind a proxy.
const CLASS: &str = "behind-a-proxy";
const ROOM: &str = "call";

/// An installation whose controller reaches nothing but through proxies.
pub struct Attack {
    pub faults: Faults,
    controller: Role,
    stage: Stage,
    kubeconfig: PathBuf,
    _proxies: [FaultProxy; 2],
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The request went wrong, and all came to be as it must.
    Held,
    /// There are not so many requests.
    NotReached,
}

impl Attack {
    pub async fn start() -> Self {
        let mut stage = Stage::start().await;
        let faults = Faults::default();
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let (before_api_server, kubeconfig) = FaultProxy::before_api_server(&account, &faults).await;
        let before_media_server = FaultProxy::before(&stage.livekit.url(), &faults).await;
        let signalling = json!({"signalling": "Direct", "url": format!("http://127.0.0.1:{}", before_media_server.port), "publicURL": stage.livekit.url().replace("http", "ws")});
        stage.class(CLASS, &stage.livekit, json!({"backend": {"liveKit": signalling}})).await;
        stage.controller.process.signal("KILL");
        let controller = controller(&stage, &kubeconfig).await;
        stage.class_reason(CLASS, "Reconciled").await;
        Self { faults, controller, stage, kubeconfig, _proxies: [before_api_server, before_media_server] }
    }

    /// Carries a plan out.
    ///
    /// # Panics
    /// When something is not as it must be in the end.
    pub async fn attempt(&mut self, scenario: &Scenario, number: usize, fault: Fault) -> Ended {
        let stage = &self.stage;
        let place = stage.place().await;
        let before = prepare(&place, scenario).await;
        self.faults.arm(number, fault);
        match (&scenario.before, &scenario.change) {
            (None, Some(spec)) => drop(place.apply(ROOM, of_class(spec)).await),
            (Some(_), Some(change)) => drop(place.edit(ROOM, change.clone()).await),
            (_, None) => place.delete(ROOM).await,
        }
        let what = format!("{}: request {number} is {fault:?}", scenario.name);
        let is_answered = !matches!(fault, Fault::Lost | Fault::Unanswered);
        let rested = eventually(CONVERGES, async || {
            if self.faults.struck().is_some() && !is_answered {
                return Ok(false);
            }
            is_as(stage, &place, &before.uid, &scenario.after).await.map(|()| true).map_err(|why| format!("{what}: {why}"))
        })
        .await;
        let struck = self.faults.struck();
        self.faults.disarm();
        if !rested {
            self.controller.process.signal("KILL");
            self.controller = controller(stage, &self.kubeconfig).await;
            eventually(CONVERGES, async || {
                is_as(stage, &place, &before.uid, &scenario.after).await.map_err(|why| format!("{what} ({struck:?}), killed: {why}"))
            })
            .await;
        }
        nothing_is_done_twice(stage, &place, &what);
        for (name, invite) in place.invites(ROOM).await {
            let is_rotated = scenario.after.invites.iter().any(|(listed, _, generation)| *listed == name && *generation > 0);
            let kept = before.invites.get(&name).filter(|_| !is_rotated);
            assert!(kept.is_none_or(|kept| *kept == invite), "{what}: the invite of {name} changed");
        }
        if struck.is_some() { Ended::Held } else { Ended::NotReached }
    }
}

/// What is there before something happens.
#[derive(Default)]
struct Before {
    uid: String,
    invites: BTreeMap<String, String>,
}

/// Makes the Room as it is before, and gives what of it has to stay.
async fn prepare(place: &Place<'_>, scenario: &Scenario) -> Before {
    let Some(spec) = &scenario.before else { return Before::default() };
    place.apply(ROOM, of_class(spec)).await;
    let room = place.until(ROOM, |status| condition(status, "Ready").0 == "True").await;
    Before { uid: room.uid().unwrap_or_default(), invites: place.invites(ROOM).await }
}

/// Whether all is there that must be, and nothing else.
async fn is_as(stage: &Stage, place: &Place<'_>, uid: &str, after: &After) -> Result<(), String> {
    let room = place.rooms().get_opt(ROOM).await.map_err(|error| error.to_string())?;
    let uid = room.as_ref().and_then(ResourceExt::uid).unwrap_or_else(|| uid.to_owned());
    is_room(room.as_ref(), after)?;
    let secrets = place.secrets().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let mut found: Vec<(String, String)> =
        secrets.items.iter().map(|secret| (value(secret, "participant"), value(secret, "role"))).collect();
    found.sort();
    let mut wanted: Vec<_> = after.invites.iter().map(|(name, role, _)| ((*name).to_owned(), (*role).to_owned())).collect();
    wanted.sort();
    if found != wanted {
        return Err(format!("invites of {found:?}"));
    }
    let sessions = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
    let ours: Vec<String> = sessions.into_iter().map(|session| session.id).filter(|id| !uid.is_empty() && id.contains(&uid)).collect();
    let recorded = room.and_then(|room| room.status).and_then(|status| status.session).filter(|session| session.ended_at.is_none());
    let recorded: Vec<String> = recorded.into_iter().map(|session| session.id).collect();
    if ours.len() != usize::from(after.session) || ours != recorded {
        return Err(format!("sessions {ours:?}, recorded {recorded:?}"));
    }
    Ok(())
}

/// No Secret and no Room is made or deleted more than once.
fn nothing_is_done_twice(stage: &Stage, place: &Place<'_>, what: &str) {
    let mut deeds = BTreeMap::<String, usize>::new();
    for event in stage.cluster.audit() {
        let (verb, object) = (text(&event["verb"]), &event["objectRef"]);
        let done = event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
        let is_dry = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"));
        let counts = ["create", "delete"].contains(&verb) && ["secrets", "rooms"].contains(&text(&object["resource"]));
        if counts && done && !is_dry && object["namespace"] == place.namespace.as_str() && event["stage"] == "ResponseComplete" {
            *deeds.entry(format!("{verb} {} {}", text(&object["resource"]), text(&object["name"]))).or_default() += 1;
        }
    }
    assert!(deeds.iter().all(|(_, times)| *times == 1), "{what}: {deeds:?}");
}

async fn controller(stage: &Stage, kubeconfig: &std::path::Path) -> Role {
    Role::controller(kubeconfig, &format!("http://127.0.0.1:{}", stage.gateway.port)).await
}

fn of_class(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["roomClassName"] = CLASS.into();
    spec
}

fn is_room(room: Option<&Room>, after: &After) -> Result<(), String> {
    let (Some(room), Some(phase)) = (room, after.phase) else {
        return if room.is_some() == after.phase.is_some() { Ok(()) } else { Err(format!("the Room: {room:?}")) };
    };
    let status = room.status.clone().unwrap_or_default();
    let ledger: Vec<_> = status.participants.iter().map(|entry| (entry.name.as_str(), entry.invite_generation)).collect();
    let wanted: Vec<_> = after.invites.iter().map(|(name, _, generation)| (*name, *generation)).collect();
    let is_current = status.observed_generation == room.metadata.generation && condition(&status, "Ready").0 == "True";
    if is_current && format!("{:?}", status.phase) == phase && ledger == wanted { Ok(()) } else { Err(format!("{status:?}")) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
