//! The life of calls.

use std::time::Duration;

use roomkeeper::api::{ConditionType, Phase, RoomStatus};
use serde_json::{Value, json};

use super::{AZURE, AzureStage};
use crate::support::stage::{Place, condition, in_seconds, value};
use crate::support::{eventually, run};

const SOON: Duration = Duration::from_secs(30);
/// The gateway closes a room, and the controller lists the rooms of a resource every half minute.
const AFTER_A_LIST: Duration = Duration::from_mins(1);

fn spec(people: &[(&str, &str)]) -> Value {
    let people: Vec<Value> = people.iter().map(|(name, role)| json!({"name": name, "role": role})).collect();
    json!({"roomClassName": AZURE, "validUntil": in_seconds(3600), "participants": people})
}

/// What somebody joins with, if they are let in now.
async fn join(azure: &AzureStage, place: &Place<'_>, room: &str, name: &str) -> Result<Value, String> {
    let secret = place.invite_secret(room, name).await.ok_or("there is no invite yet")?;
    let answer = azure.stage.join(&value(&secret, "invite")).await;
    if answer.status == 200 { Ok(answer.body) } else { Err(format!("{answer:?}")) }
}

/// What somebody joins with, once they are on the roster.
async fn joined(azure: &AzureStage, place: &Place<'_>, room: &str, name: &str) -> Value {
    eventually(SOON, async || join(azure, place, room, name).await).await
}

