//! Changes of a Room while people are in its call.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Stage, condition, in_seconds, session};
use crate::support::{eventually, run};

#[test]
fn who_is_taken_off_the_list_is_out_and_their_invite_is_dead() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ben").await;
        let ada = place.joined("call", "ada", &["microphone"]).await;
        let ben = place.joined("call", "ben", &["microphone"]).await;
        ada.event("media-received").await;
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        assert_eq!(ben.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        place.until("call", |status| status.participants.iter().all(|entry| entry.name == "ada")).await;
        assert!(place.invite_secret("call", "ben").await.is_none());
        assert_eq!((stage.join(&invite).await.status, stage.join(&invite).await.problem()), (401, "invalid-invite"));
        assert!(place.event("call", "ParticipantRemoved").await.contains("ben"));
        ada.wait_for("ben leaves ada's call", |event| event["event"] == "participant-left" && event["identity"] == "ben").await;
        assert!(ada.events().iter().all(|event| event["event"] != "disconnected"), "the others stay: {:?}", ada.events());
    });
}

#[test]
fn a_suspended_person_is_out_until_they_are_let_in_again_by_the_same_invite() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let ada = place.joined("call", "ada", &[]).await;
        place.edit("call", json!({"participants": [{"name": "ada", "suspended": true}]})).await;
        assert_eq!(ada.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        assert_eq!(stage.view(&invite).await.problem(), "invalid-invite");
        let room = place.until("call", |status| status.counts.is_some_and(|counts| counts.invited == 0)).await;
        assert_eq!(room.status.expect("a status").participants.len(), 1, "still on the list, with the invite");
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until("call", |status| status.counts.is_some_and(|counts| counts.invited == 1)).await;
        assert_eq!(stage.join(&invite).await.status, 200);
    });
}

#[test]
fn a_changed_role_reaches_a_joined_person_without_reconnecting() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada", "role": "Attendee"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ada = place.joined("call", "ada", &["camera"]).await;
        ada.event("track-published").await;
        place.edit("call", json!({"participants": [{"name": "ada", "role": "Consumer"}]})).await;
        ada.wait_for("the camera is unpublished", |event| event["event"] == "track-unpublished" && event["source"] == "camera").await;
        ada.wait_for("publishing is forbidden", |event| event["event"] == "permissions-changed" && event["canPublish"] == false).await;
        place.edit("call", json!({"participants": [{"name": "ada", "role": "Presenter"}]})).await;
        let shares =
            |event: &serde_json::Value| event["sources"].as_array().is_some_and(|all| all.iter().any(|source| source == "screen_share"));
        ada.wait_for("sharing is allowed", |event| event["event"] == "permissions-changed" && shares(event)).await;
        let again = ["reconnecting", "reconnected", "disconnected"];
        assert!(ada.events().iter().all(|event| !again.iter().any(|kind| event["event"] == *kind)), "{:?}", ada.events());
        let room = place.until_phase("call", Phase::Open).await;
        assert_eq!(format!("{:?}", room.status.expect("a status").participants[0].role), "Presenter");
    });
}

#[test]
fn a_rotated_invite_puts_its_holder_out_and_a_new_one_takes_its_place() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let old = place.invite("call", "ada").await;
        let ada = place.joined("call", "ada", &[]).await;
        place.edit("call", json!({"participants": [{"name": "ada", "inviteGeneration": 1}]})).await;
        assert_eq!(ada.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        place.until("call", |status| status.participants.iter().any(|entry| entry.invite_generation == 1)).await;
        let new = place.invite("call", "ada").await;
        assert_ne!(old, new);
        assert_eq!(stage.join(&old).await.problem(), "invalid-invite");
        let back = Client::join(&stage.credentials(&new).await, &[]).await.expect("the new invite lets ada in");
        place.edit("call", json!({"displayName": "Still the same people"})).await;
        place.until_phase("call", Phase::Open).await;
        assert!(back.events().iter().all(|event| event["event"] != "disconnected"), "{:?}", back.events());
    });
}

#[test]
fn an_invite_that_was_rotated_stays_dead_when_its_person_leaves_the_list_and_comes_back() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let (ada, leaked) = (place.invite("call", "ada").await, place.invite("call", "ben").await);
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "ben", "inviteGeneration": 1}]})).await;
        place.until_phase("call", Phase::Open).await;
        let second = place.invite("call", "ben").await;
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        assert_eq!(place.invite("call", "ben").await, second, "the link that was in force last is so again");
        // Whom it does not know the gateway asks to try again while one of its watches is interrupted.
        let refused = eventually(PATIENCE, async || match stage.view(&leaked).await {
            answer if answer.problem() == "unavailable" => Err(format!("{answer:?}")),
            answer => Ok(answer),
        });
        assert_eq!(refused.await.problem(), "invalid-invite");
        assert_eq!((stage.view(&second).await.status, stage.view(&ada).await.status), (200, 200));
    });
}

