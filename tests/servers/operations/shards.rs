//! Several controllers that work at the same time, each on the Rooms of some of the namespaces.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::{PolicyRule, Role as KubernetesRole, RoleBinding, RoleRef, Subject};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use roomkeeper::api::{Phase, RoomClass};
use roomkeeper::cluster::Shard;
use serde_json::json;

use crate::operations::leader::leads;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, session};
use crate::support::{eventually, now, run};

/// Sweeps in which a session that belonged to nobody would have been closed: it has to be seen twice.
const SWEEPS: f64 = 3.0;
/// Namespaces that are made until both shards have one.
const NAMESPACES: usize = 40;

/// What the chart lets a controller do with the Lease of the second shard.
async fn allow_second_lease(stage: &Stage) {
    let metadata = || ObjectMeta { name: Some("second-shard".into()), ..ObjectMeta::default() };
    let rule = PolicyRule {
        api_groups: Some(vec!["coordination.k8s.io".into()]),
        resources: Some(vec!["leases".into()]),
        resource_names: Some(vec!["roomkeeper-controller-1".into()]),
        verbs: vec!["get".into(), "update".into()],
        ..PolicyRule::default()
    };
    let allowed = KubernetesRole { metadata: metadata(), rules: Some(vec![rule]) };
    let account = Subject {
        kind: "ServiceAccount".into(),
        name: "roomkeeper-controller".into(),
        namespace: Some(OPERATOR_NAMESPACE.into()),
        ..Subject::default()
    };
    let role_ref = RoleRef { api_group: "rbac.authorization.k8s.io".into(), kind: "Role".into(), name: "second-shard".into() };
    let binding = RoleBinding { metadata: metadata(), role_ref, subjects: Some(vec![account]) };
    let roles = Api::<KubernetesRole>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
    roles.create(&PostParams::default(), &allowed).await.expect("a Role");
    let bindings = Api::<RoleBinding>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
    bindings.create(&PostParams::default(), &binding).await.expect("a RoleBinding");
}

async fn candidate(stage: &Stage) -> Role {
    let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
    Role::controller_with(&account, &format!("http://127.0.0.1:{}", stage.gateway.port), &["--shards=2"]).await
}

/// A namespace of each shard.
async fn place_of_each(stage: &Stage) -> [Place<'_>; 2] {
    let mut places = [None, None];
    for _ in 0..NAMESPACES {
        let place = stage.place().await;
        let number = usize::from(Shard::new(1, 2).has(&place.namespace));
        places[number].get_or_insert(place);
        if let [Some(_), Some(_)] = &places {
            break;
        }
    }
    places.map(|place| place.expect("a namespace of each shard"))
}

#[test]
fn two_controllers_share_the_rooms_by_namespace_and_one_that_was_killed_is_replaced_by_the_one_that_stands_by_for_both() {
    run(async {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        allow_second_lease(&stage).await;
        let mut first = candidate(&stage).await;
        leads(&first).await;
        let second = candidate(&stage).await;
        leads(&second).await;
        let standby = candidate(&stage).await;
        assert_eq!(standby.metric("roomkeeper_leader").await, Some(0.0));
        assert_eq!(standby.metric("roomkeeper_shards").await, Some(2.0));

        let places = place_of_each(&stage).await;
        for place in &places {
            place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
            place.until_phase("call", Phase::Open).await;
        }
        let open = "roomkeeper_rooms{phase=\"Open\"}";
        // A status is there before the controllers' own watches have brought it.
        eventually(PATIENCE, async || match (first.metric(open).await, second.metric(open).await) {
            (Some(1.0), Some(1.0)) => Ok(()),
            rooms => Err(format!("{rooms:?} open Rooms: each has its own")),
        })
        .await;
        let people = [places[0].joined("call", "ada", &[]).await, places[1].joined("call", "ada", &[]).await];
        let sessions =
            [session(&places[0].until_phase("call", Phase::Open).await), session(&places[1].until_phase("call", Phase::Open).await)];
        first.sweeps(SWEEPS).await;
        second.sweeps(SWEEPS).await;
        for controller in [&first, &second] {
            let orphans = controller.metric("roomkeeper_orphaned_sessions{class=\"livekit\"}").await;
            assert_eq!(orphans, Some(0.0), "nobody takes the sessions of the other for orphans");
        }
        for (place, before) in places.iter().zip(&sessions) {
            assert_eq!(&session(&place.until_phase("call", Phase::Open).await), before, "and none is closed");
        }
        let classes = Api::<RoomClass>::all(stage.admin.clone());
        eventually(PATIENCE, async || match classes.get("livekit").await.expect("the class").status.and_then(|status| status.rooms) {
            Some(2) => Ok(()),
            other => Err(format!("{other:?} Rooms are counted")),
        })
        .await;

        first.process.signal("KILL");
        let killed_at = now();
        // That of the other goes on meanwhile.
        places[1].edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        places[1].until("call", |status| status.participants.iter().any(|entry| entry.name == "eve")).await;
        let took = Duration::try_from(leads(&standby).await.duration_since(killed_at)).expect("a time");
        println!("the shard of a controller that was killed is taken over after {:.1} s", took.as_secs_f64());
        assert!(took <= Duration::from_secs(15), "{took:?}");
        places[0].edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        places[0].until("call", |status| status.participants.iter().any(|entry| entry.name == "eve")).await;
        for person in &people {
            let lost = |event: &serde_json::Value| event["event"] == "disconnected";
            assert!(!person.events().iter().any(lost), "{:?}", person.events());
        }
        for place in &places {
            place.delete("call").await;
            place.until_gone("call", PATIENCE).await;
        }
    });
}
