//! Canaries: with everything logged, and after a walk through the whole life of a call, no secret is anywhere but where it belongs.

use std::collections::BTreeMap;
use std::fs;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use roomkeeper::api::{LABEL_ROOM, LINK_SUBJECT, Phase};
use roomkeeper::backend::MediaCredentials;
use roomkeeper::domain::generate_key;
use serde_json::{Value, json};

use super::secrets::Secrets;
use crate::operations::traces::receiver;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::http::{Response, exchange, get};
use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, in_seconds, set_credentials, value};
use crate::support::{eventually, now, run};

const KEYS: &str = "roomkeeper-invite-keys";
/// The API secret of a class that its media server refuses.
const REFUSED: &str = "Canary 5b1f that no media server knows, 48 bytes";
/// What is asked of the API server in the end: all that may hold anything, Secrets apart.
const OBJECTS: &str = "rooms,roomclasses,roomguests,roomremovals,events,events.v1.events.k8s.io,leases,configmaps,namespaces";

/// A walk, with the secrets that were met on it and the texts that strangers might read.
struct Walk<'a> {
    stage: &'a Stage,
    secrets: Secrets,
    /// What it is, what it says, and which secrets are in it because it hands them out.
    texts: Vec<(String, String, Vec<String>)>,
}

impl Walk<'_> {
    /// A request to the gateway, whose answer is kept. What an answer hands out is a secret from then on.
    async fn ask(&mut self, method: &str, path: &str, bearer: &str, body: &str) -> Response {
        let port = self.stage.gateway.port;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n");
        let content = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let request = format!("{head}{content}content-length: {}\r\n\r\n{body}", body.len());
        let answer = exchange(("127.0.0.1", port), request.as_bytes()).await.expect("an answer of the gateway");
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let handed_out = [&told["token"], &told["invite"], &told["url"]].into_iter().filter_map(Value::as_str);
        let secret = |text: &str| text.rsplit_once('#').map_or(text, |(_, invite)| invite).to_owned();
        let handed_out: Vec<String> = handed_out.map(secret).filter(|text| text.len() > 100).collect();
        for text in &handed_out {
            self.secrets.add(&format!("what {method} {path} hands out"), text);
        }
        // Tokens in a path or a query are what the caller has sent.
        let path = path.split('?').next().unwrap_or_default();
        self.texts.push((format!("the answer to {method} {path}"), format!("{}\n{}", answer.head, answer.body), handed_out));
        answer
    }

    /// What somebody joins with by this invite, once they can.
    async fn credentials(&mut self, invite: &str, body: &str) -> MediaCredentials {
        let answer = eventually(PATIENCE, async || match self.ask("POST", "/v1/join", invite, body).await {
            answer if answer.status == 200 => Ok(answer),
            answer => Err(format!("{answer:?}")),
        });
        let told: Value = serde_json::from_str(&answer.await.body).expect("JSON");
        let text = |key: &str| told[key].as_str().expect("text").to_owned();
        MediaCredentials::by_token(Some(text("url")), text("token"), now())
    }

    /// All invites of a Room by names, that of the link included. They are secrets from now on.
    async fn invites(&mut self, place: &Place<'_>, room: &str) -> BTreeMap<String, String> {
        let of_room = ListParams::default().labels(&format!("{LABEL_ROOM}={room}"));
        let secrets = place.secrets().list(&of_room).await.expect("the API server answers");
        let is_link = |secret: &Secret| secret.data.as_ref().is_none_or(|data| !data.contains_key("participant"));
        let name = |secret: &Secret| if is_link(secret) { LINK_SUBJECT.to_owned() } else { value(secret, "participant") };
        let invites: BTreeMap<String, String> = secrets.items.iter().map(|secret| (name(secret), value(secret, "invite"))).collect();
        for (name, invite) in &invites {
            self.secrets.add(&format!("the invite of {name}"), invite);
        }
        invites
    }

    /// Keeps what the API server has now, and what both roles show of themselves.
    async fn look(&mut self) {
        let objects = self.stage.cluster.kubectl(&["get", OBJECTS, "--all-namespaces", "--show-managed-fields", "-o", "json"], "");
        assert!(objects.status.success(), "{objects:?}");
        self.texts.push(("the objects".to_owned(), String::from_utf8_lossy(&objects.stdout).into_owned(), Vec::new()));
        for (name, role) in [("controller", &self.stage.controller), ("gateway", &self.stage.gateway)] {
            for path in ["/metrics", "/healthz", "/readyz", "/nowhere"] {
                let answer = get(("127.0.0.1", role.metrics_port), path).await.expect("an answer");
                self.texts.push((format!("{path} of the {name}"), format!("{}\n{}", answer.head, answer.body), Vec::new()));
            }
        }
    }
}

