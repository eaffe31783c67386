//! Rooms and their rosters.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{DAY, at, bad_request, call, done, error, parsed, person, refused, room, send};
use crate::support::acs::AcsServer;
use crate::support::{now, run};

const UUID: &str = "0b8f2f6e-1d0c-4c0e-9a3f-52f6a1b7c9d4";

#[test]
fn a_room_is_open_from_now_for_180_days_unless_it_is_told_otherwise() {
    run(async {
        let server = AcsServer::start().await;
        let response = send(&server, "POST", "/rooms", json!({"validFrom": null, "validUntil": null})).await;
        let (made, states) = (parsed(&response), server.rooms());
        let (id, state) = (made["id"].as_str().expect("an id"), &states[0]);
        assert!((16..=17).contains(&id.len()) && response.head.contains(&format!("location: {id}\r\n")), "{response:?}");
        assert!(!response.head.contains("repeatability-result"), "{response:?}");
        assert!(state.valid_from.duration_since(now()).abs() < SignedDuration::from_mins(1), "{state:?}");
        assert_eq!(state.valid_until, state.valid_from + DAY * 180);
        assert!(made["validFrom"].as_str().is_some_and(|text| text.ends_with("+00:00")), "{made}");
        assert_eq!((&made["pstnDialOutEnabled"], &made), (&json!(false), &done(&server, 200, "GET", &format!("/rooms/{id}"), None).await));

        let from = now() + DAY * 30;
        let made = room(&server, json!({"validFrom": from.to_string(), "pstnDialOutEnabled": true})).await;
        let state = &server.rooms()[1];
        assert_eq!((state.id.as_str(), state.valid_until, state.pstn_dial_out_enabled), (made.as_str(), from + DAY * 180, true));
    });
}

#[test]
fn a_room_may_be_open_for_180_days_and_no_longer() {
    run(async {
        let server = AcsServer::start().await;
        let (from, second) = (now() + DAY, SignedDuration::from_secs(1));
        let window = |until: Timestamp| json!({"validFrom": from.to_string(), "validUntil": until.to_string()});
        let id = room(&server, window(from + DAY * 180)).await;
        let one = format!("/rooms/{id}");
        let (long, past) = ("The time range is incorrect, or larger than 180 days.", "The time range end is in the past.");
        for (until, message) in [(from + DAY * 180 + second, long), (from, long), (from - second, long), (now() - second, past)] {
            for (method, target) in [("POST", "/rooms"), ("PATCH", &one)] {
                let response = send(&server, method, target, window(until)).await;
                assert_eq!(error(&response), bad_request());
                let details = json!([{"code": "BadArgument", "message": message, "target": "ValidUntil"}]);
                assert_eq!(parsed(&response)["error"]["details"], details);
            }
        }
        assert_eq!(refused(&server, "PATCH", &one, json!({"validUntil": at(SignedDuration::ZERO)})).await, bad_request());
        let shorter = done(&server, 200, "PATCH", &one, json!({"validUntil": (from + DAY).to_string(), "pstnDialOutEnabled": true})).await;
        assert_eq!((server.rooms()[0].valid_until, &shorter["pstnDialOutEnabled"]), (from + DAY, &json!(true)));
    });
}

