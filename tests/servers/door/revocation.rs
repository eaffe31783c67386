//! Who may not stay is out within a second, and does not come back by any token they ever held.

use std::time::Duration;

use jiff::Timestamp;
use roomkeeper::api::{Phase, Role};
use roomkeeper::backend::{Backend, MediaCredentials, TokenSubject};
use serde_json::{Value, json};

use super::wire;
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds, session};
use crate::support::{eventually, now, run, window};

/// How long it may take until somebody is out.
const A_SECOND: Duration = Duration::from_secs(1);

/// An open Room with ada and ben on its list.
async fn open(place: &Place<'_>, name: &str) -> String {
    place.apply(name, json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
    session(&place.until_phase(name, Phase::Open).await)
}

/// LiveKit's own address, which nobody but the gateway should reach.
fn past_the_door(stage: &Stage, token: &str) -> MediaCredentials {
    MediaCredentials::by_token(Some(stage.livekit.url().replacen("http", "ws", 1)), token.to_owned(), now())
}

/// Status and name of the problem with which the gateway refuses a token.
async fn refusal(stage: &Stage, token: &str) -> (u16, String) {
    let (reply, _) = wire::upgrade(stage.gateway.port, &format!("/rtc?access_token={token}"), &[]).await;
    reply.problem()
}

fn invalid() -> (u16, String) {
    (401, "invalid-invite".to_owned())
}

/// Waits until the client is out, and says how long after `since` that was.
async fn out(client: &Client, since: Timestamp) -> Duration {
    client.event("disconnected").await;
    now().duration_since(since).try_into().expect("time passes")
}

#[test]
fn a_removed_client_stays_out_with_a_token_that_livekit_itself_renewed_and_would_take() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let session = open(&place, "call").await;
        let ada = Client::join_telling_tokens(&place.credentials("call", "ada").await).await;
        let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
        let holder = stage.livekit.backend().token_subject(&renewed, now());
        let holder = holder.expect("a subject");
        assert!(holder.signed_by.is_some(), "LiveKit keeps which key signed the invite");
        let expected = TokenSubject {
            session: session.clone(),
            identity: "ada".into(),
            display_name: "ada".into(),
            generation: Some(0),
            ..holder.clone()
        };
        assert_eq!(holder, expected);

        place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
        assert_eq!(ada.event("disconnected").await["reason"], "PARTICIPANT_REMOVED", "the page is told why");
        assert_eq!(refusal(stage, &renewed).await, invalid());
        let own = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), renewed.clone(), now());
        assert_eq!(Client::join(&own, &[]).await.err().and_then(|failure| failure.status), Some(401));
        // The hole that the door closes.
        let back = Client::join(&past_the_door(stage, &renewed), &[]).await;
        assert!(back.is_ok(), "LiveKit alone takes the same token: {:?}", back.err());
    });
}

#[test]
fn somebody_in_the_call_comes_back_with_a_token_that_livekit_renewed() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        open(&place, "call").await;
        let ada = Client::join_telling_tokens(&place.credentials("call", "ada").await).await;
        let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
        ada.close().await;
        let own = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), renewed, now());
        Client::join(&own, &["microphone"]).await.expect("ada is in again").event("track-published").await;
    });
}

/// Ada, who was demoted while she was out, comes back by the token that LiveKit renewed while she was a Collaborator.
async fn who_was_demoted_meanwhile_is_no_more_than_that(stage: &Stage, place: &Place<'_>, room: &str) {
    let invite = place.invite(room, "ada").await;
    let ada = Client::join_telling_tokens(&stage.credentials(&invite).await).await;
    let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
    ada.close().await;
    place.edit(room, json!({"participants": [{"name": "ada", "role": "Consumer"}]})).await;
    eventually(PATIENCE, async || match stage.view(&invite).await {
        view if view.body["role"] == "Consumer" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let own = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), renewed, now());
    let ada = Client::join(&own, &[]).await.expect("ada is in again");
    let session = session(&place.rooms().get(room).await.expect("the Room"));
    let members = stage.livekit.backend().observe(&session).await.expect("an answer").expect("a session");
    let roles: Vec<_> = members.iter().map(|member| (member.identity.as_str(), member.role)).collect();
    assert_eq!(roles, [("ada", Some(Role::Consumer))]);
    ada.close().await;
}

#[test]
fn who_was_demoted_does_not_come_back_as_more_by_a_token_that_livekit_renewed() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada", "role": "Collaborator"}]})).await;
        place.until_phase("call", Phase::Open).await;
        who_was_demoted_meanwhile_is_no_more_than_that(stage, &place, "call").await;
    });
}

