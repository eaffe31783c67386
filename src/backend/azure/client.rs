//! The REST API of Azure Communication Services: Rooms and Identity, as far as they are used.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::credential::{Federated, WorkloadIdentity};
use super::failures::{Refused, classify, malformed, nothing_there, unanswered};
use super::record::RoomSettings;
use super::signature::{http_date, sign};
use crate::api::{Reason, Role};
use crate::clock;
use crate::domain::Failure;
use crate::tls;

/// Versions of the two APIs.
const ROOMS: &str = "api-version=2025-03-13";
const IDENTITY: &str = "api-version=2025-06-30";
const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// How long one request may take: the service answers in a second at most.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Shortest life of a token that the service gives out, in minutes.
const TOKEN_MINUTES: u32 = 60;
/// More pages of a roster are not asked for: a page has 30 people, and there are 350 at most.
const PAGES_OF_PEOPLE: usize = 100;
/// The same of the list of rooms, whose newest come first: the resource may have many more that are not ours.
const PAGES_OF_ROOMS: usize = 20;

/// A resource of Azure Communication Services.
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Url,
    host: String,
    credential: Credential,
}

/// By what requests prove that they may be sent.
enum Credential {
    /// A secret.
    AccessKey(Vec<u8>),
    Federated(Federated),
}

/// A token by which somebody joins calls.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    /// A secret.
    pub token: String,
    pub expires_on: Timestamp,
}

#[derive(Deserialize)]
struct RoomModel {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantModel {
    raw_id: String,
    role: String,
}

#[derive(Deserialize)]
struct IdentityModel {
    identity: RoomModel,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Page<T> {
    value: Vec<T>,
    next_link: Option<String>,
}

impl Client {
    /// The resource at `endpoint`, with one of its access keys. Connects to nothing yet.
    pub(super) fn with_key(endpoint: &str, access_key: &str) -> Result<Self, Failure> {
        let key = STANDARD.decode(access_key).ok().filter(|key| !key.is_empty());
        let wrong = || Failure::misconfigured(Reason::Misconfigured, "the access key is not what the service gives out: it is no base64");
        Self::new(endpoint, Credential::AccessKey(key.ok_or_else(wrong)?))
    }

    /// The resource at `endpoint`, by a workload identity that has the right to it. Connects to nothing yet.
    pub(super) fn with_identity(endpoint: &str, identity: WorkloadIdentity) -> Result<Self, Failure> {
        Self::new(endpoint, Credential::Federated(Federated::new(identity)))
    }

    fn new(endpoint: &str, credential: Credential) -> Result<Self, Failure> {
        let misconfigured = |message: &str| Failure::misconfigured(Reason::Misconfigured, message);
        let bare = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let endpoint = Url::parse(endpoint).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host() && bare(url));
        let endpoint =
            endpoint.ok_or_else(|| misconfigured("the endpoint must be https:// or http:// with a host and nothing after it"))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client().map_err(|_| misconfigured("TLS cannot be set up for the endpoint"))?)
            .redirect(Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|_| misconfigured("TLS cannot be set up for the endpoint"))?;
        let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", endpoint.host_str().unwrap_or_default());
        Ok(Self { http, endpoint, host, credential })
    }

    /// The endpoint, without a slash at the end.
    pub(super) fn endpoint(&self) -> String {
        self.endpoint.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether the resource answers to the key.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        let _: Page<RoomModel> = self.get(&format!("/rooms?{ROOMS}")).await?.ok_or_else(nothing_there)?;
        Ok(())
    }

    /// Makes a room that can be joined from now on; its id. The same `request`, first sent at the same moment, makes no second one.
    pub(super) async fn create_room(&self, request: &str, first_sent: Timestamp, wanted: RoomSettings) -> Result<String, Failure> {
        let id = repeatability_id(request, first_sent);
        let headers = [("Repeatability-Request-ID", id), ("Repeatability-First-Sent", http_date(first_sent))];
        let body = room_body(wanted);
        let made = self.send(Method::POST, &format!("/rooms?{ROOMS}"), Some((JSON, body)), &headers).await?;
        let room: RoomModel = read(made).await?.ok_or_else(nothing_there)?;
        Ok(room.id)
    }