#[test]
fn with_everything_logged_no_secret_is_in_logs_traces_events_statuses_metrics_answers_or_addresses() {
    run(async {
        let (collector, spans) = receiver().await;
        let endpoint = format!("--otlp-endpoint={collector}");
        let stage = Stage::start_with(&["--log=trace", &endpoint]).await;
        let mut walk = Walk { stage: &stage, secrets: Secrets::default(), texts: Vec::new() };
        walk.secrets.add("the API secret", &stage.livekit.options.api_secret);
        walk.secrets.add("the refused API secret", REFUSED);
        for role in ["controller", "gateway"] {
            walk.secrets.add(&format!("the {role}'s own token"), &account_token(&stage, role));
        }
        let place = stage.place().await;
        learn_signing_keys(&mut walk).await;
        media_servers_that_are_no_help(&mut walk, &place).await;
        a_call(&mut walk, &place).await;
        walk.look().await;
        secrets_are_found_where_they_belong(&stage, &place, &walk.secrets);
        bad_tokens(&mut walk, &place).await;
        rotations(&mut walk, &place).await;
        walk.look().await;
        its_end(&mut walk, &place).await;
        walk.look().await;

        let Walk { secrets, mut texts, .. } = walk;
        for (name, role) in [("controller", &stage.controller), ("gateway", &stage.gateway)] {
            let log = role.log();
            assert!(log.contains(" TRACE ") && log.contains("roomkeeper::audit"), "everything is logged");
            texts.push((format!("the log of the {name}"), log, Vec::new()));
        }
        texts.push(("the audit log of the API server".to_owned(), Value::from(stage.cluster.audit()).to_string(), Vec::new()));
        let spans = eventually(PATIENCE, async || {
            let spans = format!("{:?}", spans.lock().expect("unharmed"));
            if spans.contains("POST /v1/join") { Ok(spans) } else { Err("no span of a join") }
        });
        texts.push(("the traces".to_owned(), spans.await, Vec::new()));
        let found: Vec<String> = texts.iter().flat_map(|(what, text, handed_out)| secrets.found_in(what, text, handed_out)).collect();
        assert!(found.is_empty(), "{} times a secret\n{}", found.len(), found.join("\n"));
    });
}

/// The token by which a role speaks to the API server.
fn account_token(stage: &Stage, role: &str) -> String {
    let file = stage.cluster.admin_kubeconfig().with_file_name(format!("kubeconfig-{OPERATOR_NAMESPACE}-roomkeeper-{role}"));
    let kubeconfig: Value = serde_json::from_str(&fs::read_to_string(file).expect("its kubeconfig")).expect("JSON");
    kubeconfig["users"][0]["user"]["token"].as_str().expect("a token").to_owned()
}

/// Takes the keys that sign invites for secrets.
async fn learn_signing_keys(walk: &mut Walk<'_>) {
    let keys = Api::<Secret>::namespaced(walk.stage.admin.clone(), OPERATOR_NAMESPACE).get(KEYS).await.expect("the keys");
    for entry in keys.data.iter().flatten().map(|(entry, _)| entry) {
        let pem = value(&keys, entry);
        walk.secrets.add(&format!("the signing key {entry}"), pem.lines().nth(1).expect("a key in PEM"));
    }
}

/// A media server that refuses the credentials, and one that goes away.
async fn media_servers_that_are_no_help(walk: &mut Walk<'_>, place: &Place<'_>) {
    let stage = walk.stage;
    stage.class("refusing", &stage.livekit, json!({})).await;
    set_credentials(&stage.admin, "refusing", &stage.livekit.options.api_key, REFUSED).await;
    stage.class_reason("refusing", "Unauthorized").await;
    let mut gone = LiveKitServer::start(Options::default()).await;
    stage.class("gone", &gone, json!({})).await;
    place.apply("gone", json!({"roomClassName": "gone", "participants": [{"name": "ada"}]})).await;
    place.until_phase("gone", Phase::Open).await;
    let invite = place.invite("gone", "ada").await;
    walk.invites(place, "gone").await;
    let by = walk.credentials(&invite, "").await.token;
    gone.stop();
    stage.class_reason("gone", "Unreachable").await;
    place.apply("refused", json!({"roomClassName": "refusing", "participants": [{"name": "ada"}]})).await;
    place.until_not("refused", "Ready", "Unauthorized").await;
    for path in ["/v1/join", "/v1/room"] {
        let method = if path == "/v1/join" { "POST" } else { "GET" };
        walk.ask(method, path, &invite, "").await;
    }
    assert_eq!(walk.ask("GET", "/rtc/validate?auto_subscribe=1", &by, "").await.status, 503);
    walk.invites(place, "refused").await;
}

