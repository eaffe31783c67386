//! Whoever steals the controller's token gets at invites, and at no other Secret.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::support::cluster::{OPERATOR_NAMESPACE, client};
use crate::support::stage::{PATIENCE, Stage, value};
use crate::support::{eventually, run};

/// What the policy of the chart says of what it refuses.
const REFUSAL: &str = "the controller of Roomkeeper may write and delete invites alone";
/// What nobody else may see.
const CONTENT: &str = "what only its owner may see";

fn secret(name: &str, kind: &str, account: Option<&str>) -> Secret {
    let annotations = account.map(|account| json!({"kubernetes.io/service-account.name": account}));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name, "annotations": annotations}});
    serde_json::from_value(secret).expect("a Secret")
}

/// The refusal; a success, or another error, is a failure of the test.
fn refused<T>(what: &str, answer: kube::Result<T>) {
    match answer {
        Err(kube::Error::Api(status)) => {
            assert!(status.code == 422 && status.message.contains(REFUSAL), "{what}: {status:?}");
            assert!(!format!("{status:?}").contains(CONTENT), "{what}: the refusal shows the Secret");
        }
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what}: was not refused"),
    }
}

/// Everything that a thief would try with Secrets of a namespace, one of which is `name`.
async fn attempts(thief: &Client, namespace: &str, name: &str, account: &str) {
    let secrets = Api::<Secret>::namespaced(thief.clone(), namespace);
    let create = PostParams::default();
    let token = secret("token", "kubernetes.io/service-account-token", Some(account));
    refused("a token for another account", secrets.create(&create, &token).await);
    let mine = secret(name, "roomkeeper.io/invite", None);
    for (what, params) in [("content of one's own", create.clone()), ("the same, tried dry", PostParams { dry_run: true, ..create })] {
        refused(what, secrets.replace(name, &params, &secret(name, "Opaque", None)).await);
        // The API server itself refuses another type.
        let refusal = secrets.replace(name, &params, &mine).await.expect_err("a Secret becomes an invite");
        assert!(matches!(&refusal, kube::Error::Api(status) if status.code == 422), "{refusal}");
        assert!(!format!("{refusal:?}").contains(CONTENT), "{what}: the refusal shows the Secret");
    }
    let nothing = Patch::Merge(json!({"metadata": {"labels": "x"}}));
    let refusal = secrets.patch(name, &PatchParams::default(), &nothing).await.expect_err("a patch");
    assert!(matches!(&refusal, kube::Error::Api(status) if status.is_forbidden()), "{refusal}");
    for (what, params) in [("a deletion", DeleteParams::default()), ("the same, tried dry", DeleteParams::default().dry_run())] {
        refused(what, secrets.delete(name, &params).await);
    }
}

#[test]
fn a_stolen_token_of_the_controller_shows_no_secret_and_makes_no_other_token() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let thief = client(&stage.cluster.account_kubeconfig("roomkeeper-controller").await).await;
        let owners = Api::<Secret>::namespaced(stage.admin.clone(), &place.namespace);
        let accounts = Api::<ServiceAccount>::namespaced(stage.admin.clone(), &place.namespace);
        let account: Value = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}});
        accounts.create(&PostParams::default(), &serde_json::from_value(account).expect("an account")).await.expect("the account");
        let mut password = secret("password", "Opaque", None);
        password.string_data = Some([("password".to_owned(), CONTENT.to_owned())].into());
        let password = owners.create(&PostParams::default(), &password).await.expect("a Secret of somebody else");
        // A policy is in force a moment after it was made.
        let thiefs = Api::<Secret>::namespaced(thief.clone(), &place.namespace);
        let other = secret("other", "Opaque", None);
        eventually(PATIENCE, async || match thiefs.create(&PostParams::default(), &other).await {
            Err(kube::Error::Api(status)) if status.message.contains(REFUSAL) => Ok(()),
            Ok(_) => Err(format!("made: {:?}", owners.delete("other", &DeleteParams::default()).await.map(drop))),
            Err(error) => Err(error.to_string()),
        })
        .await;

        attempts(&thief, &place.namespace, "password", "deployer").await;
        let kept = owners.get("password").await.expect("it is still there");
        assert_eq!(kept.metadata.resource_version, password.metadata.resource_version, "and untouched");
        assert_eq!(value(&kept, "password"), CONTENT);
        attempts(&thief, OPERATOR_NAMESPACE, "roomkeeper-invite-keys", "roomkeeper-gateway").await;

        // The controller's own work is not in the way of it.
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        place.edit("call", json!({"participants": [{"name": "ada", "inviteGeneration": 1}]})).await;
        place.until("call", |status| status.participants.len() == 1).await;
        assert!(place.invite_secret("call", "ben").await.is_none());
        place.invite("call", "ada").await;
    });
}
