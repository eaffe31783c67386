//! What a class has people send, and what it tells of whether their media connect.

use kube::Api;
use roomkeeper::api::{Phase, RoomClass};
use serde_json::{Value, json};

use crate::support::livekit::{LiveKitServer, Options};
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, run};

/// Waits until the class says this of whether media reach people: status and reason.
async fn until_reach(stage: &Stage, class: &str, wanted: (&str, &str)) {
    let classes = Api::<RoomClass>::all(stage.admin.clone());
    eventually(PATIENCE, async || {
        let conditions = classes.get(class).await.expect("the class").status.map(|status| status.conditions).unwrap_or_default();
        let told = conditions.into_iter().find(|condition| condition.type_ == "MediaReachable");
        match &told {
            Some(condition) if (condition.status.as_str(), condition.reason.as_str()) == wanted => Ok(()),
            _ => Err(format!("{told:?}")),
        }
    })
    .await;
}

#[test]
fn a_class_tells_that_media_reach_people_once_somebodys_have_connected() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        // Nobody else is on it.
        let livekit = LiveKitServer::start(Options::default()).await;
        stage.class("reached", &livekit, json!({})).await;
        until_reach(stage, "reached", ("Unknown", "NobodyJoined")).await;
        let spec = json!({"roomClassName": "reached", "validFrom": in_seconds(-60), "participants": [{"name": "ada"}]});
        place.apply("call", spec).await;
        place.until_phase("call", Phase::Open).await;
        let _ada = place.joined("call", "ada", &["microphone"]).await;
        until_reach(stage, "reached", ("True", "MediaConnected")).await;
    });
}

#[test]
fn cameras_go_off_in_running_calls_when_their_class_comes_to_be_of_voices_alone() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        stage.class("voices", &stage.livekit, json!({"media": {"videoCodec": "VP9", "maxVideoHeight": 360}})).await;
        place.apply("call", json!({"roomClassName": "voices", "participants": [{"name": "ada", "role": "Presenter"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let view = async || -> Value { stage.view(&invite).await.body };
        let told = view().await;
        assert_eq!(told["media"], json!({"videoCodec": "VP9", "maxVideoHeight": 360, "audioOnly": false}));
        assert_eq!((&told["permissions"]["camera"], &told["permissions"]["screenShare"]), (&json!(true), &json!(true)));
        let mut ada = place.joined("call", "ada", &["camera"]).await;
        ada.event("track-published").await;

        stage.class("voices", &stage.livekit, json!({"media": {"audioOnly": true}})).await;
        assert_eq!(ada.event("track-unpublished").await["source"], "camera");
        ada.command("publish screen_share").await;
        ada.event("request-refused").await;
        ada.command("publish microphone").await;
        ada.wait_for("her voice", |event| event["event"] == "track-published" && event["source"] == "microphone").await;
        eventually(PATIENCE, async || {
            let told = view().await;
            let allowed = ["microphone", "camera", "screenShare", "moderate"].map(|name| told["permissions"][name] == json!(true));
            if allowed == [true, false, false, true] { Ok(()) } else { Err(told) }
        })
        .await;
        let joined: Value = stage.join(&invite).await.body;
        assert_eq!(joined["media"], json!({"videoCodec": "VP8", "maxVideoHeight": 720, "audioOnly": true}));
    });
}
