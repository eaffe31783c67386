//! What Presenters do to a running call.

use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds};
use crate::support::{eventually, run};

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
fn a_presenter_removes_somebody_who_stays_out_until_a_presenter_lets_them_in_again() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, pia_client), (ann, ann_client), (_, ben_client)] = call(stage, &place).await;
        let credentials = stage.credentials(&ann).await;
        assert_eq!(stage.post("/v1/participants/pia/remove", &ann, None).await.problem(), "not-allowed");
        assert_eq!(stage.post("/v1/participants/ann/remove", &pia, None).await.status, 204);
        assert_eq!(ann_client.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        assert_eq!(place.event("call", "ParticipantRemoved").await, "pia removed ann");
        assert_eq!(stage.join(&ann).await.problem(), "removed");
        assert!(Client::join(&credentials, &[]).await.is_err(), "not by the token of before, either");
        let recorded = place.removals().list(&ListParams::default()).await.expect("the removals").items;
        let [removal] = recorded.as_slice() else { panic!("{recorded:?}") };
        assert_eq!((removal.spec.identity.as_str(), removal.spec.removed_by.as_deref()), ("ann", Some("pia")));
        let room = place.rooms().get("call").await.expect("the Room");
        assert_eq!(removal.owner_references()[0].uid, room.uid().expect("a UID"));
        assert_eq!(place.invite("call", "ann").await, ann, "the invite is the same as before");

        assert_eq!(stage.get("/v1/removals", &pia).await.body["removals"][0]["displayName"], "ann");
        assert_eq!(stage.delete("/v1/removals/ann", &pia).await.status, 204);
        let again = Client::join(&stage.credentials(&ann).await, &[]).await.expect("in the call again");
        for client in [again, pia_client, ben_client] {
            client.close().await;
        }
    });
}

#[test]
fn who_is_removed_one_after_the_other_is_told_of_each_by_an_event_of_its_own() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, _pia_client), _, _] = call(stage, &place).await;
        for name in ["ann", "ben"] {
            assert_eq!(stage.post(&format!("/v1/participants/{name}/remove"), &pia, None).await.status, 204);
        }
        eventually(PATIENCE, async || {
            let told = place.events("call").await?;
            let has = |wanted: &str| told.iter().any(|(reason, note)| reason == "ParticipantRemoved" && note == wanted);
            if has("pia removed ann") && has("pia removed ben") { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    });
}

#[test]
fn whoever_may_make_a_removal_puts_somebody_out_within_a_second_and_its_deletion_lets_them_in_again() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, _pia_client), (ann, ann_client), _] = call(stage, &place).await;
        place.keep_out("call", "ann").await;
        ann_client.event("disconnected").await;
        assert_eq!(stage.join(&ann).await.problem(), "removed");
        assert_eq!(stage.delete("/v1/removals/ann", &pia).await.problem(), "not-allowed", "it is not the Presenters'");
        place.removals().delete("ann", &DeleteParams::default()).await.expect("deleted");
        eventually(PATIENCE, async || match stage.join(&ann).await.status {
            200 => Ok(()),
            status => Err(format!("{status}")),
        })
        .await;
    });
}

#[test]
fn when_the_room_is_over_the_removals_of_presenters_are_gone_and_those_of_others_stay() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let [(pia, _), _, _] = call(stage, &place).await;
        assert_eq!(stage.post("/v1/participants/ann/remove", &pia, None).await.status, 204);
        place.keep_out("call", "ben").await;
        let removals = place.removals();
        place.edit("call", json!({"validUntil": in_seconds(0)})).await;
        place.until_phase("call", Phase::Expired).await;
        eventually(PATIENCE, async || {
            let left = removals.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let left: Vec<String> = left.items.iter().map(ResourceExt::name_any).collect();
            if left == ["ben"] { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
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
