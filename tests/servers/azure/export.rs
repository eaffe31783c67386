//! The export of the rooms that a resource has already: `examples/acs/export-rooms.mjs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};

use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use roomkeeper::api::{Phase, Role, Room};
use serde_json::Value;
use tokio::process::Command;

use super::{AZURE, AzureStage};
use crate::support::acs::{AcsServer, Fault};
use crate::support::stage::PATIENCE;
use crate::support::{eventually, now, run};

const ROLES: [&str; 4] = ["Presenter", "Collaborator", "Attendee", "Consumer"];
/// More than a page of rooms, of which one has more than a page of people.
const ROOMS: usize = 35;
const PEOPLE: usize = 40;

async fn export(server: &AcsServer, key: &str, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acs/export-rooms.mjs");
    let mut node = Command::new("node");
    node.arg(script).args(arguments).env("ACS_ENDPOINT", server.endpoint()).env("ACS_ACCESS_KEY", key);
    let output = node.stdin(Stdio::null()).kill_on_drop(true).output();
    output.await.expect("install Node.js 20 or newer (Debian: nodejs): there is no node on PATH")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("UTF-8")
}

/// The manifests that an export prints, which succeeds.
fn manifests(output: &Output) -> &str {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn raw_id(number: usize) -> String {
    format!("8:acs:5f0c1a3e-1d2c-4b5a-9e8f-0123456789ab_{number:08x}")
}

/// A room with so many people, in all roles; its id.
fn add_room(server: &AcsServer, people: usize, from: Timestamp, until: Timestamp) -> String {
    let room = server.add_room(from, until);
    for number in 0..people {
        server.add_participant(&room, &raw_id(number), ROLES[number % ROLES.len()]);
    }
    room
}

/// A window of an hour.
fn an_hour(from: Timestamp) -> (Timestamp, Timestamp) {
    (from, from + SignedDuration::from_hours(1))
}

/// How many people have each role.
fn counted(roles: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    roles.into_iter().fold(BTreeMap::new(), |mut counts, role| {
        *counts.entry(role).or_default() += 1;
        counts
    })
}

fn roles(room: &Room) -> BTreeMap<String, usize> {
    counted(room.spec.participants.iter().map(|person| format!("{:?}", person.role.unwrap_or(Role::Attendee))))
}

fn second(time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> i64 {
    time.expect("a moment").0.as_second()
}

#[test]
fn the_rooms_of_a_resource_become_rooms_with_the_same_windows_people_and_roles() {
    run(async {
        let azure = AzureStage::shared().await;
        let place = azure.stage.place().await;
        let server = AcsServer::start().await;
        let over = add_room(&server, 1, now() - SignedDuration::from_hours(2), now() - SignedDuration::from_hours(1));
        let (from, until) = an_hour(now() - SignedDuration::from_mins(1));
        let running = add_room(&server, PEOPLE, from, until);
        for number in 1..ROOMS {
            let (from, until) = an_hour(now() + SignedDuration::from_hours(i64::try_from(number).expect("a few")));
            add_room(&server, number % 3, from, until);
        }

        let output = export(&server, server.access_key(), &["--class", AZURE]).await;
        let printed = manifests(&output);
        assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(&format!("room {over}: left out, over since")), "{}", text(&output.stderr));
        assert!(!printed.contains(server.access_key()));
        assert_eq!(
            manifests(&export(&server, server.access_key(), &["--class", AZURE]).await),
            printed,
            "another export names people alike"
        );
        assert!(!manifests(&export(&server, server.access_key(), &[]).await).contains("roomClassName"));

        let applied = azure.stage.cluster.kubectl(&["--namespace", &place.namespace, "apply", "--filename", "-"], printed);
        assert!(applied.status.success(), "{}", text(&applied.stderr));
        let made = place.rooms().list(&ListParams::default()).await.expect("a list").items;
        let made: BTreeMap<String, Room> = made.into_iter().map(|room| (room.metadata.name.clone().expect("a name"), room)).collect();
        assert_eq!(made.len(), ROOMS);
        for state in server.rooms().into_iter().filter(|state| state.id != over) {
            let room = &made[&format!("acs-{}", state.id)];
            assert_eq!(room.spec.room_class_name.as_deref(), Some(AZURE));
            assert_eq!(second(room.spec.valid_from.as_ref()), state.valid_from.as_second());
            assert_eq!(second(room.spec.valid_until.as_ref()), state.valid_until.as_second());
            assert_eq!(roles(room), counted(state.participants.into_values()));
        }

        // The names are those of people who can join.
        let name = format!("acs-{running}");
        place.until_phase(&name, Phase::Open).await;
        let person = made[&name].spec.participants.iter().find(|person| person.role == Some(Role::Presenter)).expect("a Presenter");
        let invite = place.invite(&name, &person.name).await;
        let ticket: Value = eventually(PATIENCE, async || match azure.stage.join(&invite).await {
            answer if answer.status == 200 => Ok(answer.body),
            answer => Err(format!("{answer:?}")),
        })
        .await;
        let (room, token) = (ticket["roomId"].as_str().expect("a room"), ticket["token"].as_str().expect("a token"));
        assert_eq!(azure.server.join(room, token).as_deref(), Ok("Presenter"));
        place.delete(&name).await;
    });
}

#[test]
fn an_export_says_what_to_check_when_it_is_refused() {
    run(async {
        let server = AcsServer::start().await;
        add_room(&server, 1, now(), now() + SignedDuration::from_hours(1));
        let refused = async |key: &str, arguments: &[&str]| {
            let output = export(&server, key, arguments).await;
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
            let said = text(&output.stderr).to_owned();
            assert!(said.lines().count() == 1 && !said.contains(key), "{said}");
            said
        };
        let wrong = AcsServer::start().await.access_key().to_owned();
        let said = refused(&wrong, &[]).await;
        assert!(said.contains("ACS_ACCESS_KEY") && said.contains("refuses the key (401): check that it is one of this resource"), "{said}");
        assert!(refused("not base64!", &[]).await.contains("ACS_ACCESS_KEY"));
        assert!(refused(server.access_key(), &["--class", "No Name"]).await.contains("--class"));
        assert!(refused(server.access_key(), &["--clas", "azure"]).await.contains("usage:"));
        server.fail_next("GET", "/rooms", 1, Fault::NotJson);
        assert!(refused(server.access_key(), &[]).await.contains("ACS_ENDPOINT"));
        server.fail_next("GET", "/rooms", 1, Fault::Lost);
        assert!(refused(server.access_key(), &[]).await.contains("does not answer"));
        server.refuse_access(true);
        assert!(refused(server.access_key(), &[]).await.contains("check which networks"));
    });
}

#[test]
fn an_export_waits_when_the_service_has_no_time() {
    run(async {
        let server = AcsServer::start().await;
        let room = add_room(&server, 2, now(), now() + SignedDuration::from_hours(1));
        server.fail_next("GET", "/rooms", 1, Fault::Status { status: 429, code: "TooManyRequests", retry_after: Some(1) });
        server.fail_next("GET", "/participants", 1, Fault::Status { status: 503, code: "ServiceUnavailable", retry_after: None });
        let output = export(&server, server.access_key(), &[]).await;
        assert!(manifests(&output).contains(&room), "{}", text(&output.stdout));
        assert_eq!(text(&output.stdout).matches("name: person-").count(), 2);
    });
}
