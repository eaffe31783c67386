//! By what requests prove that they may be sent: an access key of the resource, or the workload identity of Roomkeeper's pods.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::failures::{transient, unanswered};
use crate::api::Reason;
use crate::clock;
use crate::domain::Failure;

/// What the token is for.
const SCOPE: &str = "https://communication.azure.com//.default";
/// How long before its end a token is renewed.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);

/// A workload identity: Microsoft Entra gives a token for the one that Kubernetes projects into the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadIdentity {
    /// Address of Microsoft Entra, such as `https://login.microsoftonline.com`.
    pub authority: String,
    pub tenant: String,
    /// Client id of the managed identity or application.
    pub client: String,
    /// File with the projected token; Kubernetes renews it.
    pub token_file: PathBuf,
}

impl From<(&str, &str, &str, &PathBuf)> for WorkloadIdentity {
    /// From authority, tenant, client and file.
    fn from((authority, tenant, client, token_file): (&str, &str, &str, &PathBuf)) -> Self {
        let [authority, tenant, client] = [authority, tenant, client].map(str::to_owned);
        Self { authority, tenant, client, token_file: token_file.clone() }
    }
}

/// A token of Microsoft Entra.
#[derive(Deserialize)]
struct Issued {
    /// A secret.
    access_token: String,
    /// Seconds.
    expires_in: u32,
}

/// A workload identity, with the token that it has at the moment.
pub(super) struct Federated {
    identity: WorkloadIdentity,
    /// A secret, and when it is renewed.
    token: Mutex<Option<(String, Timestamp)>>,
}

impl Federated {
    pub(super) fn new(identity: WorkloadIdentity) -> Self {
        Self { identity, token: Mutex::default() }
    }

    /// A token that is good for some time. Those who come at the same time wait for the same one.
    pub(super) async fn token(&self, http: &reqwest::Client) -> Result<String, Failure> {
        let mut known = self.token.lock().await;
        let now = clock::now();
        if let Some((token, _)) = known.as_ref().filter(|(_, renewed_at)| now < *renewed_at) {
            return Ok(token.clone());
        }
        let Issued { access_token, expires_in } = self.ask(http).await?;
        let lasts = Duration::from_secs(expires_in.into()).saturating_sub(RENEWED_BEFORE);
        *known = Some((access_token.clone(), now.saturating_add(lasts).unwrap_or(now)));
        Ok(access_token)
    }

    /// Forgets a token that was refused.
    pub(super) async fn forget(&self) {
        *self.token.lock().await = None;
    }

    async fn ask(&self, http: &reqwest::Client) -> Result<Issued, Failure> {
        let WorkloadIdentity { authority, tenant, client, token_file } = &self.identity;
        let misconfigured = |message: &str| Failure::misconfigured(Reason::Misconfigured, message);
        let assertion = tokio::fs::read_to_string(token_file).await;
        let assertion =
            assertion.map_err(|_| misconfigured("the token of Roomkeeper's workload identity cannot be read: its file is missing"))?;
        let address = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.trim()),
            ("client_id", client),
            ("scope", SCOPE),
        ];
        let wrong = |_| misconfigured("the address of Microsoft Entra is no URL");
        let url = Url::parse(&address).map_err(wrong)?;
        // The encoding of a query is that of a form.
        let encoded = Url::parse_with_params(&address, form).map_err(wrong)?.query().unwrap_or_default().to_owned();
        let request = http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded);
        let answer = request.send().await.map_err(|error| unanswered(&error))?;
        match answer.status() {
            status if status.is_success() => {
                answer.json().await.map_err(|_| transient("Microsoft Entra answers with something that is no token"))
            }
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(Failure::unauthorized("Microsoft Entra refuses the workload identity of Roomkeeper's pods"))
            }
            _ => Err(transient("Microsoft Entra gives no token at the moment")),
        }
    }
}
