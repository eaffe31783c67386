//! The controller sees the cluster late, in parts, or as it was: it does nothing that what is there now does not ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use super::changes::{self, Change, ENDS_IN, Step};
use super::oracle::{ROOM, deeds, is_as};
use super::{controller, is_tried};
use crate::support::gate::Gate;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{Place, Stage, condition, in_seconds};
use crate::support::{eventually, now, run};

/// Within this time all is as it must be once the controller sees again: seconds, but what an object has left that went without a trace is
/// collected by Kubernetes, which in a new cluster learns of our kinds after half a minute.
const CONVERGES: Duration = Duration::from_mins(1);
/// The watches of a controller: Rooms, guests, removals, classes, namespaces, and the Secrets of its own namespace.
const WATCHES: usize = 6;
/// Sweeps after which a controller has done all that an old view could lead it to: an orphan is closed when it is seen twice.
const SWEEPS: f64 = 3.0;
/// Of so many plans a short run takes one: a number that shares no factor with the number of views, so that each comes up.
const SHORT: usize = 17;

/// How the controller sees what happens.
#[derive(Clone, Copy, Debug)]
enum View {
    /// Its watches are cut, and what happened in between was forgotten.
    Missed,
    /// Its watches are silent, and tell everything later.
    Late,
    /// It was killed. The lists that the next one gets are as before, and the watches tell everything later.
    OldList,
    /// The same, and what happened in between was forgotten.
    OldListThenGone,
    /// It did all that was to do and was killed. The lists that the next one gets are as before all of it.
    OldListAfterwards,
}

const VIEWS: [View; 5] = [View::Missed, View::Late, View::OldList, View::OldListThenGone, View::OldListAfterwards];

/// An installation whose controller sees the cluster through a gate.
struct Scene {
    stage: Stage,
    gate: Gate,
    controller: Role,
}

/// What was there before.
#[derive(Default)]
struct Before {
    uid: String,
    session: Option<String>,
    invites: BTreeMap<String, String>,
    ben: Option<Client>,
}

#[test]
fn a_controller_that_sees_the_cluster_as_it_was_ends_changes_and_deletes_nothing_that_should_be_there() {
    run(async {
        let mut scene = Scene::start().await;
        let (mut next, mut held) = (0, 0);
        for (number, change) in changes::all("").iter().enumerate() {
            for view in VIEWS {
                next += 1;
                if is_tried(&plan(change, view), next, SHORT) {
                    scene.attempt(number, view).await;
                    held += 1;
                }
            }
        }
        println!("{held:4} plans of {next} with a view that is old or misses something held");
    });
}

/// What a plan is called in failures and by `ROOMKEEPER_PLAN`.
fn plan(change: &Change, view: View) -> String {
    format!("{}, {view:?}", change.name)
}

impl Scene {
    async fn start() -> Self {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let gate = Gate::start(&stage.cluster.account_kubeconfig("roomkeeper-controller").await).await;
        let controller = controller(&stage, &gate.kubeconfig).await;
        Self { stage, gate, controller }
    }

    async fn attempt(&mut self, number: usize, view: View) {
        let end = in_seconds(ENDS_IN);
        let change = changes::all(&end).swap_remove(number);
        let what = plan(&change, view);
        let namespace = self.stage.cluster.namespace().await;
        let (before, settled) = self.act(&change, view, &namespace, end.parse().expect("a moment")).await;
        let place = self.stage.place_in(namespace);
        let converged = async || is_as(&self.stage, &place, &before.uid, &change.after).await.map_err(|why| format!("{what}: {why}"));
        eventually(CONVERGES, converged).await;
        if let Some(settled) = settled {
            assert_eq!(settled, what_is_there(&place).await, "{what}: what was right was written again");
        }
        let is_new = |step: &Step| matches!(step, Step::Create(_));
        let made = usize::from(change.before.is_some()) + change.steps.iter().filter(|step| is_new(step)).count();
        let deeds = deeds(&self.stage, &place);
        // Where somebody went and came back, and all of it was seen, there were two invites.
        let most = made.max(change.steps.len());
        assert!(deeds.iter().all(|(_, times)| *times <= most), "{what}: {deeds:?}");
        self.nobody_is_wronged(&what, &change, before, &place).await;
        self.clean_up(&place).await;
    }

