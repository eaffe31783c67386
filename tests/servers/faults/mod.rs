//! Servers that fail: requests that go wrong, views that are old, media servers that hang.
//!
//! `make test` tries some of the plans, `make faults` all of them, and prints how many held.

mod attack;
mod changes;
mod churn;
mod half_hung;
mod oracle;
mod requests;
mod scenarios;
mod sequences;
mod stale_views;
mod unrecorded;
mod without_api_server;

use std::path::Path;

use serde_json::json;

use crate::support::all_faults;
use crate::support::fault_proxy::FaultProxy;
use crate::support::operator::Role;
use crate::support::stage::Stage;

/// Whether a plan is tried: all are in a long run, one of so many in a short one, or none but that which `ROOMKEEPER_PLAN` names.
fn is_tried(plan: &str, number: usize, one_of: usize) -> bool {
    let only = std::env::var("ROOMKEEPER_PLAN").ok();
    only.map_or(all_faults() || number.is_multiple_of(one_of), |only| only == plan)
}

/// Makes a class whose calls live on the media server of a stage, which the controller reaches through this proxy.
async fn class_behind(stage: &Stage, name: &str, proxy: &FaultProxy) {
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let backend = json!({"liveKit": {"signalling": "Direct", "url": url, "publicURL": stage.livekit.url().replace("http", "ws")}});
    stage.class(name, &stage.livekit, json!({"backend": backend})).await;
}

/// Starts the only controller of a stage, with this way to the API server.
async fn controller(stage: &Stage, kubeconfig: &Path) -> Role {
    Role::controller(kubeconfig, &format!("http://127.0.0.1:{}", stage.gateway.port)).await
}
