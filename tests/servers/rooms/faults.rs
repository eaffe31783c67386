//! What happens when the media server, or an object, is not as it should be.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::stage::{PATIENCE, Stage, condition, session, session_of_another, set_credentials};
use crate::support::{eventually, now, run, window};

/// Sweeps of a media server by which an orphan is closed: it is seen twice.
const SWEEPS: usize = 3;

#[test]
fn a_media_server_that_lost_its_memory_gets_the_session_back_and_invites_stay() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let mut livekit = LiveKitServer::start(Options::default()).await;
        stage.class("restarted", &livekit, json!({})).await;
        place.apply("call", json!({"roomClassName": "restarted", "participants": [{"name": "ada"}]})).await;
        let before = place.until_phase("call", Phase::Open).await;
        let invite = place.invite_secret("call", "ada").await;
        livekit.restart().await;
        let back = now();
        let after = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.epoch == 2)).await;
        assert_eq!(livekit.backend().observe(&session(&after)).await, Ok(Some(Vec::new())));
        assert_ne!(session(&before), session(&after));
        assert_eq!(place.invite_secret("call", "ada").await, invite);
        place.event("call", "SessionRestored").await;
        let joined = stage.join(&place.invite("call", "ada").await).await;
        assert_eq!(joined.status, 200, "{joined:?}");
        println!("the call is back {:.1} s after its media server", now().duration_since(back).as_secs_f64());
    });
}

#[test]
fn people_meet_right_after_the_media_server_lost_its_memory_with_the_controller_dead() {
    run(async {
        let mut stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        let place = stage.place().await;
        let people = json!([{"name": "ada"}, {"name": "ben"}]);
        place.apply("call", json!({"participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let invites = [place.invite("call", "ada").await, place.invite("call", "ben").await];
        drop(place);
        stage.controller.process.signal("KILL");
        stage.livekit.restart().await;
        let ada = Client::join(&stage.join(&invites[0]).await.credentials(), &[]).await.expect("in the call");
        let ben = Client::join(&stage.join(&invites[1]).await.credentials(), &[]).await.expect("in the call");
        ada.wait_for("ben", |event| event["event"] == "participant-joined" && event["identity"] == "ben").await;
        stage.restart_controller().await;
        let rooms = Api::<roomkeeper::api::Room>::all(stage.admin.clone());
        eventually(PATIENCE, async || {
            let rooms = rooms.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
            let status = rooms.items[0].status.clone().unwrap_or_default();
            let counted = status.counts.is_some_and(|counts| counts.joined == 2);
            let next = status.session.as_ref().is_some_and(|session| session.epoch == 2);
            if counted && next { Ok(()) } else { Err(format!("{:?} {:?}", status.session, status.counts)) }
        })
        .await;
        for client in [ada, ben] {
            assert!(client.events().iter().all(|event| event["event"] != "disconnected"), "the controller finds the call as it is");
            client.close().await;
        }
    });
}

#[test]
fn a_session_deleted_behind_our_back_is_restored() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let before = session(&place.until_phase("call", Phase::Open).await);
        stage.livekit.backend().close(&before).await.expect("deleted");
        let after = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.epoch == 2)).await;
        assert_eq!(stage.livekit.backend().observe(&session(&after)).await, Ok(Some(Vec::new())));
    });
}

#[test]
fn a_room_opens_by_itself_when_its_media_server_comes_back() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let mut livekit = LiveKitServer::start(Options::default()).await;
        livekit.stop();
        stage.class("down", &livekit, json!({})).await;
        stage.class_reason("down", "Unreachable").await;
        place.apply("call", json!({"roomClassName": "down", "participants": [{"name": "ada"}]})).await;
        let room = place.until_not("call", "SessionReady", "Unreachable").await;
        let status = room.status.expect("a status");
        assert_eq!((status.phase, condition(&status, "InvitesReady").0), (Phase::Pending, "True"));
        assert_eq!((condition(&status, "Reconciling").0, condition(&status, "Stalled").0), ("True", ""));
        let invite = place.invite("call", "ada").await;
        assert_eq!((stage.join(&invite).await.status, stage.join(&invite).await.problem()), (503, "unavailable"));
        livekit.restart().await;
        place.until_phase("call", Phase::Open).await;
        stage.class_reason("down", "Reconciled").await;
        assert_eq!(stage.join(&invite).await.status, 200);
    });
}

#[test]
fn wrong_credentials_are_told_apart_and_heal_with_their_secret() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("wrong-key", &stage.livekit, json!({})).await;
        set_credentials(&stage.admin, "wrong-key", &stage.livekit.options.api_key, "not the secret, but long enough for one").await;
        stage.class_reason("wrong-key", "Unauthorized").await;
        place.apply("call", json!({"roomClassName": "wrong-key", "participants": [{"name": "ada"}]})).await;
        place.until_not("call", "SessionReady", "Unauthorized").await;
        let Options { api_key, api_secret, .. } = &stage.livekit.options;
        set_credentials(&stage.admin, "wrong-key", api_key, api_secret).await;
        place.until_phase("call", Phase::Open).await;
    });
}

