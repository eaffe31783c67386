//! Who may take part.

use kube::ResourceExt;
use rstest::rstest;
use serde_json::{Value, json};

use super::objects::Objects;
use crate::support::run;

/// People with entries as long as entries can be.
fn people(count: usize, generation: i64) -> Value {
    let person = |number: usize| {
        json!({
            "name": format!("p{number:0>62}"),
            "displayName": "\u{1F600}".repeat(128),
            "role": "Collaborator",
            "suspended": true,
            "inviteGeneration": generation,
        })
    };
    (0..count).map(person).collect()
}

fn one(person: Value) -> Value {
    json!({"participants": [person]})
}

#[test]
fn a_room_has_at_most_350_participants() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(json!({"participants": people(350, 1)})).await;
        rooms.refuses(json!({"participants": people(351, 1)}), &["spec.participants", "351", "350"]).await;
    });
}

#[test]
fn the_longest_room_is_cheap_enough_to_judge_at_every_change() {
    run(async {
        let rooms = Objects::rooms().await;
        let text = |count: usize, length: usize| -> Value {
            (0..count)
                .map(|number| (format!("{number:0>200}.example.org/{number:0>63}"), json!("v".repeat(length))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let spec = |generation: i64| {
            json!({
                "displayName": "\u{1F600}".repeat(128),
                "id": "i".repeat(64),
                "roomClassName": "c".repeat(253),
                "validFrom": "2027-01-01T09:00:00Z",
                "duration": format!("{:0>5}h{:0>7}m{:0>9}s{:0>6}ms", 4000, 1, 1, 1),
                "participants": people(350, generation),
                "inviteTemplate": {"metadata": {"labels": text(16, 63), "annotations": text(16, 1024)}},
            })
        };
        let room = rooms.accepts(spec(0)).await;
        let room = rooms.set_status(&room, json!({"phase": "Open"})).await;
        let room = rooms.accepts_change(&room, json!({"spec": spec(7)})).await;
        assert_eq!(room.spec.participants[349].invite_generation, Some(7));
        rooms.refuses_change(&room, json!({"spec": {"participants": people(350, 6)}}), &["inviteGeneration", "is 6 and was 7"]).await;
    });
}

#[test]
fn a_name_is_on_the_list_once() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(json!({"participants": [{"name": "amina"}, {"name": "bela"}]})).await;
        let twice = json!({"participants": [{"name": "amina"}, {"name": "bela"}, {"name": "amina", "role": "Consumer"}]});
        rooms.refuses(twice, &["spec.participants[2]", "Duplicate value", "amina"]).await;
    });
}

#[rstest]
#[case("a".to_owned())]
#[case("7".to_owned())]
#[case("dr-amina-2".to_owned())]
#[case("a".repeat(63))]
fn a_name_is_a_dns_label(#[case] name: String) {
    run(async { Objects::rooms().await.accepts(one(json!({"name": name}))).await });
}

#[rstest]
#[case(String::new(), "at least 1 char")]
#[case("a".repeat(64), "63")]
#[case("Amina".to_owned(), "should match")]
#[case("dr_amina".to_owned(), "should match")]
#[case("dr.amina".to_owned(), "should match")]
#[case("-amina".to_owned(), "should match")]
#[case("amina-".to_owned(), "should match")]
#[case("amina\n".to_owned(), "should match")]
#[case("am\u{ee}na".to_owned(), "should match")]
fn any_other_name_is_refused(#[case] name: String, #[case] why: &str) {
    run(async { Objects::rooms().await.refuses(one(json!({"name": name})), &["spec.participants[0].name", why]).await });
}

#[test]
fn a_participant_needs_a_name() {
    run(async { Objects::rooms().await.refuses(one(json!({"role": "Attendee"})), &["spec.participants[0].name", "Required"]).await });
}

#[test]
fn a_shown_name_has_at_most_128_characters() {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(one(json!({"name": "amina", "displayName": "\u{c4}".repeat(128)}))).await;
        let long = one(json!({"name": "amina", "displayName": "\u{c4}".repeat(129)}));
        rooms.refuses(long, &["spec.participants[0].displayName", "Too long", "128"]).await;
    });
}

