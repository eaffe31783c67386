//! Sessions that are made when somebody joins, and closed when nobody is there any more; and the shared link.

use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::run;
use crate::support::stage::{Stage, condition, session, value};

/// Sessions on the media server.
async fn sessions(stage: &Stage) -> Vec<String> {
    stage.livekit.backend().list_sessions("").await.expect("LiveKit answers").into_iter().map(|summary| summary.id).collect()
}

#[test]
fn on_first_join_the_session_is_made_by_who_comes_first() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"session": {"provision": "OnFirstJoin"}, "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        let room = place.until_phase("call", Phase::Open).await;
        let status = room.status.as_ref().expect("a status");
        assert_eq!((condition(status, "SessionReady"), condition(status, "Open").0), (("True", "OnFirstJoin"), "True"));
        let name = session(&room);
        assert!(!sessions(stage).await.contains(&name), "nothing is on the media server yet");
        let invite = place.invite("call", "ada").await;
        assert_eq!(stage.view(&invite).await.body["state"], "open");
        let ada = Client::join(&stage.credentials(&invite).await, &[]).await.expect("in the call");
        let ben = place.joined("call", "ben", &[]).await;
        ada.wait_for("ben", |event| event["event"] == "participant-joined" && event["identity"] == "ben").await;
        let room = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.created_at.is_some())).await;
        assert_eq!(session(&room), name);
        ada.close().await;
        ben.close().await;
    });
}

#[test]
fn an_empty_session_is_closed_and_the_next_person_has_it_made_anew() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"session": {"closeWhenEmptyAfter": "1s"}, "participants": [{"name": "ada"}]})).await;
        let first = session(&place.until_phase("call", Phase::Open).await);
        let room = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.epoch == 2)).await;
        assert!(!sessions(stage).await.contains(&first));
        place.event("call", "SessionIdle").await;
        let ada = place.joined("call", "ada", &[]).await;
        let after = place.until("call", |status| status.session.as_ref().is_some_and(|session| session.created_at.is_some())).await;
        assert_eq!(session(&after), session(&room));
        ada.close().await;
    });
}

#[test]
fn the_shared_link_lets_everybody_in_until_it_is_replaced() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let spec = json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Collaborator"}, "participants": [{"name": "pia", "role": "Presenter"}]});
        place.apply("call", spec).await;
        place.until_phase("call", Phase::Open).await;
        let link = |secret: &k8s_openapi::api::core::v1::Secret| value(secret, "invite");
        let secret = place.invite_secret("call", "*").await.expect("the Secret of the link");
        assert_eq!(kube::ResourceExt::name_any(&secret), "call-link");
        assert_eq!(value(&secret, "role"), "Collaborator");
        let old = link(&secret);
        let view = stage.view(&old).await;
        assert_eq!((&view.body["participant"], &view.body["role"]), (&json!(null), &json!("Collaborator")));
        let names = ["Ann", "Ben"];
        let answers = [stage.join_as(&old, names[0]).await, stage.join_as(&old, names[1]).await];
        assert_ne!(answers[0].body["identity"], answers[1].body["identity"], "each is somebody of their own");
        let ann = Client::join(&answers[0].credentials(), &[]).await.expect("in the call");
        let ben = Client::join(&answers[1].credentials(), &[]).await.expect("in the call");
        let pia = place.joined("call", "pia", &[]).await;

        place.edit("call", json!({"link": {"generation": 1}})).await;
        ann.event("disconnected").await;
        ben.event("disconnected").await;
        assert_eq!(stage.join_as(&old, "Ann").await.problem(), "invalid-invite");
        place.until_phase("call", Phase::Open).await;
        let new = link(&place.invite_secret("call", "*").await.expect("the Secret of the link"));
        assert_eq!(stage.join_as(&new, "Ann").await.status, 200);
        pia.close().await;
    });
}
