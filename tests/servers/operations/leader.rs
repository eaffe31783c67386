//! One controller works, the others stand by.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, condition, in_seconds};
use crate::support::{eventually, now, run};

/// Until a leader that was killed is replaced.
const AFTER_A_KILL: SignedDuration = SignedDuration::from_secs(15);
/// Until a leader that was stopped is replaced. Its Lease was renewed two seconds before at most, so that without being given up it would last
/// longer; it takes less than a second, but for a machine that has other things to do.
const AFTER_A_STOP: SignedDuration = SignedDuration::from_secs(6);
/// How long a Lease lasts: so much later than it saw the last renewal another may begin.
const LASTS: SignedDuration = SignedDuration::from_secs(10);
/// How long the Lease that is stolen in a test says that it lasts.
const STOLEN: SignedDuration = SignedDuration::from_secs(3);
/// UIDs of the Pods of the two.
const FIRST: &str = "0b5e1f0c";
const SECOND: &str = "77a0c3de";
/// Rooms that a leader looks after.
const ROOMS: usize = 20;

/// Two candidates instead of the one controller that needs no election.
struct Pair {
    first: Role,
    second: Role,
    stage: Stage,
}

impl Pair {
    /// The first one is the leader.
    async fn start() -> Self {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let first = Self::candidate(&stage, FIRST).await;
        leads(&first).await;
        let second = Self::candidate(&stage, SECOND).await;
        assert_eq!(second.metric("roomkeeper_leader").await, Some(0.0));
        Self { first, second, stage }
    }

    async fn candidate(stage: &Stage, pod: &str) -> Role {
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        Role::controller_with(&account, &format!("http://127.0.0.1:{}", stage.gateway.port), &["--pod-uid", pod]).await
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.stage.admin.clone(), "roomkeeper-system")
    }
}

/// The moment at which a candidate was seen to be the leader.
async fn is_leader(role: &Role) -> Timestamp {
    eventually(PATIENCE, async || match role.metric("roomkeeper_leader").await {
        Some(1.0) => Ok(now()),
        other => Err(format!("{other:?}")),
    })
    .await
}

