//! Direct mode: LiveKit's own hints wake the gateway, which puts out whoever is not allowed.

use roomkeeper::api::Phase;
use roomkeeper::backend::MediaCredentials;
use serde_json::json;

use super::wire::{ask, exchange};
use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::stage::Stage;
use crate::support::{now, run};

#[test]
fn somebody_who_comes_back_past_the_door_is_put_out_at_livekits_own_hint() {
    run(async {
        let mut stage = Stage::start().await;
        let webhook = format!("http://127.0.0.1:{}/v1/hooks/livekit", stage.gateway.port);
        let livekit = LiveKitServer::start(Options { webhook: Some(webhook), ..Options::default() }).await;
        stage.class("direct", &livekit, json!({"backend": {"liveKit": {"signalling": "Direct"}}})).await;
        let place = stage.place().await;
        place.apply("call", json!({"roomClassName": "direct", "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let grant = place.credentials("call", "ada").await;
        let own = livekit.url().replacen("http", "ws", 1);
        assert_eq!(grant.url.as_deref(), Some(own.as_str()), "clients go to LiveKit themselves");
        let refused = ask(stage.gateway.port, "GET", &format!("/rtc/validate?access_token={}", grant.token), &[]).await;
        assert_eq!(refused.status, 401, "and not through the gateway");
        let ada = Client::join_telling_tokens(&grant).await;
        let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
        place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
        ada.event("disconnected").await;
        // From here on only the gateway is there to see her come back.
        stage.controller.process.signal("KILL");
        let back = Client::start(&MediaCredentials::by_token(Some(own), renewed, now()), &[]);
        assert_eq!(back.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
    });
}

#[test]
fn a_hint_that_livekit_did_not_sign_is_refused() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let token = place.credentials("call", "ada").await.token;
        let body = json!({"event": "participant_joined", "room": {"name": "x"}}).to_string();
        for authorization in ["", "garbage", token.as_str(), &format!("Bearer {token}")] {
            let request = format!(
                "POST /v1/hooks/livekit HTTP/1.1\r\nhost: a\r\nauthorization: {authorization}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            assert_eq!(exchange(stage.gateway.port, request.as_bytes()).await.problem(), (401, "invalid-invite".to_owned()));
        }
    });
}