#[test]
fn a_changed_role_reaches_who_has_a_name_of_more_bytes_than_the_media_server_takes() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let li = |role: &str| json!({"participants": [{"name": "li", "role": role, "displayName": "\u{9577}".repeat(100)}]});
        place.apply("call", li("Presenter")).await;
        place.until_phase("call", Phase::Open).await;
        let caller = place.joined("call", "li", &["camera"]).await;
        caller.event("track-published").await;
        place.edit("call", li("Consumer")).await;
        caller.wait_for("publishing is forbidden", |event| event["event"] == "permissions-changed" && event["canPublish"] == false).await;
        place.until_phase("call", Phase::Open).await;
    });
}

#[test]
fn somebody_added_to_the_list_gets_an_invite_and_the_others_keep_theirs() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let before = place.invite_secret("call", "ada").await;
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until("call", |status| status.participants.len() == 2).await;
        assert_eq!(place.invite_secret("call", "ada").await, before);
        assert_eq!(stage.join(&place.invite("call", "ben").await).await.status, 200);
    });
}

#[test]
fn a_suspended_room_puts_everybody_out_and_goes_on_with_the_same_invites() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let first = session(&place.until_phase("call", Phase::Open).await);
        let invite = place.invite("call", "ada").await;
        let ada = place.joined("call", "ada", &[]).await;
        place.edit("call", json!({"suspend": true})).await;
        assert_eq!(ada.event("disconnected").await["reason"], "ROOM_DELETED");
        assert_eq!(stage.join(&invite).await.problem(), "suspended");
        place.until_phase("call", Phase::Suspended).await;
        place.edit("call", json!({"suspend": false})).await;
        assert_ne!(session(&place.until_phase("call", Phase::Open).await), first);
        assert_eq!(stage.join(&invite).await.status, 200);
    });
}

#[test]
fn a_window_moves_both_ways_and_its_invites_follow() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let (later, end) = (in_seconds(600), in_seconds(1200));
        place.apply("call", json!({"validFrom": later, "validUntil": end, "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Scheduled).await;
        let invite = place.invite("call", "ada").await;
        let earlier = in_seconds(-5);
        place.edit("call", json!({"validFrom": earlier})).await;
        place.until_phase("call", Phase::Open).await;
        let secret = place.invite_secret("call", "ada").await.expect("an invite");
        assert_eq!(crate::support::stage::value(&secret, "validFrom"), earlier);
        assert_eq!(place.invite("call", "ada").await, invite, "an invite says who, not when");
        let refused = place.rooms();
        let patch = kube::api::Patch::Merge(json!({"spec": {"validFrom": in_seconds(300)}}));
        let refusal = refused.patch("call", &kube::api::PatchParams::default(), &patch).await.expect_err("it is open");
        assert!(refusal.to_string().contains(&format!("spec.validFrom: cannot change from {earlier}")), "{refusal}");
        assert!(refusal.to_string().contains("while the Room is Open"), "{refusal}");
        place.edit("call", json!({"validUntil": in_seconds(-1)})).await;
        let status = place.until_phase("call", Phase::Expired).await.status.expect("a status");
        assert_eq!(condition(&status, "Open"), ("False", "Expired"));
    });
}

#[test]
fn the_door_holds_the_capacity_of_the_spec_as_it_is_now() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let people = json!([{"name": "ada"}, {"name": "ben"}, {"name": "cleo"}]);
        place.apply("call", json!({"maxParticipants": 1, "participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let _ada = place.joined("call", "ada", &[]).await;
        let ben = place.invite("call", "ben").await;
        assert_eq!(stage.join(&ben).await.problem(), "full");
        assert_eq!(stage.view(&ben).await.body["state"], "full");
        place.edit("call", json!({"maxParticipants": 2})).await;
        place.until_phase("call", Phase::Open).await;
        Client::join(&stage.credentials(&ben).await, &[]).await.expect("there is room for two now");
        assert_eq!(stage.join(&place.invite("call", "cleo").await).await.problem(), "full");
        place.until("call", |status| status.counts.is_some_and(|counts| counts.joined >= 1)).await;
    });
}
