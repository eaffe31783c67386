//! Shows the life of a Room.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, Room};
use roomkeeper::backend::Backend;

use crate::installation::Installation;
use crate::support::cluster::kubectl;
use crate::support::livekit::Client;
use crate::support::stage::{ask, in_seconds, session, value};
use crate::support::{eventually, now};
use crate::{Clock, repository};

/// Namespace of the demo's Rooms.
const NAMESPACE: &str = "demo";
/// Longest wait for the next thing to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applies the examples and one Room with a short life, and shows what happens to it.
pub async fn life_of_a_room(installation: &Installation, clock: &Clock) {
    // Missing in the first demo on a cluster, there in the next.
    apply(installation, "v1 Namespace", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"), clock);
    let rooms = Api::<Room>::namespaced(installation.admin.clone(), NAMESPACE);
    let manifest = short_room();
    clock.say(&format!("A Room with a short life:\n{manifest}"));
    apply(installation, "demo-call", &manifest, clock);
    let room = until(&rooms, "demo-call", |_| true).await;
    // A cluster that saw an earlier demo has the class already.
    if room.status.as_ref().is_some_and(|status| status.phase == Phase::Pending) {
        clock.say(&format!("demo-call is Pending: {}", message(&room, "Accepted")));
    }

    for file in example_files() {
        let text = fs::read_to_string(&file).expect("an example");
        let text = text.replace("http://127.0.0.1:7880", &installation.livekit.url());
        let name = file.strip_prefix(repository()).unwrap_or(&file).display().to_string();
        apply(installation, &name, &text, clock);
    }

    phase(&rooms, "consultation", Phase::Open).await;
    clock.say("consultation is Open: it has no validFrom, so it opens as soon as it is accepted");
    let room = phase(&rooms, "demo-call", Phase::Scheduled).await;
    let opens = room.status.as_ref().and_then(|status| status.valid_from.as_ref()).map(|time| time.0.to_string()).unwrap_or_default();
    clock.say(&format!("demo-call is Scheduled: it opens at {opens}, and its invites are issued ahead"));
    links(installation, clock).await;

    let room = phase(&rooms, "demo-call", Phase::Open).await;
    clock.say(&format!("demo-call is Open; its session is {}", session(&room)));
    let (ada, ben) =
        (join(installation, "ada", &["camera", "microphone"], clock).await, join(installation, "ben", &["microphone"], clock).await);
    ada.event("media-received").await;
    ben.event("media-received").await;
    clock.say("ada and ben hear each other: media flows both ways through livekit-server");

    let reason = ada.event("disconnected").await["reason"].as_str().unwrap_or_default().to_owned();
    clock.say(&format!("The window is over: LiveKit disconnected the clients ({reason})"));
    ben.event("disconnected").await;
    phase(&rooms, "demo-call", Phase::Expired).await;
    let left = secrets(installation).await.iter().filter(|secret| secret.name_any().starts_with("demo-call-")).count();
    let sessions = installation.livekit.backend().observe(&session(&room)).await;
    clock.say(&format!(
        "demo-call is Expired: {left} invite Secrets are left, and its session is {}",
        if sessions == Ok(None) { "gone" } else { "still there" }
    ));
    eventually(PATIENCE, async || match rooms.get_opt("demo-call").await.map_err(|error| error.to_string())? {
        None => Ok(()),
        Some(_) => Err("demo-call is still there".to_owned()),
    })
    .await;
    clock.say("demo-call is gone: its ttlSecondsAfterExpired of 5 is over");
}

/// Tells how to go on.
pub async fn what_next(installation: &Installation, clock: &Clock) {
    let kubeconfig = installation.kubeconfig.strip_prefix(repository()).unwrap_or(&installation.kubeconfig).display();
    let gateway = format!("http://127.0.0.1:{}", installation.gateway.port);
    clock.say(&format!(
        "Everything stays up until Ctrl-C. In another terminal, in this directory:
  export KUBECONFIG=$PWD/{kubeconfig} PATH=$PWD/.tools/bin:$PATH
  kubectl -n {NAMESPACE} get mroom,secret
  kubectl explain room.spec.participants
  invite=$(kubectl -n {NAMESPACE} get secret consultation-invite-doctor -o jsonpath='{{.data.invite}}' | base64 -d)
  curl -H \"Authorization: Bearer $invite\" {gateway}/v1/room
  curl -X POST -H \"Authorization: Bearer $invite\" {gateway}/v1/join"
    ));
}

/// Opens soon, and is over soon after.
fn short_room() -> String {
    let (from, until) = (in_seconds(8), in_seconds(20));
    format!(
        "apiVersion: roomkeeper.io/v1alpha1
kind: Room
metadata:
  name: demo-call
  namespace: {NAMESPACE}
spec:
  displayName: A call of twelve seconds
  validFrom: {from}
  validUntil: {until}
  ttlSecondsAfterExpired: 5
  participants:
    - name: ada
      role: Presenter
    - name: ben
"
    )
}

fn example_files() -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(repository().join("examples")).expect("the directory examples");
    let mut files: Vec<_> =
        files.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

fn apply(installation: &Installation, name: &str, manifest: &str, clock: &Clock) {
    let applied = kubectl(&installation.kubeconfig, &["-n", NAMESPACE, "apply", "-f", "-"], manifest);
    assert!(applied.status.success(), "{name}: {}", String::from_utf8_lossy(&applied.stderr));
    clock.say(&format!("kubectl apply: {}", String::from_utf8_lossy(&applied.stdout).trim_end()));
}

async fn phase(rooms: &Api<Room>, name: &str, wanted: Phase) -> Room {
    until(rooms, name, |phase| phase == wanted).await
}

/// The Room once the controller has seen it and its phase is wanted.
async fn until(rooms: &Api<Room>, name: &str, wanted: impl Fn(Phase) -> bool) -> Room {
    eventually(PATIENCE, async || {
        let room = rooms.get(name).await.map_err(|error| error.to_string())?;
        let status = room.status.clone().unwrap_or_default();
        let seen = status.observed_generation == room.metadata.generation && wanted(status.phase);
        if seen { Ok(room) } else { Err(format!("{:?}", status.phase)) }
    })
    .await
}

fn message(room: &Room, kind: &str) -> String {
    let conditions = room.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().find(|condition| condition.type_ == kind).map(|condition| condition.message.clone()).unwrap_or_default()
}

async fn secrets(installation: &Installation) -> Vec<Secret> {
    let all = Api::<Secret>::namespaced(installation.admin.clone(), NAMESPACE);
    all.list(&ListParams::default().fields("type=roomkeeper.io/invite")).await.expect("the API server answers").items
}

/// Shows the invite Secrets, with their links.
async fn links(installation: &Installation, clock: &Clock) {
    let rooms = Api::<Room>::namespaced(installation.admin.clone(), NAMESPACE);
    // Scheduled or Open, all Rooms have their invites.
    eventually(PATIENCE, async || {
        let rooms = rooms.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waiting: Vec<String> = rooms
            .iter()
            .filter(|room| room.status.as_ref().is_none_or(|status| status.phase == Phase::Pending))
            .map(ResourceExt::name_any)
            .collect();
        if waiting.is_empty() { Ok(()) } else { Err(waiting.join(", ")) }
    })
    .await;
    let lines: Vec<String> = secrets(installation)
        .await
        .iter()
        .map(|secret| {
            let has_name = secret.data.as_ref().is_some_and(|data| data.contains_key("participant"));
            let who = if has_name { value(secret, "participant") } else { "whoever has the link".to_owned() };
            format!("  secret/{}: {who} as {}\n    {}", secret.name_any(), value(secret, "role"), value(secret, "url"))
        })
        .collect();
    clock.say(&format!("Each participant has an invite Secret with a join link, to open in a browser:\n{}", lines.join("\n")));
}

/// Joins a real client by somebody's invite, as the page behind the link would.
async fn join(installation: &Installation, name: &str, publish: &[&str], clock: &Clock) -> Client {
    let all = Api::<Secret>::namespaced(installation.admin.clone(), NAMESPACE);
    let secret = all.get(&format!("demo-call-invite-{name}")).await.expect("an invite");
    let asked = now();
    let answer =
        ask(installation.gateway.port, "POST", "/v1/join", &value(&secret, "invite"), None).await.expect("an answer of the gateway");
    assert_eq!(answer.status, 200, "{answer:?}");
    let client = Client::join(&answer.credentials(), publish).await.unwrap_or_else(|failure| panic!("{name} is {failure}"));
    let took = now().duration_since(asked).as_millis();
    clock.say(&format!("{name} joined by the invite in {took} ms, with a media token for 60 s, and publishes {}", publish.join(" and ")));
    client
}
