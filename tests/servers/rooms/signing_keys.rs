//! The keys that sign invites: what a new one renews, what a spoilt one does not stop, and whom the end of one puts out.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use roomkeeper::api::Phase;
use roomkeeper::backend::MediaCredentials;
use roomkeeper::domain::generate_key;
use serde_json::{Value, json};

use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, value};
use crate::support::{eventually, now, run};

const KEYS: &str = "roomkeeper-invite-keys";

fn keys(stage: &Stage) -> Api<Secret> {
    Api::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE)
}

/// Names of the entries.
async fn entries(stage: &Stage) -> Vec<String> {
    keys(stage).get(KEYS).await.expect("the keys").data.unwrap_or_default().into_keys().collect()
}

async fn write(stage: &Stage, entries: Value) {
    keys(stage).patch(KEYS, &PatchParams::default(), &Patch::Merge(entries)).await.expect("the keys are written");
}

/// Waits until the invite in a Secret is another one than before.
async fn renewed(place: &Place<'_>, room: &str, person: &str, before: &str) -> String {
    eventually(PATIENCE, async || {
        let secret = place.invite_secret(room, person).await.ok_or("no invite")?;
        let invite = value(&secret, "invite");
        if invite == before { Err("the old invite") } else { Ok(invite) }
    })
    .await
}

/// Waits until joins with an invite end with this status.
async fn until_joins(stage: &Stage, invite: &str, status: u16) {
    eventually(PATIENCE, async || match stage.join(invite).await {
        answer if answer.status == status => Ok(()),
        answer => Err(format!("{answer:?}")),
    })
    .await;
}

async fn until_unusable(roles: [&Role; 2], number: f64) {
    for role in roles {
        eventually(PATIENCE, async || match role.metric("roomkeeper_unusable_invite_keys").await {
            Some(found) if (found - number).abs() < 0.5 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
}

#[test]
fn a_new_key_under_an_id_in_use_renews_the_invites_and_an_entry_that_is_no_key_stops_neither_the_others_nor_a_start() {
    run(async {
        let mut stage = Stage::start().await;
        let namespace = stage.cluster.namespace().await;
        let first = {
            let place = stage.place_in(namespace.clone());
            place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
            place.until_phase("call", Phase::Open).await;
            let old = place.invite("call", "ada").await;
            let id = entries(&stage).await.remove(0);
            let (_, pem) = generate_key("x");
            write(&stage, json!({"stringData": {id: pem}})).await;
            let new = renewed(&place, "call", "ada", &old).await;
            until_joins(&stage, &old, 401).await;
            until_joins(&stage, &new, 200).await;
            new
        };
        // A second key that is none: told, and the first goes on.
        write(&stage, json!({"stringData": {"99991231.pem": "spoilt"}})).await;
        until_unusable([&stage.controller, &stage.gateway], 1.0).await;
        for role in [&stage.controller, &stage.gateway] {
            assert!(role.log().contains("99991231.pem") && !role.log().contains("spoilt"), "{}", role.log());
        }
        stage.restart_controller().await;
        let gateway = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        stage.gateway.process.signal("KILL");
        stage.gateway = Role::gateway(&gateway, stage.gateway.port).await;
        until_unusable([&stage.controller, &stage.gateway], 1.0).await;
        until_joins(&stage, &first, 200).await;
        // Put right, it signs.
        let (name, pem) = generate_key("99991231");
        write(&stage, json!({"stringData": {name: pem}})).await;
        let place = stage.place_in(namespace);
        let new = renewed(&place, "call", "ada", &first).await;
        until_unusable([&stage.controller, &stage.gateway], 0.0).await;
        until_joins(&stage, &new, 200).await;
        until_joins(&stage, &first, 200).await;
    });
}

#[test]
fn who_came_by_an_invite_of_a_key_that_is_removed_is_put_out_and_nobody_else() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        stage.class("direct", &stage.livekit, json!({"backend": {"liveKit": {"signalling": "Direct"}}})).await;
        let people = json!([{"name": "ada"}, {"name": "ben"}]);
        for (room, class) in [("proxied", "livekit"), ("direct", "direct")] {
            place.apply(room, json!({"roomClassName": class, "participants": people})).await;
            place.until_phase(room, Phase::Open).await;
        }
        let before = [place.invite("proxied", "ben").await, place.invite("direct", "ben").await];
        let by_the_old = [place.joined("proxied", "ada", &[]).await, place.joined("direct", "ada", &[]).await];
        let old = entries(&stage).await.remove(0);
        let (name, pem) = generate_key("99991231");
        write(&stage, json!({"stringData": {name: pem}})).await;
        let mut by_the_new = Vec::new();
        for (room, before) in [("proxied", &before[0]), ("direct", &before[1])] {
            renewed(&place, room, "ben", before).await;
            by_the_new.push(place.joined(room, "ben", &[]).await);
        }
        write(&stage, json!({"data": {old: null}})).await;
        for client in &by_the_old {
            assert_eq!(client.event("disconnected").await["reason"], "PARTICIPANT_REMOVED");
        }
        for client in by_the_new {
            assert!(client.events().iter().all(|event| event["event"] != "disconnected"), "{:?}", client.events());
            client.close().await;
        }
    });
}

#[test]
fn the_deletion_of_the_keys_puts_out_everybody_with_the_controller_dead_and_the_next_one_makes_a_new_key() {
    run(async {
        let mut stage = Stage::start().await;
        let namespace = stage.cluster.namespace().await;
        let place = stage.place_in(namespace.clone());
        stage.class("short", &stage.livekit, json!({"limits": {"maxDuration": "2h"}})).await;
        for (room, class) in [("call", "livekit"), ("stuck", "short")] {
            place.apply(room, json!({"roomClassName": class, "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
            place.until_phase(room, Phase::Open).await;
        }
        let ada = Client::join_telling_tokens(&place.credentials("call", "ada").await).await;
        let renewed_token = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
        let ben = place.joined("call", "ben", &[]).await;
        // Somebody in a Room whose spec is not accepted any more, where nobody else is put out.
        let stuck = place.joined("stuck", "ada", &[]).await;
        place.edit("stuck", json!({"duration": "3h"})).await;
        place.until_not("stuck", "Accepted", "WindowTooLong").await;
        let old = place.invite("call", "ada").await;
        stage.controller.process.signal("KILL");
        keys(&stage).delete(KEYS, &DeleteParams::default()).await.expect("deleted");
        for client in [&ada, &ben, &stuck] {
            client.event("disconnected").await;
        }
        assert_eq!(stage.join(&old).await.problem(), "unavailable", "without keys nobody comes in");
        let own = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), renewed_token, now());
        assert_eq!(Client::join(&own, &[]).await.err().and_then(|failure| failure.status), Some(503), "not by what LiveKit renewed either");

        stage.restart_controller().await;
        let place = stage.place_in(namespace);
        let new = renewed(&place, "call", "ada", &old).await;
        until_joins(&stage, &new, 200).await;
        until_joins(&stage, &old, 401).await;
        assert_eq!(Client::join(&own, &[]).await.err().and_then(|failure| failure.status), Some(401), "nor when there is a new key");
        // And once more while the controller is there.
        let ada = place.joined("call", "ada", &[]).await;
        keys(&stage).delete(KEYS, &DeleteParams::default()).await.expect("deleted");
        ada.event("disconnected").await;
        let newest = renewed(&place, "call", "ada", &new).await;
        until_joins(&stage, &newest, 200).await;
    });
}
