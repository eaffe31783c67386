//! Two installations, in two clusters, with one media server.

use roomkeeper::api::{Phase, RoomClass};
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, session};
use crate::support::{eventually, run};
use kube::Api;
use kube::api::DeleteParams;

/// The class of both.
const CLASS: &str = "shared";
/// The namespace of both, with the same Rooms.
const NAMESPACE: &str = "clinic";
const ROOMS: [&str; 2] = ["call", "empty"];
/// Sweeps by which whatever looks like an orphan is closed: it is seen twice.
const SWEEPS: f64 = 3.0;

#[test]
fn two_installations_on_one_media_server_leave_each_others_calls_alone_whatever_becomes_of_either() {
    run(async {
        let (mut staying, mut leaving) = tokio::join!(Stage::start(), Stage::start());
        let livekit = staying.livekit.backend();
        for stage in [&staying, &leaving] {
            stage.class(CLASS, &staying.livekit, json!({})).await;
        }
        let (ours, ada) = open(&staying).await;
        let (theirs, ben) = open(&leaving).await;
        let expected = all(&[&ours, &theirs]);
        assert_eq!(expected.len(), 2 * ROOMS.len(), "names are never the same: {expected:?}");

        // Each has swept all of it, and so has each controller that knows nothing of before.
        for _ in 0..2 {
            for stage in [&staying, &leaving] {
                swept(&stage.controller).await;
            }
            assert_eq!(sessions(&livekit).await, expected);
            staying.restart_controller().await;
            leaving.restart_controller().await;
        }
        let [invite, foreign] = [invite(&staying).await, invite(&leaving).await];
        assert_eq!((staying.view(&invite).await.status, leaving.view(&foreign).await.status), (200, 200));
        assert_eq!((staying.view(&foreign).await.problem(), leaving.view(&invite).await.problem()), ("invalid-invite", "invalid-invite"));

        // One of them goes.
        let place = leaving.place_in(NAMESPACE.into());
        for room in ROOMS {
            place.delete(room).await;
        }
        for room in ROOMS {
            place.until_gone(room, PATIENCE).await;
        }
        // The media server tells him, or the gateway cuts him off before and does not let him in again.
        let is_out = |event: &Value| event["event"] == "disconnected" || event["event"] == "reconnect-refused";
        ben.wait_for("to be out", is_out).await;
        let classes = Api::<RoomClass>::all(leaving.admin.clone());
        classes.delete(CLASS, &DeleteParams::default()).await.expect("the class is deleted");
        swept(&staying.controller).await;
        assert_eq!(sessions(&livekit).await, all(&[&ours]));
        assert_eq!(staying.join(&invite).await.status, 200);
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
    });
}

fn place(stage: &Stage) -> Place<'_> {
    stage.place_in(NAMESPACE.into())
}

/// Opens the Rooms, and has somebody join the first; their sessions.
async fn open(stage: &Stage) -> (Vec<String>, Client) {
    assert!(stage.cluster.kubectl(&["create", "namespace", NAMESPACE], "").status.success(), "no test uses it beside");
    let place = place(stage);
    let mut sessions = Vec::new();
    for room in ROOMS {
        place.apply(room, json!({"roomClassName": CLASS, "participants": [{"name": "ada"}]})).await;
        sessions.push(session(&place.until_phase(room, Phase::Open).await));
    }
    (sessions, place.joined(ROOMS[0], "ada", &[]).await)
}

async fn invite(stage: &Stage) -> String {
    place(stage).invite(ROOMS[0], "ada").await
}

fn all(parts: &[&Vec<String>]) -> Vec<String> {
    let mut all: Vec<String> = parts.iter().flat_map(|part| part.iter().cloned()).collect();
    all.sort();
    all.dedup();
    all
}

/// What lives on the media server.
async fn sessions(livekit: &impl Backend) -> Vec<String> {
    let mut sessions: Vec<String> = livekit.list_sessions("").await.expect("a list").into_iter().map(|session| session.id).collect();
    sessions.sort();
    sessions
}

/// Waits until a controller has looked at all sessions a few more times.
async fn swept(controller: &Role) {
    // Each look at the class asks for the list once; the default class has a media server of its own.
    let name = "roomkeeper_last_successful_sweep_timestamp_seconds{class=\"shared\"}";
    let mut seen = controller.metric(name).await;
    let mut sweeps = 0.0;
    eventually(PATIENCE, async || {
        let last = controller.metric(name).await;
        if last.is_some() && last != seen {
            (seen, sweeps) = (last, sweeps + 1.0);
        }
        if sweeps >= SWEEPS { Ok(()) } else { Err(format!("{sweeps} sweeps, the last at {last:?}")) }
    })
    .await;
}
