//! Whether the admission policy of the chart holds this account to invites: RBAC cannot, so who does without it is told.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, Error};
use tokio::time::sleep;

use super::request::timed;
use crate::cluster::post_params;

/// Type of a Secret that the policy does not allow. It is never made: the request is a dry run.
const FORBIDDEN_TYPE: &str = "roomkeeper.io/not-allowed";
/// What the policy says when it refuses it.
const REFUSAL: &str = "may write and delete invites alone";
/// A policy is in force a moment after it was made, which may be just now.
const LOOKS: u32 = 10;
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Logs whether the policy is in force.
pub async fn report(client: Client, operator_namespace: String) {
    let api = Api::<Secret>::namespaced(client, &operator_namespace);
    for look in 1..=LOOKS {
        match is_in_force(&api).await {
            Ok(true) => return tracing::info!("the admission policy holds the controller's account to invites"),
            Ok(false) if look == LOOKS => tracing::warn!(
                "no admission policy holds the controller's account to invites: whoever has its token can overwrite and delete every Secret \
                 that its role reaches, and read those that have a finalizer; set admissionPolicy.enabled of the chart"
            ),
            Err(error) if look == LOOKS => {
                tracing::warn!(%error, "whether an admission policy holds the controller's account to invites cannot be told");
            }
            Ok(false) | Err(_) => {}
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether the policy refuses what it has to refuse.
async fn is_in_force(api: &Api<Secret>) -> Result<bool, Error> {
    let metadata = ObjectMeta { generate_name: Some("admission-policy-".into()), ..ObjectMeta::default() };
    let secret = Secret { metadata, type_: Some(FORBIDDEN_TYPE.into()), ..Secret::default() };
    match timed(api.create(&PostParams { dry_run: true, ..post_params() }, &secret)).await {
        Ok(_) => Ok(false),
        Err(Error::Api(status)) if status.message.contains(REFUSAL) => Ok(true),
        Err(error) => Err(error),
    }
}