    /// Whether there is such a room.
    pub(super) async fn has_room(&self, room: &str) -> Result<bool, Failure> {
        Ok(self.send(Method::GET, &room_path(room, ""), None, &[]).await?.is_some())
    }

    /// Has a room be as it is wanted; whether there is such a room.
    pub(super) async fn update_room(&self, room: &str, wanted: RoomSettings) -> Result<bool, Failure> {
        let body = room_body(wanted);
        Ok(self.send(Method::PATCH, &room_path(room, ""), Some((MERGE_PATCH, body)), &[]).await?.is_some())
    }

    /// Deletes a room, if it is there.
    pub(super) async fn delete_room(&self, room: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, &room_path(room, ""), None, &[]).await.map(drop)
    }

    /// The ids of the newest rooms of the resource.
    pub(super) async fn newest_rooms(&self) -> Result<Vec<String>, Failure> {
        let (newest, _): (Vec<RoomModel>, _) = self.list(format!("/rooms?{ROOMS}"), PAGES_OF_ROOMS).await?.ok_or_else(nothing_there)?;
        Ok(newest.into_iter().map(|room| room.id).collect())
    }

    /// The people on the roster of a room, with their roles, if there is such a room. A role that is not known is none.
    pub(super) async fn participants(&self, room: &str) -> Result<Option<Vec<(String, Option<Role>)>>, Failure> {
        let listed: Option<(Vec<ParticipantModel>, bool)> = self.list(room_path(room, "/participants"), PAGES_OF_PEOPLE).await?;
        let Some((people, is_whole)) = listed else { return Ok(None) };
        if !is_whole {
            return Err(malformed());
        }
        Ok(Some(people.into_iter().map(|person| (person.raw_id, role_of(&person.role))).collect()))
    }

    /// Puts people on the roster of a room in these roles, or takes off those who have none; whether there is such a room.
    pub(super) async fn set_participants(&self, room: &str, people: &BTreeMap<String, Option<Role>>) -> Result<bool, Failure> {
        let people: BTreeMap<&str, Value> =
            people.iter().map(|(user, role)| (user.as_str(), role.map_or(Value::Null, |role| json!({ "role": role })))).collect();
        let body = json!({ "participants": people });
        Ok(self.send(Method::PATCH, &room_path(room, "/participants"), Some((MERGE_PATCH, body)), &[]).await?.is_some())
    }

    /// Makes an identity; its id.
    pub(super) async fn create_identity(&self) -> Result<String, Failure> {
        let made = self.send(Method::POST, &format!("/identities?{IDENTITY}"), Some((JSON, json!({}))), &[]).await?;
        let made: IdentityModel = read(made).await?.ok_or_else(nothing_there)?;
        Ok(made.identity.id)
    }

    /// A token of an identity for calls; none if there is no such identity.
    pub(super) async fn issue_token(&self, user: &str) -> Result<Option<AccessToken>, Failure> {
        let body = json!({ "scopes": ["voip"], "expiresInMinutes": TOKEN_MINUTES });
        let path = format!("/identities/{user}/:issueAccessToken?{IDENTITY}");
        read(self.send(Method::POST, &path, Some((JSON, body)), &[]).await?).await
    }

    /// Deletes an identity, if it is there, and makes all its tokens useless.
    pub(super) async fn delete_identity(&self, user: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, &format!("/identities/{user}?{IDENTITY}"), None, &[]).await.map(drop)
    }

    /// The entries of the first `pages` of a list, and whether these are all; none if there is no such list.
    async fn list<T: DeserializeOwned>(&self, first: String, pages: usize) -> Result<Option<(Vec<T>, bool)>, Failure> {
        let (mut entries, mut next) = (Vec::new(), Some(first));
        for _ in 0..pages {
            let Some(path) = next else { break };
            let Some(page) = self.get::<Page<T>>(&path).await? else { return Ok(None) };
            entries.extend(page.value);
            next = page.next_link.map(|link| self.own_path(&link)).transpose()?;
        }
        Ok(Some((entries, next.is_none())))
    }

    /// Path and query of a link to the same endpoint: no other is sent what the key signs.
    fn own_path(&self, link: &str) -> Result<String, Failure> {
        let link = self.endpoint.join(link).ok().filter(|link| link.origin() == self.endpoint.origin()).ok_or_else(malformed)?;
        Ok(path_of(&link))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        read(self.send(Method::GET, path, None, &[]).await?).await
    }

    /// Sends a request with what proves that it may be sent. The answer, if it is a success; none if what it is about does not exist.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Value)>,
        headers: &[(&'static str, String)],
    ) -> Result<Option<Response>, Failure> {
        let url = self.endpoint.join(path).map_err(|_| malformed())?;
        let (content_type, body) = body.map_or((None, String::new()), |(kind, body)| (Some(kind), body.to_string()));
        let mut request = self.http.request(method.clone(), url.clone()).header(HOST, &self.host);
        request = match &self.credential {
            Credential::AccessKey(key) => {
                let signed = sign(key, method.as_str(), &self.host, &path_of(&url), body.as_bytes(), clock::now());
                let request = request.header("x-ms-date", signed.date).header("x-ms-content-sha256", signed.digest);
                request.header(AUTHORIZATION, signed.authorization)
            }
            Credential::Federated(identity) => request.bearer_auth(identity.token(&self.http).await?),
        };
        request = request.body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let answer = request.send().await.map_err(|error| unanswered(&error))?;
        if let (StatusCode::UNAUTHORIZED, Credential::Federated(identity)) = (answer.status(), &self.credential) {
            identity.forget().await;
        }
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            _ => Err(classify(&refused(&answer), clock::now())),
        }
    }
}