#[test]
fn the_same_repeatable_request_makes_one_room() {
    run(async {
        let server = AcsServer::start().await;
        let repeatable = |id: &str, sent: &str, body: Value| {
            let mut call = call("POST", "/rooms", Some(body));
            call.headers.extend([("repeatability-request-id", id.to_owned()), ("repeatability-first-sent", sent.to_owned())]);
            call.headers.retain(|(_, value)| !value.is_empty());
            call
        };
        let sent = "Fri, 27 Nov 2026 10:00:00 GMT";
        let first = repeatable(UUID, sent, json!({})).send(&server).await;
        let again = repeatable(UUID, sent, json!({})).send(&server).await;
        assert_eq!((again.status, again.body.as_str()), (201, first.body.as_str()));
        assert!(again.head.contains("repeatability-result: accepted"), "{again:?}");
        let others = [
            repeatable(UUID, sent, json!({"pstnDialOutEnabled": true})),
            repeatable(UUID, "Fri, 27 Nov 2026 10:00:01 GMT", json!({})),
            repeatable(UUID, "", json!({})),
            repeatable("", sent, json!({})),
            repeatable("weekly-1", sent, json!({})),
            repeatable(&UUID.replace('0', "1"), "2026-11-27T10:00:00Z", json!({})),
        ];
        for other in others {
            assert_eq!(error(&other.send(&server).await), bad_request(), "{:?}", other.headers);
        }
        assert_eq!(server.rooms().len(), 1);
        repeatable(&UUID.replace('0', "1"), sent, json!({})).send(&server).await;
        assert_eq!(server.rooms().len(), 2);
    });
}

/// All items of a list, and how many came at a time.
async fn listed(server: &AcsServer, target: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut items, mut sizes, mut next) = (Vec::new(), Vec::new(), Some(target.to_owned()));
    while let Some(target) = next {
        let page = done(server, 200, "GET", &target, None).await;
        let value = page["value"].as_array().expect("items");
        sizes.push(value.len());
        items.extend(value.iter().cloned());
        let link = page["nextLink"].as_str();
        next = link.map(|link| link.strip_prefix(&server.endpoint()).expect("an absolute link").to_owned());
    }
    (items, sizes)
}

/// A roster for a body, of new people who all have this role.
async fn people(server: &AcsServer, count: usize, role: &str) -> BTreeMap<String, Value> {
    let mut roster = BTreeMap::new();
    for _ in 0..count {
        roster.insert(person(server).await.0, json!({"role": role}));
    }
    roster
}

#[test]
fn lists_come_in_pages_of_thirty() {
    run(async {
        let server = AcsServer::start().await;
        assert_eq!(listed(&server, "/rooms").await, (Vec::new(), vec![0]));
        let roster = people(&server, 31, "Consumer").await;
        let mut ids = vec![room(&server, json!({"participants": roster})).await];
        let participants = format!("/rooms/{}/participants", ids[0]);
        let (listed_people, sizes) = listed(&server, &participants).await;
        assert_eq!(sizes, [30, 1]);
        let expected: Vec<Value> = roster.keys().map(|raw_id| json!({"rawId": raw_id, "role": "Consumer"})).collect();
        assert_eq!(listed_people, expected);

        for _ in 1..60 {
            ids.push(room(&server, json!({})).await);
        }
        ids.reverse();
        let (rooms, sizes) = listed(&server, "/rooms").await;
        assert_eq!(sizes, [30, 30]);
        let newest_first: Vec<&str> = rooms.iter().filter_map(|room| room["id"].as_str()).collect();
        assert_eq!(newest_first, ids);
        server.delete_room(&ids[0]);
        assert_eq!(listed(&server, "/rooms").await.1, [30, 29]);
    });
}

#[test]
fn only_identities_that_exist_are_invited_and_only_to_known_roles() {
    run(async {
        let server = AcsServer::start().await;
        let (ada, _) = person(&server).await;
        let elsewhere = format!("8:acs:{UUID}_0000000e-1234-5678-9abc-def012345678");
        let strangers = [elsewhere.as_str(), "8:acs:nobody_12", "8:orgid:0b8f2f6e", "ada", &format!("{ada}!"), &format!("8:acs:{UUID}_")];
        let roles =
            [json!({"role": "Observer"}), json!({"role": "presenter"}), json!({"role": null}), json!({"rights": []}), json!("Presenter")];
        let mut rosters: Vec<Value> = strangers.iter().map(|raw_id| json!({*raw_id: {"role": "Attendee"}})).collect();
        rosters.extend(roles.iter().map(|role| json!({&ada: role})));
        let id = room(&server, json!({"participants": {}})).await;
        for roster in rosters {
            for (method, target) in [("POST", "/rooms"), ("PATCH", &format!("/rooms/{id}/participants"))] {
                assert_eq!(refused(&server, method, target, json!({"participants": roster})).await, bad_request(), "{method} {roster}");
            }
        }
        for roster in [json!({&ada: {}}), json!({&ada: null})] {
            assert_eq!(refused(&server, "POST", "/rooms", json!({"participants": roster})).await, bad_request(), "nobody is there before");
        }
        assert!(server.rooms().len() == 1 && server.rooms()[0].participants.is_empty());
    });
}