#[test]
fn a_role_is_one_of_the_four() {
    run(async {
        let rooms = Objects::rooms().await;
        for role in ["Presenter", "Collaborator", "Attendee", "Consumer"] {
            rooms.accepts(one(json!({"name": "amina", "role": role}))).await;
        }
        for role in ["Moderator", "presenter", ""] {
            let rule = ["spec.participants[0].role", "Unsupported value", role, "Presenter", "Collaborator", "Attendee", "Consumer"];
            rooms.refuses(one(json!({"name": "amina", "role": role})), &rule).await;
        }
    });
}

#[test]
fn an_invite_generation_is_a_number_from_0_that_fits() {
    run(async {
        let rooms = Objects::rooms().await;
        let generation = |generation: Value| one(json!({"name": "amina", "inviteGeneration": generation}));
        rooms.accepts(generation(json!(0))).await;
        rooms.accepts(generation(json!(i64::MAX))).await;
        rooms.refuses(generation(json!(-1)), &["spec.participants[0].inviteGeneration", "-1", "greater than or equal to 0"]).await;
        rooms.refuses(generation(json!(1.5)), &["spec.participants[0].inviteGeneration", "integer"]).await;
        rooms.refuses(generation(json!("1")), &["spec.participants[0].inviteGeneration", "integer"]).await;
        rooms.refuses(generation(json!(1e30)), &["spec.participants[0].inviteGeneration"]).await;
    });
}

#[test]
fn an_invite_generation_never_shrinks() {
    run(async {
        let rooms = Objects::rooms().await;
        let people = |generation: Option<i64>| {
            let mut amina = json!({"name": "amina"});
            if let Some(generation) = generation {
                amina["inviteGeneration"] = json!(generation);
            }
            json!({"spec": {"participants": [{"name": "bela"}, amina]}})
        };
        let room = rooms.accepts(people(None)["spec"].clone()).await;
        for raised in [Some(0), None, Some(3), Some(3), Some(4)] {
            rooms.accepts_change(&room, people(raised)).await;
        }
        let rule = ["spec.participants", "amina", "inviteGeneration", "was 4", "never shrinks"];
        rooms.refuses_change(&room, people(Some(3)), &[&rule[..], &["is 3"]].concat()).await;
        rooms.refuses_change(&room, people(None), &[&rule[..], &["is 0"]].concat()).await;
    });
}

#[test]
fn people_come_and_go_without_touching_the_others() {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"participants": [{"name": "amina", "inviteGeneration": 2}]})).await;
        let more = json!([{"name": "bela"}, {"name": "amina", "inviteGeneration": 2}]);
        rooms.accepts_change(&room, json!({"spec": {"participants": more}})).await;
        rooms.accepts_change(&room, json!({"spec": {"participants": [{"name": "bela"}]}})).await;
        rooms.accepts_change(&room, json!({"spec": {"participants": null}})).await;
    });
}

#[test]
fn two_managers_own_different_participants_of_one_list() {
    run(async {
        let rooms = Objects::rooms().await;
        let of = |person: Value| {
            let metadata = json!({"name": "shared"});
            json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": metadata, "spec": {"participants": [person]}})
        };
        let (doctor, patient) = (of(json!({"name": "doctor", "role": "Presenter"})), of(json!({"name": "patient"})));
        rooms.apply("clinic", &doctor).await.unwrap();
        let room = rooms.apply("registry", &patient).await.unwrap();
        assert_eq!(room.spec.participants.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["doctor", "patient"]);

        let again = rooms.apply("clinic", &doctor).await.unwrap();
        assert_eq!((again.metadata.generation, again.resource_version()), (room.metadata.generation, room.resource_version()));

        let taken = rooms.apply("registry", &of(json!({"name": "doctor", "role": "Consumer"}))).await;
        super::objects::refused("another manager's role", taken, &["conflict", "clinic", "participants", "doctor", "role"]);
    });
}
