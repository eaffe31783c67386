//! What real people in a call on LiveKit meet.

use std::time::Duration;

use roomkeeper::api::Role;
use roomkeeper::backend::{Backend, LiveKit};
use roomkeeper::domain::{MediaConnections, TokenGrant};
use serde_json::json;

use livekit_api::services::room::RoomClient;

use super::{grant, server, session, ticket_for};
use crate::support::livekit::Client;
use crate::support::{eventually, now, run, window};

/// A session on the shared server.
async fn open() -> (LiveKit, String) {
    let (backend, session) = (server().await.backend(), session());
    backend.ensure(&session, window().into()).await.expect("ensure");
    (backend, session)
}

/// Comes in and publishes.
async fn join(backend: &LiveKit, session: &str, grant: &TokenGrant, publish: &[&str]) -> Client {
    let credentials = backend.mint_token(session, grant).await.expect("a token");
    Client::join(&credentials, publish).await.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The HTTP status with which a grant is refused.
async fn refused(backend: &LiveKit, session: &str, grant: &TokenGrant) -> u64 {
    let credentials = backend.mint_token(session, grant).await.expect("a token");
    let failure = Client::join(&credentials, &[]).await.err().expect("nobody may come in by this");
    failure.status.expect("an answer of HTTP")
}

#[test]
fn two_people_hear_and_see_each_other() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Presenter), &["microphone", "screen_share"]).await;
        let bob = join(&backend, &session, &ticket_for("bob", Role::Attendee), &["camera"]).await;
        for (who, of_whom, source) in [(&ada, "bob", "camera"), (&bob, "ada", "microphone"), (&bob, "ada", "screen_share")] {
            let received = json!([of_whom, source]);
            who.wait_for("media", |event| event["event"] == "media-received" && json!([event["identity"], event["source"]]) == received)
                .await;
        }
    });
}

#[test]
fn a_consumer_hears_and_sees_but_the_server_takes_nothing_from_them() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Presenter), &["camera"]).await;
        let mut bob = join(&backend, &session, &ticket_for("bob", Role::Consumer), &["microphone"]).await;
        bob.event("media-received").await;
        bob.event("request-refused").await;
        // Data needs no request that could be refused, so what comes after it is the proof that it did not come.
        bob.command("say from bob").await;
        let mut eve = join(&backend, &session, &ticket_for("eve", Role::Attendee), &[]).await;
        eve.command("say from eve").await;
        ada.wait_for("eve's words", |event| event["event"] == "data-received" && event["text"] == "from eve").await;
        let from_bob = |event: &serde_json::Value| event["identity"] == "bob" && event["event"] != "participant-joined";
        assert!(!ada.events().iter().any(from_bob), "{:?}", ada.events());
    });
}

#[test]
fn an_attendee_cannot_share_a_screen() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Attendee), &["screen_share"]).await;
        ada.event("request-refused").await;
    });
}

#[test]
fn an_attendees_camera_is_off_once_they_are_a_consumer() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Attendee), &["camera"]).await;
        ada.event("track-published").await;
        backend.set_role(&session, "ada", Role::Consumer, "Ada").await.expect("set_role");
        let off = ada.event("track-unpublished").await;
        assert_eq!(off["source"], "camera");
        let changed = ada.event("permissions-changed").await;
        assert_eq!(
            (&changed["canPublish"], &changed["canPublishData"], &changed["canSubscribe"]),
            (&json!(false), &json!(false), &json!(true))
        );
    });
}

#[test]
fn a_consumer_made_attendee_can_publish_without_reconnecting() {
    run(async {
        let (backend, session) = open().await;
        let bob = join(&backend, &session, &ticket_for("bob", Role::Consumer), &[]).await;
        let mut ada = join(&backend, &session, &grant(Role::Consumer), &[]).await;
        backend.set_role(&session, "ada", Role::Attendee, "Ada").await.expect("set_role");
        ada.event("permissions-changed").await;
        ada.command("publish camera").await;
        bob.event("media-received").await;
        assert!(!ada.events().iter().any(|event| event["event"] == "reconnecting"));
    });
}