    /// Lets it happen while the controller sees something else. What was there before, and, where the controller was done with all of it, what was
    /// there then.
    async fn act(&mut self, change: &Change, view: View, namespace: &str, end: Timestamp) -> (Before, Option<Value>) {
        let place = self.stage.place_in(namespace.to_owned());
        let before = prepare(&self.stage, &place, change).await;
        let mut settled = None;
        match view {
            View::Missed => {
                self.gate.close();
                self.all_watches_wait().await;
                take(&place, &change.steps).await;
            }
            View::Late => {
                self.gate.freeze();
                take(&place, &change.steps).await;
            }
            View::OldList | View::OldListThenGone => {
                self.gate.remember().await;
                self.controller.process.signal("KILL");
                self.gate.go_back();
                take(&place, &change.steps).await;
                self.controller = controller(&self.stage, &self.gate.kubeconfig).await;
            }
            View::OldListAfterwards => {
                self.gate.remember().await;
                take(&place, &change.steps).await;
                eventually(CONVERGES, async || is_as(&self.stage, &place, &before.uid, &change.after).await).await;
                self.controller.sweeps(SWEEPS).await;
                settled = Some(what_is_there(&place).await);
                self.controller.process.signal("KILL");
                self.gate.go_back();
                self.controller = controller(&self.stage, &self.gate.kubeconfig).await;
            }
        }
        let has_end = change.before.as_ref().is_some_and(|spec| spec["validUntil"].is_string());
        if has_end {
            eventually(CONVERGES, async || if now() > end { Ok(()) } else { Err("not over by what was known before") }).await;
        }
        self.controller.sweeps(SWEEPS).await;
        match view {
            View::Missed | View::OldListThenGone => self.gate.open(),
            View::Late | View::OldList | View::OldListAfterwards => self.gate.catch_up(),
        }
        (before, settled)
    }

    async fn all_watches_wait(&self) {
        eventually(CONVERGES, async || match self.gate.waiting() {
            WATCHES => Ok(()),
            waiting => Err(format!("{waiting} watches wait")),
        })
        .await;
    }

    async fn nobody_is_wronged(&self, what: &str, change: &Change, before: Before, place: &Place<'_>) {
        for (name, invite) in &before.invites {
            let is_refused = change.refused.contains(&name.as_str());
            let answer = eventually(CONVERGES, async || match self.stage.view(invite).await {
                answer if (answer.status == 401) == is_refused => Ok(answer),
                answer => Err(format!("{what}: {name}: {answer:?}")),
            })
            .await;
            assert!(!is_refused || answer.problem() == "invalid-invite", "{what}: {answer:?}");
            let is_kept = !is_refused && change.after.invites.iter().any(|(listed, ..)| listed == name);
            let now = place.invites(ROOM).await;
            assert!(!is_kept || now.get(name) == Some(invite), "{what}: the invite of {name} changed");
        }
        let room = place.rooms().get_opt(ROOM).await.expect("an answer");
        let session = room.and_then(|room| room.status?.session).map(|session| session.id);
        if let Some(ben) = before.ben {
            let is_out = ben.events().iter().any(|event| event["event"] == "disconnected");
            assert!(!(change.is_undisturbed && is_out), "{what}: ben was put out");
            ben.close().await;
        }
        assert!(!change.is_undisturbed || before.session == session, "{what}: the session is {session:?} and was {:?}", before.session);
        // That of an object that went without a trace is closed as an orphan.
        let is_old = |id: &String| before.session.as_ref() == Some(id) && session.as_ref() != Some(id);
        eventually(CONVERGES, async || {
            let sessions = self.stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
            let lives = sessions.iter().any(|session| is_old(&session.id));
            if lives { Err(format!("{what}: the session from before lives")) } else { Ok(()) }
        })
        .await;
    }

    async fn clean_up(&self, place: &Place<'_>) {
        if place.rooms().get_opt(ROOM).await.expect("an answer").is_some() {
            place.delete(ROOM).await;
            place.until_gone(ROOM, CONVERGES).await;
        }
    }
}

/// Makes the Room as it is before, with ben in the call.
async fn prepare(stage: &Stage, place: &Place<'_>, change: &Change) -> Before {
    let Some(spec) = &change.before else { return Before::default() };
    place.apply(ROOM, spec.clone()).await;
    let room = place.until(ROOM, |status| condition(status, "Ready").0 == "True").await;
    let invites = place.invites(ROOM).await;
    let ben = if change.is_undisturbed {
        Some(Client::join(&stage.credentials(&invites["ben"]).await, &[]).await.expect("ben is in"))
    } else {
        None
    };
    let session = room.status.as_ref().and_then(|status| status.session.as_ref()).map(|session| session.id.clone());
    Before { uid: room.uid().unwrap_or_default(), session, invites, ben }
}

/// What of a namespace does not change any more: all but who is in the call.
async fn what_is_there(place: &Place<'_>) -> Value {
    let mut status =
        serde_json::to_value(place.rooms().get_opt(ROOM).await.expect("an answer").and_then(|room| room.status)).expect("JSON");
    status["counts"] = Value::Null;
    let mut versions = place.versions().await;
    versions.retain(|object, _| object.starts_with("Secret"));
    json!({"status": status, "invites": versions})
}

async fn take(place: &Place<'_>, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Edit(spec) => drop(place.edit(ROOM, spec.clone()).await),
            Step::Create(spec) => drop(place.apply(ROOM, spec.clone()).await),
            Step::Delete => place.delete(ROOM).await,
            Step::DeleteWithoutFinalizer => {
                let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                place.rooms().patch(ROOM, &PatchParams::default(), &patch).await.expect("the finalizer is taken off");
                place.delete(ROOM).await;
            }
        }
    }
}
