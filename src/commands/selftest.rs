//! The test of an installation, run by `helm test`: it creates a Room, joins it through the gateway, checks whether media get through, and
//! deletes it.

use std::time::Duration;

use is::Protocol;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::api::{Phase, Room, invite_secret_name};
use crate::args::SelftestArgs;
use crate::backend::{MediaCheck, RelayCheck, media_check, relay_checks};
use crate::cluster::{REQUEST_TIMEOUT, post_params};
use crate::error_chain::display_chain;

/// What the gateway calls a call that LiveKit holds.
const LIVEKIT: &str = "liveKit";
/// How long each step may take.
const TIMEOUT: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(250);
const PARTICIPANT: &str = "helm";

/// Which step failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refuses or does not answer.
    #[error("{0}: {1}")]
    Cluster(&'static str, #[source] kube::Error),
    /// Something did not happen in time.
    #[error("not within a minute: {0}; last seen: {1}")]
    Late(&'static str, String),
    /// The Secret with the invite is not what it should be.
    #[error("the Secret {0} has no invite")]
    Invite(String),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Media get through by no way.
    #[error("media reach this process by no way: {0}")]
    Media(String),
    /// Relays are set up wrong.
    #[error("relays that people in closed networks need do not work: {0}")]
    Relays(String),
    /// A signal stopped it.
    #[error("the test was stopped")]
    Stopped,
}

/// Runs the test until it ends, or until `stop`. The Room is deleted in any case.
///
/// # Errors
/// The first step that failed.
pub async fn run(client: Client, settings: SelftestArgs, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let rooms = Api::<Room>::namespaced(client.clone(), &settings.namespace);
    // A run that was killed has left its Room.
    delete(&rooms, &settings.name).await?;
    let tested = tokio::select! {
        result = call(&client, &rooms, &settings) => result,
        () = stop => Err(Failure::Stopped),
    };
    let deleted = delete(&rooms, &settings.name).await;
    tested?;
    deleted?;
    tracing::info!("the test has passed");
    Ok(())
}

async fn call(client: &Client, rooms: &Api<Room>, settings: &SelftestArgs) -> Result<(), Failure> {
    let SelftestArgs { namespace, name, gateway, room_class, .. } = settings;
    let room = json!({
        "apiVersion": "roomkeeper.io/v1alpha1",
        "kind": "Room",
        "metadata": {"name": name},
        // The Room goes by itself, if this process is killed before it deletes it.
        "spec": {"displayName": "Test of the installation", "duration": "2m", "ttlSecondsAfterExpired": 0, "roomClassName": room_class,
            "participants": [{"name": PARTICIPANT}]},
    });
    let room: Room = serde_json::from_value(room).map_err(|error| Failure::Cluster("the Room", kube::Error::SerdeError(error)))?;
    rooms.create(&post_params(), &room).await.map_err(|error| Failure::Cluster("the Room cannot be made", error))?;
    tracing::info!("made the Room {namespace}/{name}");

    let is_open = async || {
        let room = rooms.get(name).await.map_err(|error| error.to_string())?;
        let status = room.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let said = ready.map(|ready| format!("Ready={} {}: {}", ready.status, ready.reason, ready.message)).unwrap_or_default();
        if status.phase == Phase::Open && ready.is_some_and(|ready| ready.status == "True") { Ok(()) } else { Err(said) }
    };
    until("the Room is Open and Ready", is_open).await?;
    tracing::info!("the Room is Open and Ready");

    let secret_name = invite_secret_name(name, PARTICIPANT);
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let secret = secrets.get(&secret_name).await.map_err(|error| Failure::Cluster("the invite cannot be read", error))?;
    let invite = secret.data.and_then(|mut data| data.remove("invite")).and_then(|invite| String::from_utf8(invite.0).ok());
    let invite = invite.ok_or(Failure::Invite(secret_name))?;
    tracing::info!("read the invite");

    let http = reqwest::Client::builder().tls_backend_preconfigured(crate::tls::client()?).no_proxy().timeout(REQUEST_TIMEOUT).build()?;
    // The gateway may see the Room a moment later than this process.
    let joined = async || {
        let answer = http.post(format!("{gateway}/v1/join")).bearer_auth(&invite).send().await.map_err(|error| display_chain(&error))?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let joined = body["token"].as_str().map(|token| (token.to_owned(), body["kind"] == LIVEKIT));
        joined.filter(|_| status.is_success()).ok_or_else(|| format!("{status}, {}", body["type"].as_str().unwrap_or("no problem named")))
    };
    let (token, is_livekit) = until("the gateway lets the participant in", joined).await?;
    tracing::info!("joined through {gateway}");
    if !is_livekit {
        tracing::info!("the call is held by a service that Roomkeeper has no client of: whether media get through is not tried");
        return Ok(());
    }

    if !settings.direct {
        let accepted = async || {
            let asked = http.get(format!("{gateway}/rtc/validate")).bearer_auth(&token).send().await;
            let status = asked.map_err(|error| display_chain(&error))?.status();
            if status.is_success() { Ok(()) } else { Err(status.to_string()) }
        };
        until("the media server takes the participant", accepted).await?;
        tracing::info!("the media server takes the participant");
    }
    media_get_through(&http, settings, &invite).await?;
    relays_work(&http, settings, &invite).await
}

/// Tells which relays (TURN) give people a place. One that is set up wrong is a fault; one that does not answer may be out of reach from here alone.
async fn relays_work(http: &reqwest::Client, settings: &SelftestArgs, invite: &str) -> Result<(), Failure> {
    let found = match way(http, &settings.gateway, invite).await {
        Ok(Way { url, token }) => relay_checks(http, &url, &token).await,
        Err(error) => Err(error),
    };
    let mut wrong = Vec::new();
    match found {
        Ok(relays) => {
            for (relay, found) in relays {
                match found {
                    RelayCheck::Works => tracing::info!("the relay {relay} gives a place"),
                    RelayCheck::Unanswered => tracing::warn!("the relay {relay} does not answer"),
                    RelayCheck::Refused => wrong
                        .push(format!("the relay {relay} gives no place: its credentials are wrong or have run out, or it has none left")),
                    RelayCheck::Untrusted(reason) => wrong.push(format!("the certificate of the relay {relay} is not trusted: {reason}")),
                }
            }
        }
        Err(error) => tracing::warn!("relays could not be checked: {error}"),
    }
    for fault in &wrong {
        tracing::warn!("{fault}");
    }
    if settings.require_media && !wrong.is_empty() { Err(Failure::Relays(wrong.join("; "))) } else { Ok(()) }
}

/// Tells by which protocols media get through.
async fn media_get_through(http: &reqwest::Client, settings: &SelftestArgs, invite: &str) -> Result<(), Failure> {
    let mut blocked = Vec::new();
    let mut get_through = false;
    for (name, protocol) in [("UDP", Protocol::Udp), ("TCP", Protocol::Tcp)] {
        let found = match media_by(http, &settings.gateway, invite, protocol).await {
            Ok(MediaCheck::Connected { place }) => {
                tracing::info!("media get through by {name}, to {place}");
                get_through = true;
                continue;
            }
            Ok(MediaCheck::Unanswered { places }) => format!("by {name} there is no answer from {}", Vec::from_iter(places).join(", ")),
            Ok(MediaCheck::NotOffered) => format!("the media server offers nothing by {name}"),
            Err(error) => format!("{name} could not be checked: {error}"),
        };
        tracing::warn!("{found}");
        blocked.push(found);
    }
    if settings.require_media && !get_through { Err(Failure::Media(blocked.join("; "))) } else { Ok(()) }
}

/// Whether media get through by one protocol, as the holder of the invite is told to find out.
async fn media_by(http: &reqwest::Client, gateway: &str, invite: &str, protocol: Protocol) -> Result<MediaCheck, String> {
    let Way { url, token } = way(http, gateway, invite).await?;
    media_check(http, &url, &token, protocol).await
}

/// What a check connects to.
struct Way {
    url: String,
    token: String,
}

async fn way(http: &reqwest::Client, gateway: &str, invite: &str) -> Result<Way, String> {
    let asked =
        async || http.post(format!("{gateway}/v1/connection-check")).bearer_auth(invite).send().await?.error_for_status()?.json().await;
    let way: Value = asked().await.map_err(|error| display_chain(&error))?;
    let url = way["url"].as_str().filter(|_| way["signalling"] == "Direct").unwrap_or(gateway).to_owned();
    Ok(Way { url, token: way["token"].as_str().unwrap_or_default().to_owned() })
}

/// Deletes the Room, if it is there, and waits until it is gone.
async fn delete(rooms: &Api<Room>, name: &str) -> Result<(), Failure> {
    let Some(room) = rooms.get_opt(name).await.map_err(|error| Failure::Cluster("the Room cannot be looked at", error))? else {
        return Ok(());
    };
    match rooms.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        other => drop(other.map_err(|error| Failure::Cluster("the Room cannot be deleted", error))?),
    }
    let is_gone = async || match rooms.get_opt(name).await.map_err(|error| error.to_string())? {
        Some(now) if now.uid() == room.uid() => Err("it is still there".to_owned()),
        _ => Ok(()),
    };
    until("the Room is gone after its deletion", is_gone).await?;
    tracing::info!("deleted the Room");
    Ok(())
}

/// Polls until `poll` gives a result, and says of a timeout what was seen last.
async fn until<T>(what: &'static str, mut poll: impl AsyncFnMut() -> Result<T, String>) -> Result<T, Failure> {
    let mut last = "nothing".to_owned();
    let polling = async {
        loop {
            match poll().await {
                Ok(found) => break found,
                Err(seen) => last = seen,
            }
            sleep(POLL_EVERY).await;
        }
    };
    let found = timeout(TIMEOUT, polling).await;
    found.map_err(|_| Failure::Late(what, last))
}