/// The same, once the person or the room has another id than before.
async fn joined_by_another(azure: &AzureStage, (place, room, name): (&Place<'_>, &str, &str), id: &str, before: &str) -> Value {
    eventually(AFTER_A_LIST, async || match join(azure, place, room, name).await {
        Ok(body) if body[id] == before => Err("the id of before".to_owned()),
        other => other,
    })
    .await
}

fn text(answer: &Value, key: &str) -> String {
    answer[key].as_str().unwrap_or_else(|| panic!("no {key} in {answer}")).to_owned()
}

async fn until_roles(azure: &AzureStage, room: &str, expected: &[&str]) {
    eventually(SOON, async || match azure.roles(room) {
        roles if roles == expected => Ok(()),
        roles => Err(format!("{roles:?}")),
    })
    .await;
}

#[test]
fn the_same_manifest_gives_a_call_on_azure_that_follows_every_edit_and_leaves_nothing_behind() {
    run(async {
        let azure = AzureStage::shared().await;
        let place = azure.stage.place().await;
        place.apply("board", spec(&[("ada", "Presenter"), ("ben", "Attendee")])).await;
        place.until_phase("board", Phase::Open).await;
        let ada = joined(azure, &place, "board", "ada").await;
        let ben = joined(azure, &place, "board", "ben").await;
        let room = text(&ada, "roomId");
        assert_eq!(ada["kind"], "azureCommunicationServices");
        assert_eq!((text(&ada, "endpoint"), text(&ada, "identity")), (azure.server.endpoint(), "ada".to_owned()));
        assert!(text(&ada, "communicationUserId").starts_with("8:acs:") && ada["expiresAt"].is_string(), "{ada}");
        assert_eq!(azure.server.join(&room, &text(&ada, "token")).as_deref(), Ok("Presenter"));
        assert_eq!(azure.server.join(&room, &text(&ben, "token")).as_deref(), Ok("Attendee"));

        let later = in_seconds(7200);
        let people =
            json!([{"name": "ada", "role": "Presenter"}, {"name": "cy", "role": "Consumer"}, {"name": "dee", "role": "Collaborator"}]);
        place.edit("board", json!({"participants": people, "validUntil": later, "pstnDialOutEnabled": true})).await;
        until_roles(azure, &room, &["Collaborator", "Consumer", "Presenter"]).await;
        assert_eq!(azure.server.join(&room, &text(&ben, "token")), Err(5828), "whoever is off the list is off the roster");
        joined(azure, &place, "board", "cy").await;
        let state = azure.server.rooms().into_iter().find(|state| state.id == room).expect("the room");
        assert_eq!((state.valid_until.to_string(), state.pstn_dial_out_enabled), (later, true));

        place.edit("board", json!({"participants": [{"name": "ada", "role": "Attendee"}]})).await;
        until_roles(azure, &room, &["Attendee"]).await;

        place.edit("board", json!({"participants": [{"name": "ada", "role": "Attendee", "inviteGeneration": 1}]})).await;
        let before = text(&ada, "communicationUserId");
        let again = joined_by_another(azure, (&place, "board", "ada"), "communicationUserId", &before).await;
        assert_eq!(azure.server.join(&room, &text(&ada, "token")), Err(5828), "the token of an invite that was replaced");
        assert_eq!(azure.server.join(&room, &text(&again, "token")).as_deref(), Ok("Attendee"));

        place.edit("board", json!({"suspend": true})).await;
        place.until_phase("board", Phase::Suspended).await;
        assert_eq!(azure.server.join(&room, &text(&again, "token")), Err(5732), "there is no such room");
        place.edit("board", json!({"suspend": false})).await;
        place.until_phase("board", Phase::Open).await;
        let other = text(&joined(azure, &place, "board", "ada").await, "roomId");
        assert_ne!(other, room);

        let object = place.rooms().get("board").await.expect("the Room");
        assert_eq!(azure.records(&object).await.len(), 1);
        place.delete("board").await;
        eventually(SOON, async || match (azure.records(&object).await.len(), azure.roles(&other).len()) {
            (0, 0) => Ok(()),
            left => Err(format!("{left:?} records and people")),
        })
        .await;
    });
}

#[test]
fn a_room_that_was_deleted_in_the_portal_is_made_anew_and_invites_stay_as_they_are() {
    run(async {
        let azure = AzureStage::shared().await;
        let place = azure.stage.place().await;
        place.apply("lost", spec(&[("ada", "Presenter")])).await;
        place.until_phase("lost", Phase::Open).await;
        let before = text(&joined(azure, &place, "lost", "ada").await, "roomId");
        let invite = place.invite("lost", "ada").await;
        azure.server.delete_room(&before);
        // It would be noticed within half a minute.
        place.edit("lost", json!({"displayName": "Lost and found"})).await;
        let after = text(&joined_by_another(azure, (&place, "lost", "ada"), "roomId", &before).await, "roomId");
        assert_eq!((place.invite("lost", "ada").await, azure.roles(&after)), (invite, vec!["Presenter".to_owned()]));
        let object = place.rooms().get("lost").await.expect("the Room");
        eventually(SOON, async || match azure.records(&object).await.len() {
            1 => Ok(()),
            records => Err(format!("{records} records")),
        })
        .await;
    });
}

#[test]
fn what_the_service_cannot_do_is_told_to_whoever_asks_for_it_and_in_the_conditions_of_the_room() {
    run(async {
        let azure = AzureStage::shared().await;
        let place = azure.stage.place().await;
        place.apply("call", spec(&[("ada", "Presenter"), ("ben", "Attendee")])).await;
        let status = place.until_phase("call", Phase::Open).await.status.expect("a status");
        assert_eq!(condition(&status, "RolesEnforced"), ("True", "Enforced"));
        assert_eq!(condition(&status, "EndEnforced"), ("False", "BestEffort"));
        joined(azure, &place, "call", "ben").await;
        let invite = place.invite("call", "ada").await;
        for path in ["/v1/participants/ben/mute", "/v1/connection-check"] {
            let answer = azure.stage.post(path, &invite, None).await;
            assert_eq!((answer.status, answer.problem()), (501, "unsupported"), "{path}");
        }
        assert_eq!(azure.stage.view(&invite).await.body["kind"], "azureCommunicationServices");

        place.apply("open-hour", json!({"roomClassName": AZURE, "joinPolicy": "AnyoneWithLink"})).await;
        let is_refused = |status: &RoomStatus| status.condition(ConditionType::Accepted, false).is_some();
        let status = place.until("open-hour", is_refused).await.status.expect("a status");
        let accepted = status.condition(ConditionType::Accepted, false).expect("refused");
        assert_eq!(accepted.reason, "Unsupported");
        assert!(accepted.message.contains("spec.joinPolicy") && accepted.message.contains("RoomClass \"azure\""), "{}", accepted.message);
    });
}

#[test]
fn a_presenter_removes_somebody_and_adds_a_guest_and_ends_the_call_for_all() {
    run(async {
        let azure = AzureStage::shared().await;
        let place = azure.stage.place().await;
        place.apply("call", spec(&[("ada", "Presenter"), ("ben", "Attendee")])).await;
        place.until_phase("call", Phase::Open).await;
        let (ada, ben) = (place.invite("call", "ada").await, joined(azure, &place, "call", "ben").await);
        let room = text(&ben, "roomId");
        assert_eq!(azure.stage.post("/v1/participants/ben/remove", &ada, None).await.status, 204);
        until_roles(azure, &room, &["Presenter"]).await;
        assert_eq!(azure.server.join(&room, &text(&ben, "token")), Err(5828));
        let guest = azure.stage.post("/v1/guests", &ada, Some(json!({"displayName": "Eve", "role": "Attendee"}))).await;
        assert_eq!(guest.status, 201, "{guest:?}");
        until_roles(azure, &room, &["Attendee", "Presenter"]).await;
        assert_eq!(azure.stage.post("/v1/end", &ada, None).await.status, 204);
        let after = text(&joined_by_another(azure, (&place, "call", "ada"), "roomId", &room).await, "roomId");
        until_roles(azure, &after, &["Attendee", "Presenter"]).await;
    });
}
