//! One controller works, the others stand by.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, now, run};

/// Until a leader that was killed is replaced.
const AFTER_A_KILL: SignedDuration = SignedDuration::from_secs(15);
/// Until a leader that was stopped is replaced.
const AFTER_A_STOP: SignedDuration = SignedDuration::from_secs(2);

/// Two candidates instead of the one controller that needs no election.
struct Pair {
    stage: Stage,
    first: Role,
    second: Role,
}

impl Pair {
    /// The first one is the leader.
    async fn start() -> Self {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let first = Self::candidate(&stage).await;
        leads(&first).await;
        let second = Self::candidate(&stage).await;
        assert_eq!(second.metric("roomkeeper_leader").await, Some(0.0));
        Self { stage, first, second }
    }

    async fn candidate(stage: &Stage) -> Role {
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        Role::controller_with(&account, &format!("http://127.0.0.1:{}", stage.gateway.port), &[]).await
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.stage.admin.clone(), "roomkeeper-system")
    }
}

/// The moment at which a candidate was seen to be the leader, and to work.
async fn leads(role: &Role) -> Timestamp {
    eventually(PATIENCE, async || match role.metric("roomkeeper_leader").await {
        Some(1.0) if role.log().contains("the controller has started") => Ok(now()),
        other => Err(format!("{other:?}")),
    })
    .await
}

#[test]
fn a_leader_that_was_killed_is_replaced_within_fifteen_seconds_and_ends_come_all_the_same() {
    run(async {
        let mut pair = Pair::start().await;
        let place = pair.stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let end = in_seconds(8);
        place.apply("short", json!({"validUntil": end, "participants": [{"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        place.until_phase("short", Phase::Open).await;
        let in_short = place.joined("short", "ben", &[]).await;
        assert_eq!(pair.second.probes().await, (true, true), "who stands by is ready");
        pair.first.process.signal("KILL");
        let killed_at = now();
        // Nobody leads when this ends.
        in_short.event("disconnected").await;
        let took = leads(&pair.second).await.duration_since(killed_at);
        assert!(took <= AFTER_A_KILL, "{took:?}");
        place.until_phase("short", Phase::Expired).await;
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        place.until("call", |status| status.participants.len() == 2).await;
    });
}

#[test]
fn a_leader_that_was_stopped_is_replaced_within_two_seconds() {
    run(async {
        let mut pair = Pair::start().await;
        let stopped_at = now();
        pair.first.process.signal("TERM");
        let took = leads(&pair.second).await.duration_since(stopped_at);
        assert!(took <= AFTER_A_STOP, "{took:?}");
        let status = eventually(PATIENCE, async || pair.first.process.exited().ok_or("it runs")).await;
        assert!(status.success(), "{status}");
    });
}

#[test]
fn a_leader_whose_lease_was_taken_stops_at_once_and_says_who_took_it() {
    run(async {
        let mut pair = Pair::start().await;
        let stolen =
            json!({"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3, "renewTime": "2001-01-01T00:00:00.000000Z"}});
        pair.leases().patch("roomkeeper-controller", &PatchParams::default(), &Patch::Merge(stolen)).await.expect("the Lease");
        let status = eventually(PATIENCE, async || pair.first.process.exited().ok_or("it runs")).await;
        assert!(!status.success());
        assert!(pair.first.log().contains("the Lease roomkeeper-controller was taken over by somebody-else"), "{}", pair.first.log());
        // Its renewal time lies decades back, and yet it is waited for as long as it lasts.
        leads(&pair.second).await;
    });
}

#[test]
fn a_leader_makes_its_lease_again_and_is_not_irritated_by_what_others_write_beside() {
    run(async {
        let pair = Pair::start().await;
        let leases = pair.leases();
        let before = leases.get("roomkeeper-controller").await.expect("the Lease");
        let label = Patch::Merge(json!({"metadata": {"labels": {"touched": "yes"}}}));
        leases.patch("roomkeeper-controller", &PatchParams::default(), &label).await.expect("labelled");
        let renewed = eventually(PATIENCE, async || {
            let lease = leases.get("roomkeeper-controller").await.map_err(|error| error.to_string())?;
            let spec = lease.spec.clone().unwrap_or_default();
            if spec.renew_time > before.spec.clone().unwrap_or_default().renew_time { Ok(lease) } else { Err(format!("{spec:?}")) }
        })
        .await;
        assert_eq!(renewed.metadata.labels.unwrap_or_default().get("touched").map(String::as_str), Some("yes"));
        leases.delete("roomkeeper-controller", &DeleteParams::default()).await.expect("deleted");
        let holder = eventually(PATIENCE, async || {
            let lease = leases.get_opt("roomkeeper-controller").await.map_err(|error| error.to_string())?;
            lease.and_then(|lease| lease.spec?.holder_identity).filter(|holder| !holder.is_empty()).ok_or("none yet".to_owned())
        })
        .await;
        // Whoever was faster: one leads, and Rooms are looked after.
        let place = pair.stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        assert!(!holder.is_empty());
    });
}

#[test]
fn a_leader_that_was_frozen_finds_itself_replaced_and_ends() {
    run(async {
        let mut pair = Pair::start().await;
        let place = pair.stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ada = place.joined("call", "ada", &[]).await;
        pair.first.process.signal("STOP");
        leads(&pair.second).await;
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until("call", |status| status.participants.len() == 1).await;
        pair.first.process.signal("CONT");
        let status = eventually(PATIENCE, async || pair.first.process.exited().ok_or("it runs")).await;
        assert!(!status.success());
        assert!(pair.first.log().contains("the Lease roomkeeper-controller"), "{}", pair.first.log());
        place.until_phase("call", Phase::Open).await;
        assert!(place.invite_secret("call", "ben").await.is_none());
        still_in(&ada);
    });
}

fn still_in(client: &Client) {
    assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
}

#[test]
fn a_controller_whose_api_server_is_gone_gives_up_leading_before_another_may_begin() {
    run(async {
        let mut pair = Pair::start().await;
        pair.stage.cluster.signal_api_server("STOP");
        let status = eventually(Duration::from_secs(12), async || pair.first.process.exited().ok_or("it leads")).await;
        assert!(!status.success());
        assert!(pair.first.log().contains("could not be renewed"), "{}", pair.first.log());
        pair.stage.cluster.signal_api_server("CONT");
        leads(&pair.second).await;
    });
}
