//! A gateway that is stopped, as with its machine, and goes on later.

use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use roomkeeper::api::Phase;
use serde_json::json;
use tokio::time::sleep;

use crate::support::livekit::Client;
use crate::support::stage::{Answer, PATIENCE, Stage, ask, in_seconds};
use crate::support::{all_faults, eventually, now, run};

/// Requests with each invite that wait for the gateway to wake.
const WAITING: usize = 5;
/// From the last edit to the end of a window that passes meanwhile.
const UNTIL_THE_END: i64 = 6;
/// The watches that the gateway had are ended by the API server: what comes on them before is not the newest.
const WATCHES_END: Duration = Duration::from_secs(25);
/// So long has the gateway slept when nobody may be let in by what it knows.
const TOO_LONG: i64 = 75;
/// So long may it sleep on a slow machine and still go by what it knows.
const FRESH: SignedDuration = SignedDuration::from_secs(45);
/// Until the watches of a gateway that wakes show what happened, beside other tests.
const AWAKE: Duration = Duration::from_secs(20);

#[test]
fn a_gateway_that_was_stopped_lets_nobody_in_after_the_end_and_nobody_by_what_is_older_than_a_minute() {
    run(async {
        let is_long = all_faults();
        let mut stage = Stage::start().await;
        let namespace = stage.cluster.namespace().await;
        let place = stage.place_in(namespace.clone());
        let people = json!([{"name": "ada"}, {"name": "ben"}, {"name": "cyd"}]);
        for name in ["call", "ended", "over"] {
            place.apply(name, json!({"validUntil": in_seconds(900), "participants": people})).await;
        }
        for name in ["call", "ended", "over"] {
            place.until_phase(name, Phase::Open).await;
        }
        let ben_is_in = place.joined("call", "ben", &[]).await;
        let [ada, ben, cyd] = [place.invite("call", "ada").await, place.invite("call", "ben").await, place.invite("call", "cyd").await];
        let [ended, over] = [place.invite("ended", "ada").await, place.invite("over", "ada").await];
        // Of before the sleep, good for a minute.
        let token = stage.credentials(&cyd).await;
        let end = in_seconds(UNTIL_THE_END);
        place.edit("over", json!({"validUntil": end})).await;
        eventually(PATIENCE, async || match stage.view(&over).await {
            answer if answer.body["validUntil"] == end.as_str() => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;

        drop(place);
        let stopped_at = now();
        stage.gateway.process.signal("STOP");
        let place = stage.place_in(namespace);
        if is_long {
            // Nothing that is done from now on is told on them.
            sleep(WATCHES_END).await;
        }
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "cyd", "inviteGeneration": 1}]})).await;
        place.edit("ended", json!({"validUntil": in_seconds(0)})).await;
        place.until("call", |status| status.participants.iter().any(|entry| entry.invite_generation == 1)).await;
        place.until_phase("ended", Phase::Expired).await;
        place.until_phase("over", Phase::Expired).await;
        if is_long {
            let awake_at = stopped_at.checked_add(SignedDuration::from_secs(TOO_LONG)).expect("a moment");
            eventually(Duration::from_mins(2), async || if now() > awake_at { Ok(()) } else { Err("it sleeps") }).await;
        }
        let slept = now().duration_since(stopped_at);
        let port = stage.gateway.port;
        let asked = join_all([&ada, &ben, &cyd, &ended, &over].map(|invite| first_answers(port, invite)));
        let woken = async {
            // The requests are in its sockets by then: the answers are the first things that it does.
            sleep(Duration::from_millis(500)).await;
            stage.gateway.process.signal("CONT");
        };
        let (answers, ()) = tokio::join!(asked, woken);
        let [of_ada, of_ben, of_cyd, of_ended, of_over] = answers.try_into().expect("five");
        // By its own clock: the call is closed, so that nobody would get in anyway.
        all(&of_over, |answer| if slept < FRESH { answer.problem() == "over" } else { answer.status != 200 });
        if is_long {
            for answers in [&of_ben, &of_cyd, &of_ended] {
                all(answers, |answer| answer.status != 200);
            }
        }
        println!("the first answer to somebody who may come in: {:?}", of_ada.first().map(|answer| answer.status));
        // Who was let in by what it knew comes in no more where they are judged again.
        for answer in of_ben.iter().chain(&of_cyd).filter(|answer| answer.status == 200).take(1) {
            stays_out(answer).await;
        }
        eventually(AWAKE, async || {
            let answers = [stage.join(&ben).await, stage.join(&cyd).await, stage.join(&ended).await, stage.join(&over).await];
            let problems = answers.each_ref().map(Answer::problem);
            let refused = problems == ["invalid-invite", "invalid-invite", "over", "over"];
            if refused && stage.join(&ada).await.status == 200 { Ok(()) } else { Err(format!("{problems:?}")) }
        })
        .await;
        ben_is_in.event("disconnected").await;
        assert!(Client::join(&token, &[]).await.is_err(), "a media token of a link that was rotated lets nobody in");
    });
}

/// Answers to the same request several times, all of which wait for the gateway.
async fn first_answers(port: u16, invite: &str) -> Vec<Answer> {
    join_all((0..WAITING).map(|_| async { ask(port, "POST", "/v1/join", invite, None).await.expect("an answer") })).await
}

fn all(answers: &[Answer], wanted: impl Fn(&Answer) -> bool) {
    assert!(answers.iter().all(wanted), "{answers:?}");
}

/// Whoever has this answer is out of the call soon, or does not come in.
async fn stays_out(answer: &Answer) {
    match Client::join(&answer.credentials(), &[]).await {
        Err(_) => {}
        Ok(client) => drop(client.event("disconnected").await),
    }
}
