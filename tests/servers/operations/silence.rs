//! A connection to the API server that is dead without being closed tells nothing, and looks like one on which nothing happens.

use std::time::Duration;

use jiff::SignedDuration;
use roomkeeper::api::Phase;
use serde_json::json;

use super::leader::leads;
use crate::support::gate::Gate;
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, ask, in_seconds};
use crate::support::{eventually, now, run};

/// So old may be what people are judged by.
const OLDEST: SignedDuration = SignedDuration::from_secs(60);
/// Until all is noticed that happened during the silence, also where a second dead connection was tried.
const NOTICED: Duration = Duration::from_secs(90);

#[test]
fn a_watch_that_is_dead_without_being_closed_is_noticed_and_nobody_is_judged_by_what_is_older_than_a_minute() {
    run(async {
        let mut stage = Stage::start().await;
        let forwarder = stage.cluster.forwarder().await;
        let gateway = stage.cluster.account_kubeconfig_by(&forwarder, "roomkeeper-gateway").await;
        let gateway = Role::gateway(&gateway, free_port()).await;
        let controller = stage.cluster.account_kubeconfig_by(&forwarder, "roomkeeper-controller").await;
        stage.controller.process.signal("KILL");
        stage.controller = Role::controller(&controller, &format!("http://127.0.0.1:{}", stage.gateway.port)).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ben = place.invite("call", "ben").await;
        let join = async || ask(gateway.port, "POST", "/v1/join", &ben, None).await.expect("an answer of the gateway");
        eventually(NOTICED, async || match join().await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("{answer:?}")),
        })
        .await;

        forwarder.freeze();
        let people = json!([{"name": "ada"}, {"name": "ben", "suspended": true}, {"name": "cyd"}]);
        place.edit("call", json!({"participants": people})).await;
        let edited_at = now();
        eventually(NOTICED, async || match join().await {
            answer if answer.status == 401 => Ok(()),
            answer => {
                let after = now().duration_since(edited_at);
                assert!(answer.status != 200 || after < OLDEST, "let in {after:?} after it was taken away: {answer:?}");
                Err(format!("{answer:?}"))
            }
        })
        .await;
        place.until("call", |status| status.participants.iter().any(|entry| entry.name == "cyd")).await;
        for role in [&gateway, &stage.controller] {
            assert_eq!(role.probes().await, (true, true), "{}", role.log());
            let silence = role.metric("roomkeeper_watch_silence_seconds").await;
            assert!(silence.is_some_and(|silence| silence < 30.0), "{silence:?}");
        }
    });
}

/// The watches of a gateway: Rooms, guests, removals, classes, and the Secrets of the operator's namespace.
const WATCHES_OF_A_GATEWAY: usize = 5;

#[test]
fn while_a_watch_is_interrupted_an_invite_of_somebody_unknown_is_unavailable_and_not_invalid() {
    run(async {
        let stage = Stage::shared().await;
        let gate = Gate::start(&stage.cluster.account_kubeconfig("roomkeeper-gateway").await).await;
        let gateway = Role::gateway(&gate.kubeconfig, free_port()).await;
        let join = async |invite: &str| ask(gateway.port, "POST", "/v1/join", invite, None).await.expect("an answer of the gateway");
        gate.close();
        eventually(PATIENCE, async || match gate.waiting() {
            WATCHES_OF_A_GATEWAY => Ok(()),
            waiting => Err(format!("{waiting} watches wait")),
        })
        .await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ada = place.invite("call", "ada").await;
        assert_eq!(join(&ada).await.problem(), "unavailable");
        assert_eq!(join("forged").await.problem(), "invalid-invite");
        gate.open();
        eventually(PATIENCE, async || match join(&ada).await {
            answer if answer.status == 200 => Ok(()),
            // The page takes that for final.
            answer if answer.status == 401 => panic!("a good invite is not valid: {answer:?}"),
            answer => Err(format!("{answer:?}")),
        })
        .await;
    });
}

/// From now to the end that a leader sleeps past: the next one must lead before.
const UNTIL_THE_END: i64 = 25;

#[test]
fn a_leader_that_slept_past_an_end_that_was_put_off_meanwhile_ends_no_call() {
    run(async {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        let forwarder = stage.cluster.forwarder().await;
        let kubeconfig = stage.cluster.account_kubeconfig_by(&forwarder, "roomkeeper-controller").await;
        let mut sleeper = Role::controller_with(&kubeconfig, &url, &[]).await;
        leads(&sleeper).await;
        let place = stage.place().await;
        let end = in_seconds(UNTIL_THE_END);
        place.apply("call", json!({"validUntil": end, "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ada = place.joined("call", "ada", &[]).await;

        // Nothing of what happens from now on reaches it, although it can reach all servers when it wakes.
        forwarder.freeze();
        sleeper.process.signal("STOP");
        let awake = Role::controller_with(&stage.cluster.account_kubeconfig("roomkeeper-controller").await, &url, &[]).await;
        leads(&awake).await;
        let later = in_seconds(600);
        assert!(now() < end.parse().expect("a moment"), "there was time to put off the end");
        place.edit("call", json!({"validUntil": later})).await;
        place.until("call", |status| status.valid_until.as_ref().is_some_and(|until| until.0 == later.parse().expect("a moment"))).await;
        eventually(NOTICED, async || if now() > end.parse().expect("a moment") { Ok(()) } else { Err("not over yet") }).await;
        sleeper.process.signal("CONT");
        let status = sleeper.process.ended(PATIENCE).await;
        assert!(!status.success(), "it is the leader no more");
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
        let room = place.until_phase("call", Phase::Open).await;
        assert_eq!(room.status.and_then(|status| status.session).map(|session| session.epoch), Some(1), "it is the same session");
    });
}
