//! One plan: the n-th request that changes something goes wrong, while something happens to a Room.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kube::ResourceExt;
use serde_json::Value;

use super::oracle::{ROOM, deeds, is_as};
use super::scenarios::Scenario;
use super::{controller, controller_behind};
use crate::support::eventually;
use crate::support::fault_proxy::{Fault, FaultProxy, Faults};
use crate::support::stage::{Place, Stage, condition};

/// Within this time all is as it must be.
const CONVERGES: Duration = Duration::from_secs(30);
/// Class of the Rooms, whose media server is behind a proxy.
pub const CLASS: &str = "behind-a-proxy";

/// An installation whose controller reaches nothing but through proxies.
pub struct Attack {
    pub faults: Faults,
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

/// What a plan is called in failures and by `ROOMKEEPER_PLAN`.
pub fn plan(scenario: &Scenario, number: usize, fault: Fault) -> String {
    format!("{}: request {number} is {fault:?}", scenario.name)
}

impl Attack {
    pub async fn start() -> Self {
        let mut stage = Stage::start().await;
        let faults = Faults::default();
        let before_media_server = FaultProxy::before(&stage.livekit.url(), &faults).await;
        stage.class_behind(CLASS, &stage.livekit, before_media_server.port).await;
        let (before_api_server, kubeconfig) = controller_behind(&mut stage, &faults).await;
        stage.class_reason(CLASS, "Reconciled").await;
        Self { faults, stage, kubeconfig, _proxies: [before_api_server, before_media_server] }
    }

    /// Carries a plan out.
    ///
    /// # Panics
    /// When something is not as it must be in the end.
    pub async fn attempt(&mut self, scenario: &Scenario, number: usize, fault: Fault) -> Ended {
        let namespace = self.stage.cluster.namespace().await;
        let place = self.stage.place_in(namespace.clone());
        let before = prepare(&place, scenario).await;
        self.faults.arm(number, fault);
        match (&scenario.before, &scenario.change) {
            (None, Some(spec)) => drop(place.apply(ROOM, of_class(spec)).await),
            (Some(_), Some(change)) => drop(place.edit(ROOM, change.clone()).await),
            (_, None) => place.delete(ROOM).await,
        }
        let what = plan(scenario, number, fault);
        let is_answered = !matches!(fault, Fault::Lost | Fault::Unanswered);
        let rested = eventually(CONVERGES, async || {
            if self.faults.struck().is_some() && !is_answered {
                return Ok(false);
            }
            is_as(&self.stage, &place, &before.uid, &scenario.after).await.map(|()| true).map_err(|why| format!("{what}: {why}"))
        })
        .await;
        let struck = self.faults.struck();
        self.faults.disarm();
        drop(place);
        if !rested {
            self.stage.controller.process.signal("KILL");
            self.stage.controller = controller(&self.stage, &self.kubeconfig).await;
        }
        let (stage, place) = (&self.stage, self.stage.place_in(namespace));
        if !rested {
            eventually(CONVERGES, async || {
                is_as(stage, &place, &before.uid, &scenario.after).await.map_err(|why| format!("{what} ({struck:?}), killed: {why}"))
            })
            .await;
        }
        let deeds = deeds(stage, &place);
        assert!(deeds.iter().all(|(_, times)| *times == 1), "{what}: {deeds:?}");
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

fn of_class(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["roomClassName"] = CLASS.into();
    spec
}
