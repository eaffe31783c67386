//! What Presenters do to a running call.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::run;
use crate::support::stage::{Place, Stage};

/// A Presenter and two Attendees in the call, and their invites.
async fn call(stage: &Stage, place: &Place<'_>) -> [(String, Client); 3] {
    place.apply("call", json!({"participants": [{"name": "pia", "role": "Presenter"}, {"name": "ann"}, {"name": "ben"}]})).await;
    place.until_phase("call", Phase::Open).await;
    let mut people = Vec::new();
    for name in ["pia", "ann", "ben"] {
        let invite = place.invite("call", name).await;
        let client = Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call");
        people.push((invite, client));
    }
    people.try_into().ok().expect("three people")
}

#[test]
fn a_presenter_removes_somebody_who_may_come_back_by_their_invite() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, pia_client), (ann, ann_client), (_, ben_client)] = call(stage, &place).await;
        assert_eq!(stage.post("/v1/participants/pia/remove", &ann, None).await.problem(), "not-allowed");
        assert_eq!(stage.post("/v1/participants/ann/remove", &pia, None).await.status, 204);
        assert_eq!(ann_client.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        assert_eq!(place.event("call", "ParticipantRemoved").await, "pia removed ann");
        assert_eq!(stage.join(&ann).await.status, 200);
        pia_client.close().await;
        ben_client.close().await;
    });
}

#[test]
fn a_presenter_mutes_somebody_and_the_room_says_who_did_it() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, _pia), (ann, mut ann_client), (_, ben_client)] = call(stage, &place).await;
        ann_client.command("publish microphone").await;
        ben_client.event("media-received").await;
        assert_eq!(stage.post("/v1/participants/ben/mute", &ann, None).await.problem(), "not-allowed");
        assert_eq!(stage.post("/v1/participants/ann/mute", &pia, None).await.status, 204);
        assert_eq!(place.event("call", "ParticipantMuted").await, "pia muted ann");
        assert_eq!(stage.post("/v1/participants/nobody/mute", &pia, None).await.status, 404);
    });
}

#[test]
fn a_presenter_ends_the_call_for_all_and_the_room_stays_joinable() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, pia_client), (ann, ann_client), (_, ben_client)] = call(stage, &place).await;
        assert_eq!(stage.post("/v1/end", &ann, None).await.problem(), "not-allowed");
        assert_eq!(stage.post("/v1/end", &pia, None).await.status, 204);
        for client in [&pia_client, &ann_client, &ben_client] {
            assert_eq!(client.event("disconnected").await["reason"], "ROOM_DELETED");
        }
        assert_eq!(place.event("call", "CallEnded").await, "pia ended the call for all");
        let again = Client::join(&stage.credentials(&ann).await, &[]).await.expect("in the call again");
        again.close().await;
    });
}

#[test]
fn a_presenter_adds_somebody_who_joins_by_the_link_of_the_answer() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, pia_client), (ann, _), _] = call(stage, &place).await;
        let eve = json!({"displayName": "Eve", "role": "Collaborator"});
        assert_eq!(stage.post("/v1/guests", &ann, Some(eve.clone())).await.problem(), "not-allowed");
        let answer = stage.post("/v1/guests", &pia, Some(eve)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let identity = answer.body["name"].as_str().expect("a name");
        let invite = answer.body["url"].as_str().and_then(|url| url.split_once('#')).expect("a join link").1;
        let client = Client::join(&stage.credentials(invite).await, &[]).await.expect("in the call");
        pia_client.wait_for("Eve", |event| event["event"] == "participant-joined" && event["identity"] == identity).await;
        place.event("call", "GuestAdded").await;
        let room = place.until("call", |status| status.participants.iter().any(|entry| entry.name == identity)).await;
        assert_eq!(place.invite("call", identity).await, invite, "the Secret holds the same link");
        drop(room);
        client.close().await;
    });
}
