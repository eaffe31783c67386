//! Two controllers that both believe to lead, as for a moment after a machine wakes up.

use std::collections::BTreeMap;

use kube::api::ListParams;
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, Room};
use serde_json::{Value, json};

use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Stage, session};
use crate::support::{eventually, run};

/// Rooms that both work on.
const ROOMS: usize = 12;

#[test]
fn two_leaders_at_once_make_one_session_and_one_invite_each_and_come_to_rest() {
    run(async {
        let stage = Stage::start().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        let second = Role::controller(&account, &url).await;
        let place = stage.place().await;
        let names: Vec<String> = (0..ROOMS).map(|number| format!("call-{number}")).collect();
        for name in &names {
            place.apply(name, json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        }
        for name in &names {
            place.until_phase(name, Phase::Open).await;
        }
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
        // Both are done with it: no object changes any more, whatever the class's loops do in between.
        let seen = eventually(PATIENCE, async || {
            let before = versions(&stage, &place.namespace).await;
            second.metrics().await;
            for role in [&stage.controller, &second] {
                let sweeps = sweeps(role).await;
                eventually(PATIENCE, async || if self::sweeps(role).await >= sweeps + 3.0 { Ok(()) } else { Err("no sweep") }).await;
            }
            let after = versions(&stage, &place.namespace).await;
            if before == after { Ok(after) } else { Err(format!("{before:?} became {after:?}")) }
        })
        .await;
        assert_eq!(seen.len(), ROOMS + 2 * ROOMS, "Rooms and invites: {seen:?}");
        assert_eq!(place.invite("call-1", "ada").await, before, "the same invite as before");
        let room = place.until_phase("call-0", Phase::Open).await;
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
        let mut sessions: Vec<String> = Vec::new();
        for name in &names {
            sessions.push(session(&place.until_phase(name, Phase::Open).await));
        }
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), ROOMS);
        assert!(sessions.contains(&session(&room)));
        for name in &names {
            place.delete(name).await;
        }
        for name in &names {
            place.until_gone(name, PATIENCE).await;
        }
        assert_eq!(place.secret_names().await, Vec::<String>::new());
    });
}

async fn sweeps(role: &Role) -> f64 {
    let name = "roomkeeper_backend_calls_total{backend=\"livekit\",op=\"sweep\",code=\"OK\"}";
    role.metric(name).await.unwrap_or_default()
}

/// Versions of the Rooms and Secrets of a namespace.
async fn versions(stage: &Stage, namespace: &str) -> BTreeMap<String, String> {
    let rooms = Api::<Room>::namespaced(stage.admin.clone(), namespace).list(&ListParams::default()).await.expect("Rooms");
    let secrets = stage.cluster.kubectl(&["-n", namespace, "get", "secrets", "-o", "json"], "");
    let secrets: Value = serde_json::from_slice(&secrets.stdout).expect("Secrets");
    let mut versions: BTreeMap<String, String> =
        rooms.items.iter().map(|room| (room.name_any(), room.resource_version().unwrap_or_default())).collect();
    for secret in secrets["items"].as_array().into_iter().flatten() {
        let text = |key: &str| secret["metadata"][key].as_str().unwrap_or_default().to_owned();
        versions.insert(text("name"), text("resourceVersion"));
    }
    versions
}
