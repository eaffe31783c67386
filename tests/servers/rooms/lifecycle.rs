//! Opening, end, re-opening, deletion.

use std::time::Duration;

use kube::api::ListParams;
use roomkeeper::api::{Phase, Room};
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Stage, condition, in_seconds, session, value};
use crate::support::{eventually, now, run};

#[test]
fn a_room_is_scheduled_opens_ends_and_follows_its_ttl() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let window = (in_seconds(4), in_seconds(12));
        let people = json!([{"name": "ada", "role": "Presenter"}, {"name": "ben"}]);
        place
            .apply("board", json!({"validFrom": window.0, "validUntil": window.1, "ttlSecondsAfterExpired": 1, "participants": people}))
            .await;

        let scheduled = place.until_phase("board", Phase::Scheduled).await.status.expect("a status");
        assert_eq!(condition(&scheduled, "Open"), ("False", "NotYetOpen"));
        assert!(scheduled.session.is_none(), "no session before the window");
        let secret = place.invite_secret("board", "ada").await.expect("invites are issued ahead");
        assert_eq!(value(&secret, "url"), format!("http://127.0.0.1:{}/#{}", stage.gateway.port, value(&secret, "invite")));
        assert_eq!((value(&secret, "role"), value(&secret, "validFrom")), ("Presenter".into(), window.0.clone()));
        let (ada, ben) = (place.invite("board", "ada").await, place.invite("board", "ben").await);
        let early = stage.join(&ada).await;
        assert_eq!((early.status, early.problem(), early.body["opensAt"].as_str()), (403, "too-early", Some(window.0.as_str())));

        let open = place.until_phase("board", Phase::Open).await;
        assert_eq!(condition(open.status.as_ref().expect("a status"), "Open"), ("True", "Joinable"));
        let first = Client::join(&stage.credentials(&ada).await, &["camera", "microphone"]).await.expect("ada is in");
        let second = Client::join(&stage.credentials(&ben).await, &["microphone"]).await.expect("ben is in");
        first.event("media-received").await;
        second.event("media-received").await;

        assert_eq!(first.event("disconnected").await["reason"], "ROOM_DELETED");
        assert_eq!(second.event("disconnected").await["reason"], "ROOM_DELETED");
        assert!(now() >= window.1.parse().expect("a time"), "nobody is thrown out early");
        place.until_gone("board", PATIENCE).await;
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        assert_eq!(stage.livekit.backend().observe(&session(&open)).await, Ok(None));
        assert_eq!(stage.join(&ada).await.problem(), "invalid-invite");
    });
}

#[test]
fn a_later_end_opens_an_expired_room_again_with_the_same_invites() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("again", json!({"duration": "1h", "participants": [{"name": "ada"}]})).await;
        let first = session(&place.until_phase("again", Phase::Open).await);
        let invite = place.invite("again", "ada").await;
        place.edit("again", json!({"duration": null, "validUntil": in_seconds(-1)})).await;
        let expired = place.until_phase("again", Phase::Expired).await.status.expect("a status");
        assert!(expired.participants.is_empty() && expired.session.expect("recorded").ended_at.is_some());
        assert!(place.invite_secret("again", "ada").await.is_none());
        assert_eq!(stage.join(&invite).await.problem(), "over");

        place.edit("again", json!({"validUntil": in_seconds(3600)})).await;
        let second = session(&place.until_phase("again", Phase::Open).await);
        assert_ne!(first, second, "the name of a session is never used twice");
        assert_eq!(place.invite("again", "ada").await, invite);
        assert_eq!(stage.join(&invite).await.status, 200);
    });
}

#[test]
fn a_room_that_is_created_after_its_end_goes_straight_to_expired() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("late", json!({"validUntil": in_seconds(-60), "participants": [{"name": "ada"}]})).await;
        let room = place.until_phase("late", Phase::Expired).await;
        let status = room.status.expect("a status");
        assert!(status.session.is_none() && status.participants.is_empty());
        assert_eq!(room.metadata.finalizers, None, "nothing was made, so nothing must be cleaned up");
        assert_eq!(place.secret_names().await, Vec::<String>::new());
    });
}

#[test]
fn the_ttl_of_the_class_spares_rooms_that_gitops_tools_track() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("short-ttl", &stage.livekit, json!({"ttlSecondsAfterExpired": 0})).await;
        let over = json!({"roomClassName": "short-ttl", "validUntil": in_seconds(-60)});
        let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:roomkeeper.io/Room:ns/argo"}});
        let flux = json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "app"}});
        place.apply_with("argo", argo, over.clone()).await;
        place.apply_with("flux", flux, over.clone()).await;
        place.until_phase("argo", Phase::Expired).await;
        place.until_phase("flux", Phase::Expired).await;
        place.apply("untracked", over).await;
        place.until_gone("untracked", PATIENCE).await;
        place.until_phase("argo", Phase::Expired).await;
        place.until_phase("flux", Phase::Expired).await;
    });
}

#[test]
fn a_deleted_room_ends_its_call_and_leaves_nothing() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("gone", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        let room = place.until_phase("gone", Phase::Open).await;
        let client = place.joined("gone", "ada", &[]).await;
        place.delete("gone").await;
        assert_eq!(client.event("disconnected").await["reason"], "ROOM_DELETED");
        place.until_gone("gone", PATIENCE).await;
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        assert_eq!(stage.livekit.backend().observe(&session(&room)).await, Ok(None));
    });
}

/// Open Rooms of a namespace that is deleted.
const OPEN_AT_THE_END: usize = 30;

#[test]
fn a_deleted_namespace_takes_its_rooms_and_their_calls_along() {
    run(async {
        use k8s_openapi::api::core::v1::Namespace;
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.open_calls(OPEN_AT_THE_END).await;
        place.apply("two", json!({"validFrom": in_seconds(600), "participants": [{"name": "ada"}]})).await;
        let one: Room = place.until_phase("call-0", Phase::Open).await;
        place.until_phase("two", Phase::Scheduled).await;
        let namespaces = kube::Api::<Namespace>::all(stage.admin.clone());
        namespaces.delete(&place.namespace, &kube::api::DeleteParams::default()).await.expect("the deletion is accepted");
        let mut begun = None;
        let ended = eventually(Duration::from_mins(1), async || {
            let rooms = place.rooms().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            if rooms.len() <= OPEN_AT_THE_END || rooms.iter().any(|room| room.metadata.deletion_timestamp.is_some()) {
                begun.get_or_insert_with(now);
            }
            if rooms.is_empty() { Ok(now()) } else { Err(format!("{} Rooms", rooms.len())) }
        })
        .await;
        let took = begun.map(|begun| ended.duration_since(begun).as_secs_f64());
        println!("{OPEN_AT_THE_END} open Rooms are gone {took:?} s after the namespace controller deletes them");
        eventually(Duration::from_mins(1), async || {
            match namespaces.get_opt(&place.namespace).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(namespace) => Err(format!("{:?}", namespace.status)),
            }
        })
        .await;
        assert_eq!(stage.livekit.backend().observe(&session(&one)).await, Ok(None));
    });
}
