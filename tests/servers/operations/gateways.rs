//! Several gateways behind one address.

use std::cell::Cell;
use std::time::Duration;

use roomkeeper::api::Phase;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::balancer::Balancer;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, ask};
use crate::support::{eventually, run};

/// Stops a gateway as a Deployment does, and waits until it has ended.
async fn stop(balancer: &Balancer, mut gateway: Role) {
    gateway.process.signal("TERM");
    eventually(PATIENCE, async || if gateway.probes().await.0 { Err("still ready") } else { Ok(()) }).await;
    balancer.take_out(gateway.port);
    gateway.process.ended(PATIENCE).await;
}

/// Between two joins with one invite, of which two in a second are allowed.
const PACE: Duration = Duration::from_millis(600);

/// Joins with an invite again and again until it is `over`, and counts. Each time they must be let in.
async fn keep_joining(port: u16, invite: &str, joins: &Cell<usize>, over: &CancellationToken) {
    let mut pace = tokio::time::interval(PACE);
    while over.run_until_cancelled(pace.tick()).await.is_some() {
        let answer = ask(port, "POST", "/v1/join", invite, None).await.expect("an answer");
        assert_eq!(answer.status, 200, "after {} joins: {answer:?}", joins.get());
        joins.set(joins.get() + 1);
    }
}

#[test]
fn gateways_are_replaced_one_after_the_other_without_a_call_or_a_join_that_fails() {
    run(async {
        let stage = Stage::shared().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let (first, second) = tokio::join!(Role::gateway(&account, free_port()), Role::gateway(&account, free_port()));
        let balancer = Balancer::start(&[first.port, second.port]).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}, {"name": "eve"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let enter = async |name: &str| {
            let invite = place.invite("call", name).await;
            let answer = ask(balancer.port, "POST", "/v1/join", &invite, None).await.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            Client::join(&answer.credentials(), &["microphone"]).await.expect("in the call")
        };
        let mut ada = enter("ada").await;
        let ben = enter("ben").await;
        let invite = place.invite("call", "eve").await;
        let mut replacements = Vec::new();
        for old in [first, second] {
            let (joins, over) = (Cell::new(0), CancellationToken::new());
            let replace = async {
                let new = Role::gateway(&account, free_port()).await;
                balancer.put_in(new.port);
                let before = joins.get();
                stop(&balancer, old).await;
                over.cancel();
                (new, joins.get() - before)
            };
            let ((new, meanwhile), ()) = tokio::join!(replace, keep_joining(balancer.port, &invite, &joins, &over));
            assert!(meanwhile > 0, "nobody has joined while a gateway left, and {} before", joins.get());
            replacements.push(new);
            enter("eve").await.close().await;
        }
        // What one says still reaches the other, and nobody was ever out.
        eventually(PATIENCE, async || {
            ada.command("say still here").await;
            let heard = ben.events().iter().any(|event| event.to_string().contains("still here"));
            if heard { Ok(()) } else { Err(format!("{:?}", ben.events())) }
        })
        .await;
        for client in [&ada, &ben] {
            assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
        }
    });
}
