//! Least privilege: after a walk through all that Roomkeeper does, nothing that is granted is unused, and nothing was refused.

use std::fs;

use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use roomkeeper::api::{Phase, RoomClass, RoomGuest, RoomRemoval};
use serde_json::{Value, json};

use super::grants::{Grant, Request, granted, requests};
use crate::support::cluster::{Cluster, install_with};
use crate::support::livekit::{Client as Caller, LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::{free_port, log_file};
use crate::support::stage::{PATIENCE, Stage, in_seconds, set_credentials};
use crate::support::{eventually, run};

/// The one namespace of an installation that is for some alone.
const TEAM: &str = "team";

/// An installation as the chart makes it: it elects a leader, brings its class along, and makes LiveKit's keys.
struct Installation {
    stage: Stage,
    class: String,
    namespace: String,
}

impl Installation {
    /// For the whole cluster, or for one namespace.
    async fn start(whole: bool) -> Self {
        let directory = log_file("cluster").with_extension("d");
        let (cluster, livekit) = tokio::join!(Cluster::empty(&directory), LiveKitServer::start(Options::default()));
        let admin = cluster.admin().await;
        assert!(cluster.kubectl(&["create", "namespace", TEAM], "").status.success());
        let values: &[&str] = if whole { &[] } else { &["--set", "watchNamespaces={team}"] };
        install_with(&admin, values).await;
        set_credentials(&admin, "media", &livekit.options.api_key, &livekit.options.api_secret).await;
        // Names as the chart gives them.
        let (class, owner) = if whole {
            ("livekit", "roomkeeper.io/controller")
        } else {
            ("roomkeeper-system-roomkeeper-livekit", "roomkeeper.io/roomkeeper-system-roomkeeper")
        };
        let manifest = json!({
            "apiVersion": "roomkeeper.io/v1alpha1",
            "kind": "RoomClass",
            "metadata": {"name": class, "annotations": {"roomclass.roomkeeper.io/is-default-class": "true"}},
            "spec": {"controllerName": owner, "backend": {"liveKit": {"url": livekit.url(), "credentialsSecretRef": {"name": "media"}}}},
        });
        let file = log_file("roomclass").with_extension("yaml");
        fs::write(&file, manifest.to_string()).expect("a file");
        let (file, owner) = (format!("--room-class-file={}", file.display()), format!("--controller-name={owner}"));
        let scope: &[&str] = if whole { &[] } else { &["--watch-namespaces=team"] };
        let accounts = [cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await];
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let flags = [&[owner.as_str(), file.as_str(), "--livekit-keys-secret=roomkeeper-livekit"], scope].concat();
        let gateway_flags = [&[owner.as_str()], scope].concat();
        let (controller, gateway) =
            tokio::join!(Role::controller_with(&accounts[0], &url, &flags), Role::gateway_with(&accounts[1], port, &gateway_flags),);
        let stage = Stage { cluster: cluster.into(), livekit, controller, gateway, admin };
        Self { stage, class: class.to_owned(), namespace: TEAM.to_owned() }
    }
}

/// Everything that Roomkeeper does for people, once.
async fn walk(stage: &Stage, namespace: String) {
    let place = stage.place_in(namespace);
    place.apply("call", json!({"participants": [{"name": "pia", "role": "Presenter"}, {"name": "ann"}, {"name": "ben"}]})).await;
    place.until_phase("call", Phase::Open).await;
    let pia = place.invite("call", "pia").await;
    // A guest who is added by a Presenter, and one by hand, whom the Room has yet to own.
    let added = stage.post("/v1/guests", &pia, Some(json!({"displayName": "Eve", "role": "Attendee"}))).await;
    assert_eq!(added.status, 201, "{added:?}");
    let withdrawn = stage.post("/v1/guests", &pia, Some(json!({"displayName": "Max"}))).await;
    let path = format!("/v1/guests/{}", withdrawn.body["name"].as_str().expect("a name"));
    assert_eq!(stage.delete(&path, &pia).await.status, 204);
    let removals = Api::<RoomRemoval>::namespaced(stage.admin.clone(), &place.namespace);
    let guests = Api::<RoomGuest>::namespaced(stage.admin.clone(), &place.namespace);
    let by_hand = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "irina"},
        "spec": {"roomName": "call", "displayName": "Irina", "role": "Attendee"}});
    let by_hand: RoomGuest = serde_json::from_value(by_hand).expect("a guest");
    guests.create(&PostParams::default(), &by_hand).await.expect("the guest is accepted");
    eventually(PATIENCE, async || {
        let guests = guests.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let welcome = |guest: &RoomGuest| guest.metadata.owner_references.is_some() && guest.status.is_some();
        if guests.len() == 2 && guests.iter().all(welcome) { Ok(()) } else { Err(format!("{guests:?}")) }
    })
    .await;
    // Once let in again, and once kept out to the end.
    for readmitted in [true, false] {
        let ann = place.invite("call", "ann").await;
        let client = Caller::join(&stage.credentials(&ann).await, &[]).await.expect("in the call");
        assert_eq!(stage.post("/v1/participants/ann/remove", &pia, None).await.status, 204);
        client.event("disconnected").await;
        if readmitted {
            assert_eq!(stage.delete("/v1/removals/ann", &pia).await.status, 204);
        }
    }
    for suspend in [true, false] {
        place.edit("call", json!({"suspend": suspend})).await;
        place.until_phase("call", if suspend { Phase::Suspended } else { Phase::Open }).await;
    }
    // One invite is replaced, another withdrawn.
    place.edit("call", json!({"participants": [{"name": "pia", "role": "Presenter"}, {"name": "ann", "inviteGeneration": 1}]})).await;
    place.until_phase("call", Phase::Open).await;
    // The end, with which the guest and the removal of the Presenter go, and the deletion after it.
    place.edit("call", json!({"validUntil": in_seconds(1)})).await;
    eventually(PATIENCE, async || {
        let left = guests.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.len();
        let removed = removals.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.len();
        if (left, removed) == (1, 0) { Ok(()) } else { Err(format!("{left} guests, {removed} removals")) }
    })
    .await;
    place.edit("call", json!({"ttlSecondsAfterExpired": 0})).await;
    place.until_gone("call", PATIENCE).await;
}

