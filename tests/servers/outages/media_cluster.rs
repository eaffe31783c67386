//! A LiveKit cluster of two servers, one of which dies.

use std::net::Ipv4Addr;
use std::time::Duration;

use roomkeeper::api::{Phase, Room};
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::redis::Redis;
use crate::support::stage::{PATIENCE, Place, Stage, session};
use crate::support::{eventually, now, run};

const CLASS: &str = "cluster";
/// Where LiveKit keeps which server has which room.
const SERVERS_OF_ROOMS: &str = "room_node_map";
/// LiveKit chooses a server by lot.
const LOTS: usize = 20;
/// Half a minute until the call is held on to, some seconds until LiveKit counts anew, and then the next count; and more, beside other tests.
const COUNTED: Duration = Duration::from_secs(90);

#[test]
fn a_call_whose_media_server_died_comes_back_on_another_of_its_cluster_without_those_who_stayed_away() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let redis = Redis::start(Ipv4Addr::LOCALHOST).await;
        let options = Options { redis: Some(redis.address.clone()), ..Options::default() };
        // Alone at first, so that it has these.
        let mut dying = LiveKitServer::start(options.clone()).await;
        stage.class(CLASS, &dying, json!({})).await;
        for name in ["call", "forsaken", "deleted"] {
            open(&place, name).await;
        }
        let staying = LiveKitServer::start(options).await;
        stage.class(CLASS, &staying, json!({})).await;
        let [ada, ben] = [place.joined("call", "ada", &[]).await, place.joined("call", "ben", &[]).await];
        let dora = place.joined("forsaken", "ada", &[]).await;
        let other = elsewhere(&place, &redis, &session(&place.until_phase("call", Phase::Open).await)).await;
        let cyd = place.joined(&other, "cyd", &[]).await;
        place.until("call", |status| status.counts.is_some_and(|counts| counts.joined == 2)).await;
        place.until("forsaken", |status| status.counts.is_some_and(|counts| counts.joined == 1)).await;
        let before = (place.invites("call").await, session(&place.until_phase(&other, Phase::Open).await));

        // They are gone before it can write that down.
        drop((ada, ben, dora));
        dying.stop();
        let died = now();
        let ada = comes(&stage, &place, "ada").await;
        println!("somebody is back in the call {:.1} s after its media server died", now().duration_since(died).as_secs_f64());
        place.delete("deleted").await;
        place.until_gone("deleted", Duration::from_secs(30)).await;

        joined(&place, "call", 1).await;
        joined(&place, "forsaken", 0).await;
        println!("who stayed away is not counted {:.1} s after", now().duration_since(died).as_secs_f64());
        // There are two places. The second one is held for ben until the media token ends by which he came, a minute after that, and no longer.
        let cyd_too = comes(&stage, &place, "cyd").await;
        ada.wait_for("cyd", |event| event["event"] == "participant-joined" && event["identity"] == "cyd").await;
        assert_eq!(place.invites("call").await, before.0);
        assert_eq!(session(&place.until_phase(&other, Phase::Open).await), before.1);
        for client in [&ada, &cyd, &cyd_too] {
            let lost = |event: &serde_json::Value| ["disconnected", "reconnecting"].contains(&event["event"].as_str().unwrap_or_default());
            assert!(!client.events().iter().any(lost), "{:?}", client.events());
        }
        for name in ["call", "forsaken", &other] {
            place.delete(name).await;
            place.until_gone(name, PATIENCE).await;
        }
        eventually(PATIENCE, async || match staying.backend().list_sessions("rk-").await {
            Ok(left) if left.iter().all(|session| session.joined == 0 && !session.id.contains(&before.1)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    });
}

/// Somebody in the call, as soon as they can be.
async fn comes(stage: &Stage, place: &Place<'_>, name: &str) -> Client {
    eventually(2 * PATIENCE, async || {
        let invite = place.invite("call", name).await;
        let answer = stage.join(&invite).await;
        if answer.status != 200 {
            return Err(format!("{answer:?}"));
        }
        Client::join(&answer.credentials(), &[]).await.map_err(|failure| failure.to_string())
    })
    .await
}

async fn open(place: &Place<'_>, name: &str) -> Room {
    let people = json!([{"name": "ada"}, {"name": "ben"}, {"name": "cyd"}]);
    place.apply(name, json!({"roomClassName": CLASS, "maxParticipants": 2, "participants": people})).await;
    place.until_phase(name, Phase::Open).await
}

/// Opens Rooms until one is on another server than this session; its name.
async fn elsewhere(place: &Place<'_>, redis: &Redis, session_there: &str) -> String {
    for number in 0..LOTS {
        let name = format!("other-{number}");
        let ours = session(&open(place, &name).await);
        let servers = redis.entries(SERVERS_OF_ROOMS).await;
        if servers.get(&ours).is_some_and(|server| Some(server) != servers.get(session_there)) {
            return name;
        }
    }
    panic!("LiveKit has chosen the same server {LOTS} times");
}

/// Waits until so many people are counted.
async fn joined(place: &Place<'_>, name: &str, number: i32) {
    let rooms = place.rooms();
    eventually(COUNTED, async || match rooms.get(name).await.expect("the Room").status.and_then(|status| status.counts) {
        Some(counts) if counts.joined == number => Ok(()),
        counts => Err(format!("{name}: {counts:?}")),
    })
    .await;
}
