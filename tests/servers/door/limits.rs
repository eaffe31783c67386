//! Who asks too often, and who is to say where a request came from.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use futures::future::join_all;
use roomkeeper::api::Phase;
use serde_json::json;

use super::wire::ask;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{self, PATIENCE, Stage};
use crate::support::{eventually, run, run_heavy};

#[test]
fn one_address_that_asks_too_often_is_told_to_wait_and_others_behind_a_trusted_proxy_are_not() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let kubeconfig = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let limited = ["--rate-limit-per-address", "1", "--trusted-proxies", "127.0.0.0/8,::1/128"];
        let gateway = Role::gateway_with(&kubeconfig, free_port(), &limited).await;
        let from = async |address: &str| ask(gateway.port, "GET", "/v1/room", &[("x-forwarded-for", address)]).await;
        let mut refused = None;
        // As some proxies write it; each connection has another port.
        for port in 50_000..50_030 {
            let reply = from(&format!("198.51.100.1:{port}")).await;
            if reply.status == 429 {
                refused = Some(reply);
                break;
            }
            assert_eq!(reply.status, 401, "{reply:?}");
        }
        let refused = refused.expect("thirty at once are too many");
        assert_eq!(refused.problem(), (429, "too-many-requests".to_owned()));
        assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
        assert_eq!(from("198.51.100.2").await.status, 401, "somebody else pays nothing");
        assert_eq!(from("203.0.113.7, 198.51.100.1").await.status, 429, "what stands before it is hearsay");
        let page = ask(gateway.port, "GET", "/", &[("x-forwarded-for", "198.51.100.1")]).await;
        assert_eq!(page.status, 200, "the page is not counted");
        let invite = place.invite("call", "ada").await;
        let bearer = format!("Bearer {invite}");
        let https =
            [("authorization", bearer.as_str()), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"), ("content-length", "0")];
        let joined = ask(gateway.port, "POST", "/v1/join", &https).await;
        assert!(joined.body.contains("\"url\":\"wss://localhost\""), "{}", joined.status);
        for (origin, url) in [
            ("https://localhost", "wss://localhost"),
            ("https://elsewhere.example", "ws://localhost"),
            ("http://localhost", "ws://localhost"),
        ] {
            let page = [("authorization", bearer.as_str()), ("x-forwarded-for", "192.0.2.2"), ("origin", origin), ("content-length", "0")];
            let joined = ask(gateway.port, "POST", "/v1/join", &page).await;
            assert!(joined.body.contains(&format!("\"url\":\"{url}\"")), "a page at {origin}: {}", joined.status);
        }
    });
}

#[test]
fn five_hundred_joins_at_once_from_one_address_are_all_answered() {
    run_heavy(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let people: Vec<_> = (0..350).map(|number| json!({"name": format!("person-{number}")})).collect();
        place.apply("call", json!({"participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let invites: Vec<String> = place.invites("call").await.into_values().collect();
        assert_eq!(invites.len(), 350);
        stage.credentials(&invites[0]).await;
        let tries = AtomicU32::new(0);
        // A media server that is slow for a moment is no refusal: the answer says to try again, which the page does too.
        let joins = invites.iter().cycle().take(500).map(|invite| {
            eventually(PATIENCE, async || {
                tries.fetch_add(1, Relaxed);
                let answer = stage::ask(stage.gateway.port, "POST", "/v1/join", invite, None).await.map_err(|error| error.to_string())?;
                assert!([200, 503].contains(&answer.status), "{answer:?}");
                if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
            })
        });
        join_all(joins).await;
        println!("500 joins took {} requests", tries.load(Relaxed));
    });
}

#[test]
fn who_asks_for_places_by_a_link_and_never_takes_one_keeps_nobody_out_and_who_comes_again_is_the_same_person() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let people = json!([{"name": "pia", "role": "Presenter"}, {"name": "ada"}]);
        place.apply("call", json!({"joinPolicy": "AnyoneWithLink", "maxParticipants": 4, "participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let link = place.invite("call", "*").await;
        for _ in 0..30 {
            let answer = stage.join_as(&link, "Nobody").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let (pia, ada) = (place.joined("call", "pia", &[]).await, place.joined("call", "ada", &[]).await);
        let joined = stage.join_as(&link, "Ann").await;
        let ann = Client::join(&joined.credentials(), &[]).await.expect("Ann is in");
        assert_eq!(stage.join_as(&link, "Ben").await.status, 200);
        assert_eq!(stage.join_as(&link, "Cleo").await.problem(), "full", "the last place waits for Ben");
        let own = joined.body["invite"].as_str().expect("an invite of her own");
        let again = stage.join_as(own, "Ann").await;
        assert_eq!(again.body["identity"], joined.body["identity"], "{again:?}");
        let back = Client::join(&again.credentials(), &[]).await.expect("Ann is in again");
        ann.event("disconnected").await;
        for client in [pia, ada, back] {
            client.close().await;
        }
    });
}