#[test]
fn all_that_is_granted_for_a_cluster_is_used_and_nothing_else_is_asked_for() {
    run(held_to_what_is_used(true));
}

#[test]
fn all_that_is_granted_for_some_namespaces_is_used_and_nothing_else_is_asked_for() {
    run(held_to_what_is_used(false));
}

async fn held_to_what_is_used(whole: bool) {
    let Installation { stage, class, namespace } = Installation::start(whole).await;
    walk(&stage, namespace).await;
    // The class is in trouble for a while, which its status tells.
    let classes = Api::<RoomClass>::all(stage.admin.clone());
    let wrong = Patch::Merge(json!({"spec": {"backend": {"liveKit": {"credentialsSecretRef": {"name": "nowhere"}}}}}));
    classes.patch(&class, &PatchParams::default(), &wrong).await.expect("the edit is accepted");
    stage.class_reason(&class, "Misconfigured").await;

    let grants = granted(&stage.admin).await;
    assert!(grants.len() > 25, "only {} grants found", grants.len());
    eventually(PATIENCE, async || {
        let asked = requests(stage.cluster.audit());
        let unused: Vec<&Grant> = grants.iter().filter(|grant| !asked.iter().any(|request| request.uses(grant))).collect();
        if unused.is_empty() { Ok(()) } else { Err(format!("granted and not used: {unused:#?}")) }
    })
    .await;
    let refused: Vec<Request> = requests(stage.cluster.audit()).into_iter().filter(Request::is_forbidden).collect();
    assert!(refused.is_empty(), "asked for and not granted: {refused:#?}");
}

#[test]
fn nobody_may_read_invites_or_bend_permissions() {
    run(async {
        let cluster = Cluster::shared().await;
        for grant in granted(&cluster.admin().await).await {
            let reads = ["get", "list", "watch", "deletecollection"].contains(&grant.verb.as_str());
            let everywhere = grant.namespace.is_none();
            assert!(!(everywhere && reads && grant.resource == "secrets"), "{grant:?} shows invites");
            assert!(!["impersonate", "bind", "escalate"].contains(&grant.verb.as_str()), "{grant:?}");
            assert!(!["pods/exec", "serviceaccounts/token", "roles", "clusterroles"].contains(&grant.resource.as_str()), "{grant:?}");
        }
        let view: Value = role(cluster, "roomkeeper-view");
        let edit: Value = role(cluster, "roomkeeper-edit");
        for rule in [&view, &edit].into_iter().flat_map(|role| role["rules"].as_array().expect("rules")) {
            assert_eq!(rule["apiGroups"], json!(["roomkeeper.io"]));
            assert_eq!(rule["resources"], json!(["rooms", "roomguests", "roomremovals"]), "no status, no class, no Secret");
        }
        assert_eq!(view["rules"][0]["verbs"], json!(["get", "list", "watch"]));
    });
}

fn role(cluster: &Cluster, name: &str) -> Value {
    let output = cluster.kubectl(&["get", "clusterrole", name, "-o", "json"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