#[test]
fn a_roster_is_changed_by_merge_patch() {
    run(async {
        let server = AcsServer::start().await;
        let ids = people(&server, 3, "Attendee").await.into_keys().collect::<Vec<String>>();
        let [ada, ben, cyd] = ids.as_slice() else { panic!("three people") };
        let roles = json!({ada: {"role": "Presenter"}, ben: {"role": "Collaborator"}});
        let id = room(&server, json!({"participants": roles})).await;
        let target = format!("/rooms/{id}/participants");
        let change = json!({ada: {}, ben: null, cyd: {}});
        assert_eq!(done(&server, 200, "PATCH", &target, json!({"participants": change})).await, json!({}));
        let roster = || server.rooms()[0].participants.clone().into_iter().collect::<Vec<_>>();
        let expected = [(ada.clone(), "Presenter".to_owned()), (cyd.clone(), "Attendee".to_owned())];
        assert_eq!(roster(), expected);
        done(&server, 204, "DELETE", &format!("/identities/{ben}"), None).await;
        let (again, wrong) = (json!({ben: null}), json!({ada: null, "ben": null}));
        done(&server, 200, "PATCH", &target, json!({"participants": again})).await;
        assert_eq!(refused(&server, "PATCH", &target, json!({"participants": wrong})).await, bad_request());
        assert_eq!(roster(), expected, "all of a change is done, or nothing");
    });
}

#[test]
fn a_roster_holds_350_people() {
    run(async {
        let server = AcsServer::start().await;
        let mut roster = people(&server, 350, "Attendee").await;
        let id = room(&server, json!({"participants": roster})).await;
        let target = format!("/rooms/{id}/participants");
        let (more, _) = person(&server).await;
        assert_eq!(refused(&server, "PATCH", &target, json!({"participants": {&more: {}}})).await, bad_request());
        let (first, _) = roster.pop_first().expect("350 people");
        done(&server, 200, "PATCH", &target, json!({"participants": {&more: {}, first: null}})).await;
        roster.insert(more, json!({"role": "Attendee"}));
        roster.insert(person(&server).await.0, json!({"role": "Attendee"}));
        assert_eq!(refused(&server, "POST", "/rooms", json!({"participants": roster})).await, bad_request());
        assert_eq!(server.rooms()[0].participants.len(), 350);
    });
}

#[test]
fn a_deleted_room_is_not_found() {
    run(async {
        let server = AcsServer::start().await;
        let id = room(&server, json!({})).await;
        done(&server, 204, "DELETE", &format!("/rooms/{id}"), None).await;
        let portal = room(&server, json!({})).await;
        server.delete_room(&portal);
        let at_paths = |id: &str| {
            let (one, roster) = (format!("/rooms/{id}"), format!("/rooms/{id}/participants"));
            let change = Some(json!({}));
            [
                ("GET", one.clone(), None),
                ("PATCH", one.clone(), change.clone()),
                ("DELETE", one, None),
                ("GET", roster.clone(), None),
                ("PATCH", roster, change),
            ]
        };
        for (method, target, body) in at_paths(&id).into_iter().chain(at_paths(&portal)) {
            assert_eq!(refused(&server, method, &target, body).await, (404, "NotFound".to_owned()), "{method} {target}");
        }
        for id in ["1", "999999999999999", "999999999999999999", "weekly-meeting-01"] {
            for (method, target, body) in at_paths(id) {
                assert_eq!(refused(&server, method, &target, body).await, bad_request(), "{method} {target}");
            }
        }
    });
}
