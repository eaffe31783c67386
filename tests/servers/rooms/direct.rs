//! Classes whose clients connect to LiveKit themselves: who was put out and comes back is put out again.

use roomkeeper::api::Phase;
use roomkeeper::backend::MediaCredentials;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::stage::Stage;
use crate::support::{now, run};

#[test]
fn who_comes_back_with_a_token_that_livekit_renewed_is_put_out_again() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("direct", &stage.livekit, json!({"backend": {"liveKit": {"signalling": "Direct"}}})).await;
        place.apply("call", json!({"roomClassName": "direct", "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let credentials = place.credentials("call", "ada").await;
        let address = stage.livekit.url().replacen("http", "ws", 1);
        assert_eq!(credentials.url.as_deref(), Some(address.as_str()), "clients get LiveKit's own address");
        let ada = Client::join_telling_tokens(&credentials).await;
        let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
        let ben = place.joined("call", "ben", &[]).await;
        place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
        assert_eq!(ada.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");

        let back =
            Client::join(&MediaCredentials::by_token(Some(address), renewed, now()), &[]).await.expect("LiveKit alone takes the token");
        assert_eq!(back.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        assert!(ben.events().iter().all(|event| event["event"] != "disconnected"), "nobody else is put out");
        ben.close().await;
    });
}