/// People meet, by invites and by the link, and a Presenter does all that Presenters do.
async fn a_call(walk: &mut Walk<'_>, place: &Place<'_>) {
    let people = json!([{"name": "pia", "role": "Presenter"}, {"name": "ada"}, {"name": "ben"}]);
    place.apply("call", json!({"joinPolicy": "AnyoneWithLink", "participants": people})).await;
    place.until_phase("call", Phase::Open).await;
    let invites = walk.invites(place, "call").await;
    let ada = Client::join_telling_tokens(&walk.credentials(&invites["ada"], "").await).await;
    let renewed = ada.event("token-refreshed").await["token"].as_str().expect("a token").to_owned();
    walk.secrets.add("a token that the media server renewed", &renewed);
    let ben = Client::join(&walk.credentials(&invites["ben"], "").await, &["microphone"]).await.expect("in the call");
    let visitor = Client::join(&walk.credentials(&invites["*"], r#"{"displayName": "Ann"}"#).await, &[]).await.expect("in the call");
    let pia = invites["pia"].as_str();
    assert_eq!(walk.ask("POST", "/v1/participants/ben/mute", pia, "").await.status, 204);
    let guest = walk.ask("POST", "/v1/guests", pia, r#"{"displayName": "Eve"}"#).await;
    let guest: Value = serde_json::from_str(&guest.body).expect("JSON");
    let (name, url) = (guest["name"].as_str().expect("a name"), guest["url"].as_str().expect("a link"));
    let eve = walk.credentials(url.split_once('#').expect("an invite").1, "").await;
    let eve = Client::join(&eve, &[]).await.expect("in the call");
    place.until("call", |status| status.participants.iter().any(|entry| entry.name == name)).await;
    walk.invites(place, "call").await;
    walk.ask("GET", "/v1/guests", pia, "").await;
    assert_eq!(walk.ask("DELETE", &format!("/v1/guests/{name}"), pia, "").await.status, 204);
    eve.event("disconnected").await;
    assert_eq!(walk.ask("POST", "/v1/participants/ada/remove", pia, "").await.status, 204);
    ada.event("disconnected").await;
    assert_eq!(walk.ask("POST", "/v1/join", &invites["ada"], "").await.status, 403);
    walk.ask("GET", "/v1/removals", pia, "").await;
    assert_eq!(walk.ask("POST", "/v1/connection-check", pia, "").await.status, 200);
    assert_eq!(walk.ask("DELETE", "/v1/removals/ada", pia, "").await.status, 204);
    for client in [ben, visitor] {
        client.close().await;
    }
}

/// Everything secret where it does not belong, whole and cut.
async fn bad_tokens(walk: &mut Walk<'_>, place: &Place<'_>) {
    let invite = place.invite("call", "ada").await;
    let token = walk.credentials(&invite, "").await.token;
    let spoilt = |secret: &str| format!("{}AA", &secret[..secret.len() - 2]);
    for bearer in [spoilt(&invite), token.clone(), spoilt(&token), format!("{invite}\t{token}")] {
        walk.ask("GET", "/v1/room", &bearer, "").await;
        walk.ask("POST", "/v1/join", &bearer, "").await;
        walk.ask("POST", "/v1/hooks/livekit", &bearer, r#"{"room": {"name": "x"}}"#).await;
    }
    // In addresses, although no client of ours writes one there.
    for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/v1/room", "/v1/guests", "/nowhere", "/"] {
        for secret in [&token, &invite, &spoilt(&token)] {
            walk.ask("GET", &format!("{path}?access_token={secret}"), "", "").await;
        }
    }
    walk.ask("DELETE", &format!("/v1/guests/{invite}"), &invite, "").await;
    walk.ask("POST", &format!("/v1/participants/{token}/mute"), &invite, "").await;
    // In bodies.
    for body in [json!({"displayName": token}), json!({"displayName": 1, "role": invite}), json!({"role": token})] {
        walk.ask("POST", "/v1/guests", &invite, &body.to_string()).await;
        walk.ask("POST", "/v1/join", &invite, &body.to_string()).await;
    }
    // To a gateway that does not know such a header, host or protocol.
    let port = walk.stage.gateway.port;
    for head in [
        format!("GET /rtc HTTP/1.1\r\nhost: a\r\nsec-websocket-protocol: roomkeeper.bearer.{token}, {invite}\r\nconnection: close\r\n\r\n"),
        format!("GET /{token} HTTP/9.9\r\n\r\n"),
        format!("{invite} / HTTP/1.1\r\nhost: {token}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{token}: {invite}\r\nconnection: close\r\n\r\n"),
    ] {
        let answer = exchange(("127.0.0.1", port), head.as_bytes()).await.expect("an answer of the gateway");
        walk.texts.push(("the answer to a request of no form".to_owned(), format!("{}\n{}", answer.head, answer.body), Vec::new()));
    }
}

/// An invite, the link and the key are replaced.
async fn rotations(walk: &mut Walk<'_>, place: &Place<'_>) {
    let before = walk.invites(place, "call").await;
    let people = json!([{"name": "pia", "role": "Presenter"}, {"name": "ada"}, {"name": "ben", "inviteGeneration": 1}]);
    place.edit("call", json!({"participants": people, "link": {"generation": 1}})).await;
    place.until_phase("call", Phase::Open).await;
    let rotated = walk.invites(place, "call").await;
    assert!(rotated["ben"] != before["ben"] && rotated["*"] != before["*"]);
    let (name, pem) = generate_key("99991231");
    let keys = Api::<Secret>::namespaced(walk.stage.admin.clone(), OPERATOR_NAMESPACE);
    keys.patch(KEYS, &PatchParams::default(), &Patch::Merge(json!({"stringData": {name: pem}}))).await.expect("a new key");
    learn_signing_keys(walk).await;
    eventually(PATIENCE, async || {
        let renewed = walk.invites(place, "call").await;
        if renewed["ada"] == rotated["ada"] { Err("the old invite") } else { Ok(()) }
    })
    .await;
    let renewed = walk.invites(place, "call").await;
    walk.credentials(&renewed["ada"], "").await;
    walk.ask("POST", "/v1/join", &before["ben"], "").await;
    let spoilt = json!({"stringData": {"99991232.pem": format!("-----BEGIN {}\n", REFUSED)}});
    keys.patch(KEYS, &PatchParams::default(), &Patch::Merge(spoilt)).await.expect("an entry that is no key");
    let unusable = async |role: &Role| role.metric("roomkeeper_unusable_invite_keys").await.is_some_and(|number| number > 0.5);
    eventually(PATIENCE, async || {
        let told = unusable(&walk.stage.controller).await && unusable(&walk.stage.gateway).await;
        if told { Ok(()) } else { Err("the entry is not noticed") }
    })
    .await;
}

/// The call ends by a Presenter, the Room by its window, and then it is deleted.
async fn its_end(walk: &mut Walk<'_>, place: &Place<'_>) {
    let invites = walk.invites(place, "call").await;
    let ada = Client::join(&walk.credentials(&invites["ada"], "").await, &[]).await.expect("in the call");
    assert_eq!(walk.ask("POST", "/v1/end", &invites["pia"], "").await.status, 204);
    ada.event("disconnected").await;
    let last = walk.credentials(&invites["ada"], "").await.token;
    place.edit("call", json!({"validUntil": in_seconds(0)})).await;
    place.until_phase("call", Phase::Expired).await;
    assert_eq!(walk.ask("POST", "/v1/join", &invites["ada"], "").await.status, 403);
    walk.ask("GET", "/rtc/validate", &last, "").await;
    place.delete("call").await;
    place.until_gone("call", PATIENCE).await;
    eventually(PATIENCE, async || match walk.ask("POST", "/v1/join", &invites["ada"], "").await.status {
        401 => Ok(()),
        status => Err(format!("{status}")),
    })
    .await;
}

/// That nothing was found says something only if it would have been.
fn secrets_are_found_where_they_belong(stage: &Stage, place: &Place<'_>, secrets: &Secrets) {
    let listed = |namespace: &str| {
        let listed = stage.cluster.kubectl(&["get", "secrets", "--namespace", namespace, "-o", "json"], "");
        String::from_utf8(listed.stdout).expect("JSON")
    };
    let found = secrets.found_in("here", &(listed(&place.namespace) + &listed(OPERATOR_NAMESPACE)), &[]);
    for wanted in ["the API secret", "the refused API secret", "the signing key", "the invite of ada"] {
        assert!(found.iter().any(|found| found.contains(wanted)), "{wanted}: {found:?}");
    }
}
