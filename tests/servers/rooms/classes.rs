//! Which class a Room gets, and what happens while it gets none.

use futures::future::join;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use roomkeeper::api::{Phase, RoomClass};
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::livekit::{LiveKitServer, Options};
use crate::support::stage::{CLASS, PATIENCE, Stage, condition, in_seconds, session};
use crate::support::{eventually, run};

#[test]
fn a_room_of_an_unknown_class_waits_without_session_or_invite_and_heals_with_the_class() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"roomClassName": "not-there-yet", "participants": [{"name": "ada"}]})).await;
        let room = place.until_not("call", "Accepted", "ClassNotFound").await;
        let status = room.status.expect("a status");
        assert_eq!((status.phase, condition(&status, "Stalled").0), (Phase::Pending, "True"));
        assert!(status.session.is_none());
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        assert!(place.event("call", "NotAccepted").await.contains("\"not-there-yet\""));
        stage.class("not-there-yet", &stage.livekit, json!({})).await;
        place.until_phase("call", Phase::Open).await;
    });
}

#[test]
fn a_class_is_open_to_the_namespaces_that_its_selector_matches() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let selector = json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}});
        stage.class("for-some", &stage.livekit, selector).await;
        place.apply("call", json!({"roomClassName": "for-some", "participants": [{"name": "ada"}]})).await;
        let room = place.until_not("call", "Accepted", "NamespaceNotAllowed").await;
        assert_eq!(condition(room.status.as_ref().expect("a status"), "Stalled").0, "True");
        let label = Patch::Merge(json!({"metadata": {"labels": {"calls": "yes"}}}));
        Api::<Namespace>::all(stage.admin.clone()).patch(&place.namespace, &PatchParams::default(), &label).await.expect("labelled");
        place.until_phase("call", Phase::Open).await;
    });
}

#[test]
fn more_than_the_class_allows_is_not_accepted_until_the_class_allows_it() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("small", &stage.livekit, json!({"limits": {"maxParticipants": 2, "maxDuration": "1h"}})).await;
        place.apply("crowd", json!({"roomClassName": "small", "maxParticipants": 3})).await;
        place.apply("long", json!({"roomClassName": "small", "duration": "61m"})).await;
        let crowd = place.until_not("crowd", "Accepted", "TooManyParticipants").await.status.expect("a status");
        assert!(crowd.conditions[0].message.contains("spec.maxParticipants: 3 is more than the 2"), "{}", crowd.conditions[0].message);
        let long = place.until_not("long", "Accepted", "WindowTooLong").await.status.expect("a status");
        assert!(long.conditions[0].message.contains("1h"), "{}", long.conditions[0].message);
        stage.class("small", &stage.livekit, json!({"limits": {"maxParticipants": 3, "maxDuration": "2h"}})).await;
        place.until_phase("crowd", Phase::Open).await;
        place.until_phase("long", Phase::Open).await;
    });
}

#[test]
fn while_a_spec_is_not_accepted_nobody_is_thrown_out_nobody_gets_in_and_the_end_comes_all_the_same() {
    run(async {
        use crate::support::livekit::Client;
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("shrinking", &stage.livekit, json!({})).await;
        let end = in_seconds(15);
        place.apply("call", json!({"roomClassName": "shrinking", "validUntil": end, "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let ada = Client::join(&stage.credentials(&invite).await, &[]).await.expect("ada is in");
        let classes = Api::<RoomClass>::all(stage.admin.clone());
        classes.delete("shrinking", &DeleteParams::default()).await.expect("deleted");
        place.until_not("call", "Accepted", "ClassNotFound").await;
        assert_eq!(stage.join(&invite).await.problem(), "unavailable");
        assert!(ada.events().iter().all(|event| event["event"] != "disconnected"), "{:?}", ada.events());
        stage.class("shrinking", &stage.livekit, json!({"limits": {"maxDuration": "1s"}})).await;
        place.until_not("call", "Accepted", "WindowTooLong").await;
        assert_eq!(ada.event("disconnected").await["reason"], "ROOM_DELETED");
        place.until_phase("call", Phase::Expired).await;
        assert_eq!(stage.join(&invite).await.problem(), "over");
    });
}

#[test]
fn a_room_keeps_the_class_that_was_the_default_when_it_was_accepted() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let before = place.until_phase("call", Phase::Open).await;
        let unset = Patch::Merge(json!({"metadata": {"annotations": {"roomclass.roomkeeper.io/is-default-class": "false"}}}));
        Api::<RoomClass>::all(stage.admin.clone()).patch(CLASS, &PatchParams::default(), &unset).await.expect("patched");
        place.apply("later", json!({})).await;
        place.until_not("later", "Accepted", "NoDefaultClass").await;
        place.edit("call", json!({"displayName": "Touched"})).await;
        let after = place.until_phase("call", Phase::Open).await;
        assert_eq!(after.status.and_then(|status| status.session), before.status.and_then(|status| status.session));
    });
}

#[test]
fn a_class_that_moves_to_another_media_server_leaves_no_call_behind_at_the_one_before() {
    run(async {
        let stage = Stage::shared().await;
        let (before, after) = join(LiveKitServer::start(Options::default()), LiveKitServer::start(Options::default())).await;
        let place = stage.place().await;
        let direct = json!({"backend": {"liveKit": {"signalling": "Direct"}}});
        stage.class("moving", &before, direct.clone()).await;
        place.apply("call", json!({"roomClassName": "moving", "participants": [{"name": "ada"}]})).await;
        let first = session(&place.until_phase("call", Phase::Open).await);
        let ada = place.joined("call", "ada", &[]).await;

        // Under another name of the same server everything stays.
        let classes = Api::<RoomClass>::all(stage.admin.clone());
        let move_to = async |url: &str| {
            let url = Patch::Merge(json!({"spec": {"backend": {"liveKit": {"url": url}}}}));
            classes.patch("moving", &PatchParams::default(), &url).await.expect("moved");
        };
        move_to(&before.url().replace("127.0.0.1", "localhost")).await;
        let is_left = |log: String| log.matches("the class has left its media server").count();
        eventually(PATIENCE, async || if is_left(stage.controller.log()) == 1 { Ok(()) } else { Err("not left yet") }).await;

        move_to(&after.url()).await;
        let room = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.id != first)).await;
        ada.event("disconnected").await;
        eventually(PATIENCE, async || match before.backend().list_sessions("rk-").await {
            Ok(left) if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        })
        .await;
        let at_the_new_one = after.backend().list_sessions("rk-").await.expect("LiveKit answers");
        assert_eq!(at_the_new_one.into_iter().map(|session| session.id).collect::<Vec<_>>(), [session(&room)]);
        let session = room.status.and_then(|status| status.session).expect("a session");
        assert_eq!(session.epoch, 2, "the first move was none");
    });
}
