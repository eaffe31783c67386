//! Classes on the service, beside others.

use std::time::Duration;

use kube::Api;
use roomkeeper::api::{Phase, RoomClass};
use serde_json::json;

use super::{AZURE, AzureStage, apply_class, make_class};
use crate::support::acs::{AcsServer, Fault};
use crate::support::stage::Stage;
use crate::support::{eventually, run};

#[test]
fn a_class_says_what_its_media_server_can_do_and_has_one_backend() {
    run(async {
        let azure = AzureStage::shared().await;
        let classes = Api::<RoomClass>::all(azure.stage.admin.clone());
        let capabilities = async |name: &str| classes.get(name).await.expect("the class").status.expect("a status").capabilities;
        assert_eq!(capabilities(AZURE).await, ["LiveRoles", "LiveRemoval", "TypedSources", "PstnDialOut"]);
        let class = classes.get(AZURE).await.expect("the class");
        let on_azure = json!(class.spec.backend.azure_communication_services);
        let live_kit = json!({"url": "http://livekit:7880", "credentialsSecretRef": {"name": "livekit"}});
        for (spec, named) in [
            (json!({"backend": {"liveKit": live_kit, "azureCommunicationServices": on_azure}}), "exactly one backend"),
            (json!({"backend": {}}), "exactly one backend"),
            (json!({"backend": {"azureCommunicationServices": on_azure}, "media": {"audioOnly": true}}), "spec.media"),
            (
                json!({"backend": {"azureCommunicationServices": on_azure}, "session": {"provision": "OnFirstJoin"}}),
                "spec.session.provision",
            ),
        ] {
            let refused = apply_class(&azure.stage, "both", spec).await.expect_err("refused").to_string();
            assert!(refused.contains(named), "{refused}");
        }
    });
}

#[test]
fn a_wrong_key_and_a_missing_right_are_told_in_the_class() {
    run(async {
        let stage = Stage::start().await;
        let server = AcsServer::start().await;
        make_class(&stage, AZURE, &server).await;
        stage.class_reason(AZURE, "Refused").await;
        let classes = Api::<RoomClass>::all(stage.admin.clone());
        let status = classes.get(AZURE).await.expect("the class").status.expect("a status");
        let told = &status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("told").message;
        assert!(told.contains("azureCommunicationServices.enabled"), "{told}");
        server.refuse_access(true);
        make_class(&stage, "forbidden", &server).await;
        stage.class_reason("forbidden", "Unauthorized").await;
        let backend = json!({"azureCommunicationServices": {"endpoint": server.endpoint()}});
        apply_class(&stage, "without-key", json!({"backend": backend})).await.expect("accepted");
        stage.class_reason("without-key", "Misconfigured").await;
    });
}

#[test]
fn a_service_that_fails_or_asks_for_fewer_requests_holds_up_no_call_of_another_class() {
    run(async {
        let azure = AzureStage::shared().await;
        let second = AcsServer::start().await;
        make_class(&azure.stage, "failing", &second).await;
        azure.stage.class_reason("failing", "Reconciled").await;
        let place = azure.stage.place().await;
        let faults = [
            Fault::Status { status: 503, code: "ServiceUnavailable", retry_after: None },
            Fault::Status { status: 429, code: "TooManyRequests", retry_after: Some(1) },
            Fault::Silent,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                second.fail_next(method, "/", usize::MAX, fault);
            }
            let stuck = format!("stuck-{number}");
            place.apply(&stuck, json!({"roomClassName": "failing", "participants": [{"name": "ada"}]})).await;
            let people = json!([{"name": "ada"}]);
            for (name, spec) in [
                (format!("on-azure-{number}"), json!({"roomClassName": AZURE, "participants": people})),
                (format!("on-livekit-{number}"), json!({"participants": people})),
            ] {
                place.apply(&name, spec).await;
                place.until_phase(&name, Phase::Open).await;
                place.delete(&name).await;
            }
            second.clear_faults();
            place.until_phase(&stuck, Phase::Open).await;
            place.delete(&stuck).await;
            eventually(Duration::from_secs(30), async || match second.rooms().len() {
                0 => Ok(()),
                rooms => Err(format!("{rooms} rooms are left")),
            })
            .await;
        }
    });
}