#[test]
fn a_media_server_that_makes_rooms_on_join_is_not_used() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let livekit = LiveKitServer::start(Options { auto_create: true, ..Options::default() }).await;
        stage.class("unsafe", &livekit, json!({})).await;
        stage.class_reason("unsafe", "UnsafeAutoCreate").await;
        place.apply("call", json!({"roomClassName": "unsafe", "participants": [{"name": "ada"}]})).await;
        let room = place.until_not("call", "SessionReady", "UnsafeAutoCreate").await;
        assert!(room.status.expect("a status").session.is_none());
        assert_eq!(livekit.backend().list_sessions("").await, Ok(Vec::new()));
    });
}

#[test]
fn a_room_is_deleted_after_a_bounded_wait_when_its_media_server_stays_away() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let mut livekit = LiveKitServer::start(Options::default()).await;
        stage.class("lost", &livekit, json!({})).await;
        place.apply("call", json!({"roomClassName": "lost", "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        livekit.stop();
        place.delete("call").await;
        place.until_gone("call", Duration::from_secs(90)).await;
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        assert!(place.event("call", "SessionLeftBehind").await.contains("cleanup did not finish"));
        let metrics = stage.controller.metrics().await;
        assert!(metrics.contains("roomkeeper_sessions_left_behind_total 1"), "{metrics}");
    });
}

#[test]
fn a_sweep_closes_orphans_of_this_installation_and_nobody_elses_sessions() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({})).await;
        let ours = session(&place.until_phase("call", Phase::Open).await);
        let orphan = session_of_another(&ours, "00000000-0000-4000-8000-000000000000");
        let neighbours = ["rk-ffffffffffff-00000000-0000-4000-8000-000000000000-1", "somebody-elses-meeting"];
        let backend = stage.livekit.backend();
        // Of a session in which people check their connection, the last part is the second at which it ends.
        let ended_check = session_of_another(&ours, "check-00000000-0000-4000-8000-000000000000");
        let check = ended_check.replace("000000000000-1", "000000000000-4000000000");
        for session in [orphan.as_str(), &ended_check, &check].iter().chain(&neighbours) {
            backend.ensure(session, window().into()).await.expect("made");
        }
        for closed in [&orphan, &ended_check] {
            eventually(PATIENCE, async || match backend.observe(closed).await {
                Ok(None) => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        }
        for session in [ours.as_str(), &check].iter().chain(&neighbours) {
            assert_eq!(backend.observe(session).await, Ok(Some(Vec::new())), "{session}");
        }
    });
}

#[test]
fn a_room_that_cannot_be_read_is_skipped_its_call_lives_until_it_is_deleted_and_the_others_go_on() {
    run(async {
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("live", json!({"participants": [{"name": "ada"}]})).await;
        let live = session(&place.until_phase("live", Phase::Open).await);
        let ada = place.joined("live", "ada", &[]).await;
        let loose = json!([
            {"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/participants/items/properties/role/enum"},
        ]);
        let loose = Patch::Json::<()>(serde_json::from_value(loose).expect("a patch"));
        let crds = Api::<CustomResourceDefinition>::all(stage.admin.clone());
        crds.patch("rooms.roomkeeper.io", &PatchParams::default(), &loose).await.expect("a looser schema");
        let rooms = Api::<kube::core::DynamicObject>::namespaced_with(
            stage.admin.clone(),
            &place.namespace,
            &kube::core::ApiResource::erase::<roomkeeper::api::Room>(&()),
        );
        let odd = json!({
            "apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": "odd"},
            "spec": {"participants": [{"name": "ada", "role": "Emperor"}]},
        });
        eventually(PATIENCE, async || {
            rooms.patch("odd", &PatchParams::apply("tests"), &Patch::Apply(&odd)).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
        let emperor = json!({"spec": {"participants": [{"name": "ada"}, {"name": "bob", "role": "Emperor"}]}});
        rooms.patch("live", &PatchParams::default(), &Patch::Merge(&emperor)).await.expect("accepted");
        place.apply("even", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("even", Phase::Open).await;
        let namespace = place.namespace.clone();
        let mut stage = stage;
        stage.restart_controller().await;
        let place = stage.place_in(namespace);
        place.apply("after-restart", json!({})).await;
        place.until_phase("after-restart", Phase::Open).await;
        assert!(stage.controller.process.log_tail().contains("cannot be read and is skipped"), "{}", stage.controller.process.log_tail());

        // An orphan would be closed by now.
        let sweep = async || {
            let metrics = stage.controller.metrics().await;
            metrics.lines().find(|line| line.starts_with("roomkeeper_last_successful_sweep_timestamp_seconds{")).map(str::to_owned)
        };
        for _ in 0..SWEEPS {
            let last = sweep().await;
            eventually(PATIENCE, async || if sweep().await == last { Err("no sweep yet") } else { Ok(()) }).await;
        }
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
        rooms.delete("live", &DeleteParams::default()).await.expect("deleted");
        eventually(PATIENCE, async || match rooms.get_opt("live").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        ada.event("disconnected").await;
        let backend = stage.livekit.backend();
        eventually(PATIENCE, async || match backend.observe(&live).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    });
}
