//! Servers that fail: requests that go wrong, views that are old, media servers that hang.
//!
//! `make test` tries some of the plans, `make faults` all of them, and prints how many held.

mod attack;
mod caught_up;
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

use std::path::{Path, PathBuf};

use crate::support::all_faults;
use crate::support::fault_proxy::{FaultProxy, Faults};
use crate::support::operator::Role;
use crate::support::stage::Stage;

/// Whether a plan is tried: all are in a long run, one of so many in a short one, or none but that which `ROOMKEEPER_PLAN` names.
fn is_tried(plan: &str, number: usize, one_of: usize) -> bool {
    let only = std::env::var("ROOMKEEPER_PLAN").ok();
    only.map_or(all_faults() || number.is_multiple_of(one_of), |only| only == plan)
}

/// Starts the only controller of a stage, with this way to the API server.
async fn controller(stage: &Stage, kubeconfig: &Path) -> Role {
    Role::controller(kubeconfig, &format!("http://127.0.0.1:{}", stage.gateway.port)).await
}

/// Replaces the controller of a stage by one that reaches the API server through a proxy; that, and the kubeconfig for the way through it.
async fn controller_behind(stage: &mut Stage, faults: &Faults) -> (FaultProxy, PathBuf) {
    let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
    let (proxy, kubeconfig) = FaultProxy::before_api_server(&account, faults).await;
    stage.controller.process.signal("KILL");
    stage.controller = controller(stage, &kubeconfig).await;
    (proxy, kubeconfig)
}