/// The ways to lose one's place, by name.
fn ways_out() -> [(&'static str, Value); 4] {
    [
        ("removed", json!({"participants": [{"name": "ben"}]})),
        ("suspended", json!({"participants": [{"name": "ada", "suspended": true}, {"name": "ben"}]})),
        ("rotated", json!({"participants": [{"name": "ada", "inviteGeneration": 1}, {"name": "ben"}]})),
        ("closed", json!({"suspend": true})),
    ]
}

async fn everybody_is_out_in_time(stage: &Stage, place: &Place<'_>) {
    for (name, _) in ways_out() {
        let grant = place.credentials(name, "ada").await;
        let ada = Client::join(&grant, &[]).await.expect("ada is in");
        let (_, change) = ways_out().into_iter().find(|(way, _)| *way == name).expect("the way");
        let changed_at = now();
        place.edit(name, change).await;
        let lag = out(&ada, changed_at).await;
        assert!(lag < A_SECOND, "{name}: out after {lag:?}; {:?}", ada.events());
        let expected = if name == "closed" { (403, "suspended".to_owned()) } else { invalid() };
        eventually(PATIENCE, async || {
            let refused = refusal(stage, &grant.token).await;
            // The controller has closed the session of a suspended Room, or will.
            if refused == expected || name == "closed" && refused == invalid() { Ok(()) } else { Err(format!("{refused:?}")) }
        })
        .await;
    }
}

#[test]
fn who_is_removed_suspended_or_rotated_is_out_within_a_second() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        for (name, _) in ways_out() {
            open(&place, name).await;
        }
        everybody_is_out_in_time(stage, &place).await;
    });
}

#[test]
fn who_may_not_stay_is_out_within_a_second_with_the_controller_dead() {
    run(async {
        let mut stage = Stage::start().await;
        let place = stage.place().await;
        for (name, _) in ways_out() {
            open(&place, name).await;
        }
        let (end, until) = (in_seconds(20), "ends");
        place.apply(until, json!({"validUntil": end, "participants": [{"name": "ada"}]})).await;
        place.until_phase(until, Phase::Open).await;
        open(&place, "deleted").await;
        place.apply("demoted", json!({"participants": [{"name": "ada", "role": "Collaborator"}]})).await;
        place.until_phase("demoted", Phase::Open).await;
        let namespace = place.namespace.clone();
        stage.controller.process.signal("KILL");
        stage.controller.process.ended(PATIENCE).await;
        let place = stage.place_in(namespace);

        let last = Client::join(&place.credentials(until, "ada").await, &[]).await.expect("ada is in");
        let gone = Client::join(&place.credentials("deleted", "ada").await, &[]).await.expect("ada is in");
        everybody_is_out_in_time(&stage, &place).await;
        who_was_demoted_meanwhile_is_no_more_than_that(&stage, &place, "demoted").await;
        let deleted_at = now();
        place.delete("deleted").await;
        assert!(out(&gone, deleted_at).await < A_SECOND);
        let end: Timestamp = end.parse().expect("a moment");
        let lag = out(&last, end).await;
        assert!(now() >= end && lag < A_SECOND, "out {lag:?} after the end");
        // The client hears of it a little before the gateway has counted it.
        eventually(PATIENCE, async || {
            let metrics = stage.gateway.metrics().await;
            let counted = ["roomkeeper_proxied_connections 0", "roomkeeper_revocation_lag_seconds_count 6"];
            if counted.iter().all(|line| metrics.contains(line)) { Ok(()) } else { Err(metrics) }
        })
        .await;
    });
}

#[test]
fn tokens_of_an_older_epoch_are_refused() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let first = open(&place, "call").await;
        let old = place.credentials("call", "ada").await;
        stage.livekit.backend().close(&first).await.expect("deleted");
        place.until("call", |status| status.session.as_ref().is_some_and(|session| session.epoch == 2)).await;
        // Even if the media server still had it.
        stage.livekit.backend().ensure(&first, window().into()).await.expect("made");
        eventually(PATIENCE, async || match refusal(stage, &old.token).await {
            refused if refused == invalid() => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        Client::join(&place.credentials("call", "ada").await, &[]).await.expect("ada is in by the new epoch");
    });
}

#[test]
fn a_changed_role_and_a_spec_that_is_not_accepted_cut_nobody_and_the_end_comes_all_the_same() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let end = in_seconds(15);
        let people = json!([{"name": "ada", "role": "Presenter"}]);
        place.apply("call", json!({"validUntil": end, "participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        let ada = Client::join(&place.credentials("call", "ada").await, &[]).await.expect("ada is in");
        place.edit("call", json!({"participants": [{"name": "ada", "role": "Consumer"}]})).await;
        ada.event("permissions-changed").await;
        place.edit("call", json!({"maxParticipants": 350, "validUntil": in_seconds(365 * 24 * 3600)})).await;
        place.until_not("call", "Accepted", "WindowTooLong").await;
        let end: Timestamp = end.parse().expect("a moment");
        let kinds = |client: &Client| client.events().iter().map(|event| event["event"].clone()).collect::<Vec<_>>();
        assert!(
            now() < end && !kinds(&ada).contains(&json!("reconnecting")) && !kinds(&ada).contains(&json!("disconnected")),
            "{:?}",
            ada.events()
        );
        let lag = out(&ada, end).await;
        assert!(now() >= end && lag < A_SECOND, "out {lag:?} after the end");
    });
}
