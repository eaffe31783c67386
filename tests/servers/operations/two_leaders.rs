//! Two controllers that both believe to lead, as for a moment after a machine wakes up.

use std::time::Duration;

use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Stage};
use crate::support::{eventually, run};

/// Rooms that both work on.
const ROOMS: usize = 12;
/// How long it may take until nothing changes any more. Each look takes a quarter of a minute, so this is several of them.
const REST: Duration = Duration::from_mins(2);
/// Sweeps of each controller in which nothing may change. One comes at most every three seconds, and people are counted every ten
/// seconds: so each has counted in between, and has had the time for what follows from it.
const SWEEPS: f64 = 5.0;

#[test]
fn two_leaders_at_once_make_one_session_and_one_invite_each_and_come_to_rest() {
    run(async {
        let stage = Stage::start().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        let second = Role::controller(&account, &url).await;
        let place = stage.place().await;
        let names = place.open_calls(ROOMS).await;
        let ada = place.joined("call-0", "ada", &[]).await;
        let ben = place.joined("call-0", "ben", &[]).await;
        let before = place.invite("call-1", "ada").await;
        for name in &names {
            place.edit(name, json!({"participants": [{"name": "ada", "inviteGeneration": 0}, {"name": "eve"}]})).await;
        }
        for name in &names {
            place.until(name, |status| status.participants.len() == 2 && status.participants.iter().any(|entry| entry.name == "eve")).await;
        }
        ben.event("disconnected").await;
        // The count follows by itself, seconds later.
        place.until("call-0", |status| status.counts.is_some_and(|counts| counts.joined == 1)).await;
        // Both are done with it: no object changes any more, whatever the class's loops do in between.
        let seen = eventually(REST, async || {
            let before = place.versions().await;
            tokio::join!(stage.controller.sweeps(SWEEPS), second.sweeps(SWEEPS));
            let after = place.versions().await;
            if before == after { Ok(after) } else { Err(format!("{before:?} became {after:?}")) }
        })
        .await;
        assert_eq!(seen.len(), ROOMS + 2 * ROOMS, "Rooms and invites: {seen:?}");
        assert_eq!(place.invite("call-1", "ada").await, before, "the same invite as before");
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
        let mut recorded = Vec::new();
        for name in &names {
            let room = place.until_phase(name, Phase::Open).await;
            let session = room.status.and_then(|status| status.session).expect("a session");
            assert_eq!(session.epoch, 1, "{name} never had another session: {session:?}");
            recorded.push(session.id);
        }
        recorded.sort();
        let summaries = stage.livekit.backend().list_sessions("rk-").await.expect("LiveKit's own list");
        let mut living: Vec<String> = summaries.into_iter().map(|summary| summary.id).collect();
        living.sort();
        assert_eq!(living, recorded, "the sessions that live are those that the Rooms record");
        recorded.dedup();
        assert_eq!(recorded.len(), ROOMS, "each has its own");
        for role in [&stage.controller, &second] {
            let passes = role.metric("roomkeeper_reconcile_duration_seconds_count").await;
            assert!(passes.is_some_and(|passes| passes > 0.0), "both have worked: {passes:?}");
        }
        for name in &names {
            place.delete(name).await;
        }
        for name in &names {
            place.until_gone(name, PATIENCE).await;
        }
        assert_eq!(place.secret_names().await, Vec::<String>::new());
    });
}
