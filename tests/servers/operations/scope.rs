//! Installations that look after some namespaces only.

use std::collections::BTreeSet;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, ask, in_seconds};
use crate::support::{eventually, run};

#[test]
fn with_watched_namespaces_rooms_elsewhere_are_neither_touched_nor_joined() {
    run(async {
        let mut stage = Stage::start().await;
        let (ours, more, theirs) = (stage.cluster.namespace().await, stage.cluster.namespace().await, stage.cluster.namespace().await);
        stage.place_in(theirs.clone()).apply("known", json!({"participants": [{"name": "ada"}]})).await;
        stage.place_in(theirs.clone()).until_phase("known", Phase::Open).await;
        let known = stage.place_in(theirs.clone()).invite("known", "ada").await;
        for role in [&mut stage.controller, &mut stage.gateway] {
            role.process.signal("KILL");
            role.process.ended(PATIENCE).await;
        }
        let watched = format!("--watch-namespaces={ours},{more}");
        let controller = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let gateway = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let skip = stage.cluster.audit().len();
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        let controller = Role::controller_with(&controller, &url, &["--leader-elect=false", &watched]).await;
        let gateway = Role::gateway_with(&gateway, free_port(), &[&watched]).await;
        for namespace in [&ours, &more] {
            let place = stage.place_in(namespace.clone());
            place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
            place.until_phase("call", Phase::Open).await;
            let invite = place.invite("call", "ada").await;
            let answer = ask(gateway.port, "POST", "/v1/join", &invite, None).await.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let elsewhere = stage.place_in(theirs.clone());
        elsewhere.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let answer = ask(gateway.port, "POST", "/v1/join", &known, None).await.expect("an answer");
        assert_eq!(answer.problem(), "invalid-invite", "{answer:?}");
        // What came after it in a watched namespace has been seen to.
        stage.place_in(ours.clone()).apply("later", json!({"validUntil": in_seconds(600)})).await;
        stage.place_in(ours.clone()).until_phase("later", Phase::Open).await;
        assert_eq!(elsewhere.rooms().get("call").await.expect("the Room").metadata.finalizers, None);
        let asked: BTreeSet<String> = stage
            .cluster
            .audit()
            .iter()
            .skip(skip)
            .filter(|event| event["user"]["username"].as_str().is_some_and(|user| user.contains(":roomkeeper-")))
            .filter_map(|event| event["objectRef"]["namespace"].as_str().map(str::to_owned))
            .collect();
        assert!(!asked.contains(&theirs), "{asked:?}");
        assert_eq!(controller.metric("roomkeeper_rooms{phase=\"Open\"}").await, Some(3.0));
        eventually(PATIENCE, async || if controller.probes().await == (true, true) { Ok(()) } else { Err("not well") }).await;
    });
}

#[test]
fn rooms_of_another_installation_are_left_to_it_where_both_see_them() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        stage.class("of-another", &stage.livekit, json!({"controllerName": "example.org/meetings"})).await;
        place.apply("theirs", json!({"roomClassName": "of-another", "participants": [{"name": "ada"}]})).await;
        // What came after it has been seen to.
        place.apply("ours", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("ours", Phase::Open).await;
        let untouched = place.rooms().get("theirs").await.expect("the Room");
        assert_eq!(untouched.metadata.finalizers, None);
        assert_eq!(untouched.status.unwrap_or_default().observed_generation, None, "nobody judges it for want of a class");

        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let url = format!("http://127.0.0.1:{}", stage.gateway.port);
        let _other = Role::controller_with(&account, &url, &["--leader-elect=false", "--controller-name=example.org/meetings"]).await;
        stage.class_reason("of-another", "Reconciled").await;
        let theirs = place.until_phase("theirs", Phase::Open).await;
        // Every change is seen by both: of a Room with a class, of one that takes the default, and of one whose class nobody has.
        for (name, suspend) in [("theirs", true), ("ours", true), ("theirs", false), ("ours", false)] {
            place.edit(name, json!({"suspend": suspend})).await;
            place.until_phase(name, if suspend { Phase::Suspended } else { Phase::Open }).await;
        }
        place.apply("default", json!({"participants": [{"name": "ada"}]})).await;
        assert_eq!(
            place.until_phase("default", Phase::Open).await.status.and_then(|status| status.room_class_name).as_deref(),
            Some("livekit")
        );
        place.apply("nobodys", json!({"roomClassName": "nowhere"})).await;
        place.until_not("nobodys", "Accepted", "ClassNotFound").await;
        // A Room that is judged for want of a class has a warning; the last one shows that it comes.
        let events = Api::<Event>::namespaced(stage.admin.clone(), &place.namespace);
        let warned = eventually(PATIENCE, async || {
            let events = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            let warnings = events.into_iter().filter(|event| event.type_.as_deref() == Some("Warning"));
            let told: BTreeSet<String> =
                warnings.filter_map(|event| Some(format!("{} {}", event.regarding?.name?, event.reason?))).collect();
            if told.contains("nobodys NotAccepted") { Ok(told) } else { Err(format!("{told:?}")) }
        })
        .await;
        assert_eq!(warned, BTreeSet::from(["nobodys NotAccepted".to_owned()]));
        assert_eq!(theirs.status.and_then(|status| status.room_class_name).as_deref(), Some("of-another"));
        place.delete("theirs").await;
        place.until_gone("theirs", PATIENCE).await;
    });
}
