//! A gateway without API server: it goes by what it knew for a while, then lets nobody in, and recovers by itself.

use std::time::Duration;

use roomkeeper::api::Phase;
use serde_json::json;

use super::wire::upgrade;
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, now, run};

/// The minute for which the gateway may go by what it knew, and more.
const SILENCE: Duration = Duration::from_secs(90);
/// So many seconds after the API server was there last the gateway does not go by what it knew any more.
const AFTER_THE_SILENCE: i64 = 80;

#[test]
fn without_api_server_known_rooms_go_on_for_a_minute_then_nobody_is_let_in_and_all_heals_by_itself() {
    run(async {
        let mut stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.apply("short", json!({"validUntil": in_seconds(600), "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        place.until_phase("short", Phase::Open).await;
        let (ada, ben, short) = (place.invite("call", "ada").await, place.invite("call", "ben").await, place.invite("short", "ada").await);
        let in_call = Client::join(&stage.credentials(&ada).await, &[]).await.expect("ada is in");
        let in_short = Client::join(&stage.credentials(&short).await, &[]).await.expect("ada is in");
        let namespace = place.namespace.clone();
        let end = in_seconds(AFTER_THE_SILENCE);
        place.edit("short", json!({"validUntil": end})).await;
        eventually(PATIENCE, async || match stage.view(&short).await {
            answer if answer.body["validUntil"] == end.as_str() => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;

        // Not killed: it takes every connection and answers none.
        let stopped_at = now();
        stage.cluster.signal_api_server("STOP");
        let answer = stage.join(&ben).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let grant = answer.credentials();
        eventually(SILENCE, async || match stage.join(&ben).await {
            answer if answer.status == 503 && answer.problem() == "unavailable" => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;
        let after: Duration = now().duration_since(stopped_at).try_into().expect("time passes");
        assert!(after > Duration::from_secs(25) && after < Duration::from_mins(1), "{after:?}");
        nobody_is_let_in(&stage, &ada, &grant.token).await;
        assert!(!in_call.events().iter().any(|event| event["event"] == "disconnected"), "who is in stays in");
        // The end needs no API server.
        eventually(SILENCE, async || {
            let events = in_short.events();
            if events.iter().any(|event| event["event"] == "disconnected") { Ok(()) } else { Err(format!("{events:?}")) }
        })
        .await;
        let end: jiff::Timestamp = end.parse().expect("a moment");
        let lag = now().duration_since(end);
        assert!(now() >= end && lag.as_millis() < 1000, "out {lag:?} after the end");

        stage.cluster.signal_api_server("CONT");
        let place = stage.place_in(namespace);
        place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
        let edited_at = now();
        in_call.event("disconnected").await;
        let lag = now().duration_since(edited_at);
        assert!(lag.as_secs() < 10, "the watch is alive again, after {lag:?}");
        eventually(Duration::from_secs(10), async || match stage.view(&ben).await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;
        assert_eq!(stage.view(&ada).await.problem(), "invalid-invite");
        eventually(PATIENCE, async || match stage.gateway.probes().await {
            (true, true) => Ok(()),
            probes => Err(format!("{probes:?}")),
        })
        .await;
    });
}

/// The gateway says to everybody that it cannot tell, and that it is alive but not ready.
async fn nobody_is_let_in(stage: &Stage, invite: &str, token: &str) {
    assert_eq!(stage.view(invite).await.problem(), "unavailable");
    let (refused, _) = upgrade(stage.gateway.port, &format!("/rtc?access_token={token}"), &[]).await;
    assert_eq!(refused.problem(), (503, "unavailable".to_owned()));
    eventually(PATIENCE, async || match stage.gateway.probes().await {
        (false, true) => Ok(()),
        probes => Err(format!("{probes:?}")),
    })
    .await;
}
