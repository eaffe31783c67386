//! Several gateways behind one address.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::balancer::Balancer;
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
    eventually(PATIENCE, async || gateway.process.exited().map(|_| ()).ok_or("still there")).await;
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
            Client::join(&answer.admission(), &["microphone"]).await.expect("in the call")
        };
        let mut ada = enter("ada").await;
        let ben = enter("ben").await;
        let mut replacements = Vec::new();
        for old in [first, second] {
            let new = Role::gateway(&account, free_port()).await;
            balancer.put_in(new.port);
            replacements.push(new);
            stop(&balancer, old).await;
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