#[test]
fn in_a_call_of_voices_the_server_takes_no_pictures_whatever_the_role() {
    run(async {
        let (backend, session) = open().await;
        let voices = server().await.backend().audio_only(true);
        let mut ada = join(&voices, &session, &grant(Role::Presenter), &["camera"]).await;
        ada.event("request-refused").await;
        ada.command("publish microphone").await;
        assert_eq!(ada.event("track-published").await["source"], "microphone");
        let people = voices.observe(&session).await.expect("observe").expect("a session");
        assert_eq!(people[0].role, Some(Role::Presenter));
        let people = backend.observe(&session).await.expect("observe").expect("a session");
        assert_eq!(people[0].role, None, "elsewhere a Presenter may do more");
    });
}

#[test]
fn somebody_is_seen_to_have_connected_when_their_media_have() {
    run(async {
        let (backend, session) = open().await;
        let nobody = MediaConnections::default();
        assert_eq!(backend.media_connections(&session, now()).await, Ok(nobody.clone()));
        let _ada = join(&backend, &session, &grant(Role::Attendee), &["microphone"]).await;
        let connected = async || match backend.media_connections(&session, now()).await {
            Ok(found) if found.connected && found.waiting.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        };
        eventually(Duration::from_secs(30), connected).await;
        assert_eq!(backend.media_connections("no such session", now()).await, Ok(nobody));
    });
}

#[test]
fn a_removed_person_is_told_so() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Attendee), &[]).await;
        backend.remove(&session, "ada").await.expect("remove");
        assert_eq!(ada.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
    });
}

#[test]
fn everybody_is_told_when_the_call_is_closed() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Presenter), &[]).await;
        let bob = join(&backend, &session, &ticket_for("bob", Role::Consumer), &[]).await;
        backend.close(&session).await.expect("close");
        for client in [&ada, &bob] {
            assert_eq!(client.event("disconnected").await["reason"], "ROOM_DELETED");
        }
    });
}

#[test]
fn who_is_muted_is_not_heard_but_still_seen() {
    run(async {
        let (backend, session) = open().await;
        let ada = join(&backend, &session, &grant(Role::Presenter), &["microphone", "camera"]).await;
        let bob = join(&backend, &session, &ticket_for("bob", Role::Attendee), &["microphone"]).await;
        for (who, of_whom, source) in [(&bob, "ada", "microphone"), (&bob, "ada", "camera"), (&ada, "bob", "microphone")] {
            let received = json!([of_whom, source]);
            who.wait_for("media", |event| event["event"] == "media-received" && json!([event["identity"], event["source"]]) == received)
                .await;
        }
        backend.mute(&session, "ada").await.expect("mute");
        backend.mute(&session, "ada").await.expect("and once more");
        let options = server().await;
        let api = RoomClient::with_api_key(&options.url(), &options.options.api_key, &options.options.api_secret);
        let muted = |identity: &'static str| {
            let (api, session) = (&api, &session);
            async move {
                let tracks = api.get_participant(session, identity).await.expect("a person").tracks;
                let mut muted: Vec<_> = tracks.iter().map(|track| (track.source().as_str_name(), track.muted)).collect();
                muted.sort_unstable();
                muted
            }
        };
        assert_eq!(muted("ada").await, [("CAMERA", false), ("MICROPHONE", true)]);
        assert_eq!(muted("bob").await, [("MICROPHONE", false)]);
    });
}

#[test]
fn an_expired_ticket_is_refused() {
    run(async {
        let (backend, session) = open().await;
        // LiveKit itself allows for clocks that differ by a minute.
        let long_ago = now() - Duration::from_mins(5);
        let expired = TokenGrant { not_before: long_ago, expires_at: long_ago + Duration::from_mins(3), ..grant(Role::Attendee) };
        assert_eq!(refused(&backend, &session, &expired).await, 401);
        assert_eq!(backend.observe(&session).await, Ok(Some(vec![])));
    });
}

#[test]
fn a_ticket_does_not_revive_a_closed_call() {
    run(async {
        let (backend, session) = open().await;
        let grant = grant(Role::Presenter);
        join(&backend, &session, &grant, &[]).await.close().await;
        backend.close(&session).await.expect("close");
        assert_eq!(refused(&backend, &session, &grant).await, 404);
        assert_eq!(backend.observe(&session).await, Ok(None));
    });
}
