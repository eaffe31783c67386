//! A media server whose answer comes when what was asked for is not wanted any more.

use kube::api::DeleteParams;
use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Place, Stage};
use crate::support::{eventually, run};

const SLOW: &str = "slow";
const QUICK: &str = "quick";
/// Looks of a class at its media server: what was planned is carried out by then.
const SWEEPS: f64 = 4.0;

#[test]
fn a_removal_that_is_gone_before_the_media_server_answers_puts_nobody_out() {
    run(async {
        let stage = Stage::start().await;
        let (place, slow, quick) = (stage.place().await, Faults::default(), Faults::default());
        let slow_proxy = FaultProxy::before(&stage.livekit.url(), &slow).await;
        let quick_proxy = FaultProxy::before(&stage.livekit.url(), &quick).await;
        stage.class_behind(SLOW, &stage.livekit, slow_proxy.port).await;
        stage.class_behind(QUICK, &stage.livekit, quick_proxy.port).await;
        let ann = joined(&stage, &place, SLOW).await;
        let ben = joined(&stage, &place, QUICK).await;

        slow.hold(&["/ListParticipants"]);
        place.keep_out(SLOW, SLOW).await;
        eventually(PATIENCE, async || if slow.waiting() > 0 { Ok(()) } else { Err("the call is not looked into") }).await;
        place.removals().delete(SLOW, &DeleteParams::default()).await.expect("deleted");
        // The controller has seen that, too, when it has seen what came after it.
        place.keep_out(QUICK, QUICK).await;
        ben.event("disconnected").await;
        slow.hold(&[]);

        stage.controller.sweeps(SWEEPS).await;
        let told = ann.events();
        assert!(!told.iter().any(|event| event["event"] == "disconnected"), "{told:?}");
        ann.close().await;
    });
}

/// Somebody in a call of a class. Both have its name.
async fn joined(stage: &Stage, place: &Place<'_>, class: &str) -> Client {
    place.apply(class, json!({"roomClassName": class, "participants": [{"name": class}]})).await;
    place.until_phase(class, Phase::Open).await;
    let invite = place.invite(class, class).await;
    Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call")
}