/// The moment at which a candidate was seen to be the leader, and to work.
pub async fn leads(role: &Role) -> Timestamp {
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
        place.apply("short", json!({"validUntil": in_seconds(600), "participants": [{"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        place.until_phase("short", Phase::Open).await;
        let in_short = place.joined("short", "ben", &[]).await;
        assert_eq!(pair.second.probes().await, (true, true), "who stands by is ready");
        // The last renewal is two seconds old when the leader is killed, or a little more, so the Lease lasts more than seven seconds from
        // then on. The end comes at most five seconds after this edit.
        let end = in_seconds(5);
        place.edit("short", json!({"validUntil": end})).await;
        place.until_phase("short", Phase::Open).await;
        let end: Timestamp = end.parse().expect("a moment");
        let killed_at = now();
        assert!(killed_at < end, "there was time to kill the leader before {end}");
        pair.first.process.signal("KILL");
        in_short.event("disconnected").await;
        assert!(now() >= end, "nobody is put out before the end");
        assert_eq!(pair.second.metric("roomkeeper_leader").await, Some(0.0), "nobody leads when the call ends");
        let took = leads(&pair.second).await.duration_since(killed_at);
        assert!(took <= AFTER_A_KILL, "{took:?}");
        place.until_phase("short", Phase::Expired).await;
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        place.until("call", |status| status.participants.len() == 2).await;
    });
}

#[test]
fn a_leader_whose_container_is_started_again_leads_on_although_another_stands_by() {
    run(async {
        let mut pair = Pair::start().await;
        let leases = pair.leases();
        let spec = async || leases.get("roomkeeper-controller").await.expect("the Lease").spec.expect("a spec");
        let before = spec().await;
        pair.first.process.signal("KILL");
        let again = Pair::candidate(&pair.stage, FIRST).await;
        leads(&again).await;
        let after = spec().await;
        assert_eq!((after.holder_identity, after.lease_transitions), (before.holder_identity, before.lease_transitions));
        assert_eq!(pair.second.metric("roomkeeper_leader").await, Some(0.0));
    });
}

#[test]
fn a_leader_that_was_stopped_is_replaced_before_its_lease_is_over() {
    run(async {
        let mut pair = Pair::start().await;
        let place = pair.stage.place().await;
        let names = place.open_calls(ROOMS).await;
        let ada = place.joined("call-0", "ada", &[]).await;
        // In the midst of work.
        for name in &names {
            place.edit(name, json!({"participants": [{"name": "ada"}]})).await;
        }
        let stopped_at = now();
        pair.first.process.signal("TERM");
        let took = leads(&pair.second).await.duration_since(stopped_at);
        assert!(took <= AFTER_A_STOP, "{took:?}");
        let status = pair.first.process.ended(PATIENCE).await;
        assert!(status.success(), "{status}");
        for name in &names {
            place.until(name, |status| status.participants.len() == 1).await;
        }
        still_in(&ada);
    });
}

/// Stops the media server of a class of its own, and has the leader hang in a pass over the Room `stuck`, which lives there. The Room
/// `call` lives on a media server that is well.
async fn hang(stage: &Stage, place: &Place<'_>) -> LiveKitServer {
    let mut livekit = LiveKitServer::start(Options::default()).await;
    stage.class("hanging", &livekit, json!({})).await;
    let both = json!([{"name": "ada"}, {"name": "ben"}]);
    place.apply("stuck", json!({"roomClassName": "hanging", "participants": both})).await;
    place.apply("call", json!({"participants": both})).await;
    place.until_phase("stuck", Phase::Open).await;
    place.until_phase("call", Phase::Open).await;
    livekit.signal("STOP");
    // Until the class is found to be unreachable, each pass waits for its server, for as long as a request may take; the first one may
    // have been a little faster than the signal.
    for attempt in ["first", "second", "third"] {
        place.edit("stuck", json!({"displayName": attempt, "participants": [{"name": "ada"}]})).await;
        // What came later in the same watch is done, so the pass over the other Room has begun.
        place.edit("call", json!({"suspend": true})).await;
        place.until_phase("call", Phase::Suspended).await;
        place.edit("call", json!({"suspend": false})).await;
        place.until_phase("call", Phase::Open).await;
        let stuck = place.rooms().get("stuck").await.expect("the Room");
        if stuck.status.and_then(|status| status.observed_generation) != stuck.metadata.generation {
            return livekit;
        }
    }
    panic!("no pass hangs");
}

#[test]
fn a_leader_that_hangs_in_a_pass_and_is_told_to_stop_is_replaced_before_its_lease_is_over_all_the_same() {
    run(async {
        let mut pair = Pair::start().await;
        let place = pair.stage.place().await;
        let mut livekit = hang(&pair.stage, &place).await;
        let stopped_at = now();
        pair.first.process.signal("TERM");
        let took = is_leader(&pair.second).await.duration_since(stopped_at);
        assert!(took <= AFTER_A_STOP, "{took:?}");
        let status = pair.first.process.ended(PATIENCE).await;
        assert!(status.success(), "{status}");
        // The next one works although it meets the same media server, and what was broken off is taken up.
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        place.until("call", |status| status.participants.iter().any(|entry| entry.name == "eve")).await;
        livekit.signal("CONT");
        place.until("stuck", |status| status.participants.len() == 1 && condition(status, "Ready").0 == "True").await;
    });
}

#[test]
fn a_leader_that_was_killed_is_replaced_by_one_that_works_within_fifteen_seconds_although_a_media_server_hangs() {
    run(async {
        let mut pair = Pair::start().await;
        let place = pair.stage.place().await;
        let _livekit = hang(&pair.stage, &place).await;
        let killed_at = now();
        pair.first.process.signal("KILL");
        pair.first.process.ended(PATIENCE).await;
        // Only another one can carry this out.
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        place.until("call", |status| status.participants.iter().any(|entry| entry.name == "eve")).await;
        let took = now().duration_since(killed_at);
        assert!(took <= AFTER_A_KILL, "{took:?}");
        leads(&pair.second).await;
    });
}

#[test]
fn a_leader_whose_lease_was_taken_stops_at_once_and_says_who_took_it() {
    run(async {
        let mut pair = Pair::start().await;
        let stolen = json!({"spec": {
            "holderIdentity": "somebody-else", "leaseDurationSeconds": STOLEN.as_secs(), "renewTime": "2001-01-01T00:00:00.000000Z",
        }});
        let stolen_at = now();
        pair.leases().patch("roomkeeper-controller", &PatchParams::default(), &Patch::Merge(stolen)).await.expect("the Lease");
        let status = pair.first.process.ended(PATIENCE).await;
        assert!(!status.success());
        assert!(pair.first.log().contains("the Lease roomkeeper-controller was taken over by somebody-else"), "{}", pair.first.log());
        // Its renewal time lies decades back, and yet it is waited for as long as it lasts.
        let took = leads(&pair.second).await.duration_since(stolen_at);
        assert!(took >= STOLEN, "{took:?}");
    });
}

#[test]
fn a_moment_in_which_the_lease_is_refused_ends_neither_the_leader_nor_who_stands_by() {
    run(async {
        let mut pair = Pair::start().await;
        let kubectl = |arguments: &[&str]| {
            let output = pair.stage.cluster.kubectl(arguments, "");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        let role = ["-n", "roomkeeper-system", "role", "roomkeeper-controller"];
        let granted: Value = serde_json::from_str(&kubectl(&["get", role[0], role[1], role[2], role[3], "-o", "json"])).expect("JSON");
        let allow = |rules: Value| {
            let patch = json!({"rules": rules}).to_string();
            kubectl(&["patch", role[0], role[1], role[2], role[3], "--type=merge", "-p", &patch]);
        };
        let mut rest = granted["rules"].as_array().expect("rules").clone();
        rest.retain(|rule| !rule["resources"].as_array().is_some_and(|kinds| kinds.contains(&json!("leases"))));
        allow(json!(rest));
        for role in [&pair.first, &pair.second] {
            eventually(PATIENCE, async || {
                let is_refused = role.log().contains("the API server refuses the use of the Lease");
                if is_refused { Ok(()) } else { Err(role.log()) }
            })
            .await;
        }
        let refused = pair.leases().get("roomkeeper-controller").await.expect("the Lease");
        allow(granted["rules"].clone());
        eventually(PATIENCE, async || {
            let lease = pair.leases().get("roomkeeper-controller").await.map_err(|error| error.to_string())?;
            let is_renewed = lease.metadata.resource_version != refused.metadata.resource_version;
            if is_renewed { Ok(()) } else { Err(format!("{:?}", lease.spec)) }
        })
        .await;
        assert_eq!((pair.first.process.exited(), pair.second.process.exited()), (None, None));
        assert_eq!(pair.first.metric("roomkeeper_leader").await, Some(1.0));
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
        let status = pair.first.process.ended(PATIENCE).await;
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
        let stopped_at = now();
        pair.stage.cluster.signal_api_server("STOP");
        let status = pair.first.process.ended(PATIENCE).await;
        let took = now().duration_since(stopped_at);
        assert!(took < LASTS, "{took:?}");
        assert!(!status.success());
        assert!(pair.first.log().contains("could not be renewed"), "{}", pair.first.log());
        pair.stage.cluster.signal_api_server("CONT");
        leads(&pair.second).await;
    });
}
