//! The API server is gone for minutes, and comes back.

use std::time::Duration;

use jiff::SignedDuration;
use kube::api::{Patch, PatchParams};
use roomkeeper::api::Phase;
use serde_json::json;

use crate::operations::leader::leads;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Stage};
use crate::support::{all_faults, eventually, now, run};

/// How long it is gone in a long run. In a short one it comes back once another leader may begin.
const GONE_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Within this time all works again.
const RECOVERED: Duration = Duration::from_secs(10);

#[test]
fn within_ten_seconds_after_the_api_server_is_back_edits_new_rooms_and_joins_work_and_no_call_was_cut() {
    run(async {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        // As many as the chart has: one leads, the other stands by.
        let pod = ["--pod-uid", "4c9be2a1"];
        let mut leader = Role::controller_with(&account, &url, &pod).await;
        leads(&leader).await;
        let _other = Role::controller_with(&account, &url, &[]).await;
        let place = stage.place().await;
        let people = json!([{"name": "ada"}, {"name": "ben"}, {"name": "cyd"}]);
        place.apply("call", json!({"participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let (ada, cyd) = (place.joined("call", "ada", &[]).await, place.joined("call", "cyd", &[]).await);
        let ben = place.invite("call", "ben").await;
        let namespace = place.namespace.clone();

        // Not killed: it takes every connection and answers none.
        let stopped_at = now();
        stage.cluster.signal_api_server("STOP");
        leader.process.ended(PATIENCE).await;
        // As a kubelet does.
        let _next = Role::controller_in(&[], &account, &[&["--gateway-url", &url], &pod[..]].concat());
        if all_faults() {
            let gone = async || if now().duration_since(stopped_at) > GONE_FOR { Ok(()) } else { Err("not for long enough") };
            eventually(Duration::from_mins(6), gone).await;
        }
        let is_in = |client: &Client| !client.events().iter().any(|event| event["event"] == "disconnected");
        assert!(is_in(&ada) && is_in(&cyd), "who is in stays in");

        stage.cluster.signal_api_server("CONT");
        let place = stage.place_in(namespace);
        let back = eventually(RECOVERED, async || {
            let edit = Patch::Merge(json!({"spec": {"participants": [{"name": "ben"}, {"name": "cyd"}]}}));
            place.rooms().patch("call", &PatchParams::default(), &edit).await.map(|_| now())
        })
        .await;
        place.apply("new", json!({"participants": [{"name": "dee"}]})).await;
        eventually(RECOVERED, async || {
            let new = place.rooms().get("new").await.map_err(|error| error.to_string())?.status.unwrap_or_default();
            if new.phase == Phase::Open && !is_in(&ada) { Ok(()) } else { Err(format!("{:?}, ada is in: {}", new.phase, is_in(&ada))) }
        })
        .await;
        let joined = stage.join(&ben).await;
        assert_eq!(joined.status, 200, "{joined:?}");
        println!("all works {:.1} s after the API server is back", now().duration_since(back).as_secs_f64());
        assert!(is_in(&cyd), "who may stay was never put out");
    });
}
