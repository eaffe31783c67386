//! A view that becomes right while something is done by what it was before.

use kube::ResourceExt;
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use super::controller;
use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::gate::Gate;
use crate::support::stage::{PATIENCE, Stage, session, session_of_another};
use crate::support::{eventually, run, window};

/// Looks of a class at its media server: whatever looks like an orphan twice is closed by then.
const SWEEPS: f64 = 4.0;

#[test]
fn a_room_that_comes_to_be_known_while_its_session_is_taken_for_an_orphan_keeps_its_call() {
    run(async {
        let (mut stage, faults) = (Stage::start().await, Faults::default());
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let (_proxy, kubeconfig) = FaultProxy::before_api_server(&account, &faults).await;
        let gate = Gate::start(&kubeconfig).await;
        stage.controller.process.signal("KILL");
        stage.controller = controller(&stage, &gate.kubeconfig).await;
        let place = stage.place().await;
        place.apply("first", json!({})).await;
        let ours = session(&place.until_phase("first", Phase::Open).await);

        gate.freeze();
        faults.hold(&["/v1alpha1/rooms"]);
        place.apply("late", json!({})).await;
        let uid = place.rooms().get("late").await.expect("the Room").uid().expect("a UID");
        stage.livekit.backend().ensure(&session_of_another(&ours, &uid), window().into()).await.expect("made");
        let asked = async || if faults.waiting() > 0 { Ok(()) } else { Err("nobody asks which Rooms there are") };
        eventually(PATIENCE, asked).await;
        gate.catch_up();
        place.until_phase("late", Phase::Open).await;
        faults.hold(&[]);

        stage.controller.sweeps(SWEEPS).await;
        let told = place.events("late").await.expect("its Events");
        assert!(!told.iter().any(|(reason, _)| reason == "SessionRestored"), "{told:?}");
    });
}
