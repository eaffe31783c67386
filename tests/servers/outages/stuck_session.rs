//! A session that belongs to nobody and cannot be closed.

use roomkeeper::api::{Phase, RoomClass};
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::stage::{PATIENCE, Stage, session, session_of_another};
use crate::support::{eventually, run, window};

const CLASS: &str = "stuck";
/// Closings that nobody answers.
const CLOSINGS: usize = 2;

#[test]
fn a_session_that_cannot_be_closed_makes_its_class_neither_fail_nor_wake_its_rooms() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let livekit = LiveKitServer::start(Options::default()).await;
        let faults = Faults::default();
        let proxy = FaultProxy::before(&livekit.url(), &faults).await;
        stage.class_behind(CLASS, &livekit, proxy.port).await;
        stage.class_reason(CLASS, "Reconciled").await;
        place.apply("call", json!({"roomClassName": CLASS, "participants": [{"name": "ada"}]})).await;
        let ours = session(&place.until_phase("call", Phase::Open).await);
        place.event("call", "Opened").await;
        let classes = kube::Api::<RoomClass>::all(stage.admin.clone());
        let conditions = async || classes.get(CLASS).await.expect("the class").status.expect("a status").conditions;
        let passes = async || stage.controller.metric("roomkeeper_reconcile_duration_seconds_count").await;
        let before = (conditions().await, passes().await);

        faults.silence(&["/DeleteRoom"]);
        let orphan = session_of_another(&ours, "00000000-0000-4000-8000-000000000000");
        let backend = livekit.backend();
        backend.ensure(&orphan, window().into()).await.expect("made");
        eventually(2 * PATIENCE, async || match faults.given_up() {
            given_up if given_up >= CLOSINGS => Ok(()),
            given_up => Err(format!("{given_up} closings were given up")),
        })
        .await;
        assert_eq!((conditions().await, passes().await), before);

        faults.silence(&[]);
        eventually(PATIENCE, async || match backend.observe(&orphan).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        assert_eq!(backend.observe(&ours).await, Ok(Some(Vec::new())));
    });
}