/// What a success says, if there was one.
async fn read<T: DeserializeOwned>(answer: Option<Response>) -> Result<Option<T>, Failure> {
    let Some(answer) = answer else { return Ok(None) };
    answer.json().await.map(Some).map_err(|error| if error.is_decode() { malformed() } else { unanswered(&error) })
}

fn refused(answer: &Response) -> Refused {
    let headers: &HeaderMap = answer.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Refused {
        status: answer.status(),
        retry_after: text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        date: text(DATE).and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp()),
    }
}

fn room_body(RoomSettings { until, pstn_dial_out }: RoomSettings) -> Value {
    json!({ "validUntil": until.to_string(), "pstnDialOutEnabled": pstn_dial_out })
}

fn room_path(room: &str, below: &str) -> String {
    format!("/rooms/{room}{below}?{ROOMS}")
}

fn path_of(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn role_of(name: &str) -> Option<Role> {
    serde_json::from_value(Value::from(name)).ok()
}

/// By which the service knows that it has seen a request before: a UUID that follows from what is made.
fn repeatability_id(request: &str, first_sent: Timestamp) -> String {
    let digest: [u8; 32] = Sha256::digest(format!("{request} {first_sent}")).into();
    let mut hex = digest.iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    // A UUID of version 8, whose content is its maker's.
    hex.replace_range(12..13, "8");
    hex.replace_range(16..17, "a");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default().to_owned());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_or_a_key_that_cannot_work_is_refused_by_name() {
        for (endpoint, key, named) in [
            ("contoso.communication.azure.com", "a2V5", "endpoint"),
            ("https://contoso.communication.azure.com/rooms", "a2V5", "endpoint"),
            ("https://user@contoso.communication.azure.com", "a2V5", "endpoint"),
            ("https://contoso.communication.azure.com", "not base64!", "access key"),
            ("https://contoso.communication.azure.com", "", "access key"),
        ] {
            let failure = Client::with_key(endpoint, key).err().expect("must be refused");
            assert!(failure.message.contains(named), "{failure}");
        }
    }

    #[test]
    fn a_link_to_another_place_is_not_followed() {
        let client = Client::with_key("https://contoso.communication.azure.com", "a2V5").unwrap();
        let path = |link| client.own_path(link).ok();
        assert_eq!(path("https://contoso.communication.azure.com/rooms?skip=30"), Some("/rooms?skip=30".to_owned()));
        assert_eq!(path("/rooms?skip=30"), Some("/rooms?skip=30".to_owned()));
        assert_eq!(path("https://elsewhere.example.org/rooms?skip=30"), None);
    }

    #[test]
    fn a_request_that_is_sent_again_has_the_same_id_and_every_other_has_its_own() {
        let id = |request, second| repeatability_id(request, Timestamp::from_second(second).unwrap());
        assert_eq!(id("session", 1), id("session", 1));
        assert!(id("session", 1) != id("session", 2) && id("session", 1) != id("other", 1));
        let shape: Vec<usize> = id("session", 1).split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12]);
    }
}
