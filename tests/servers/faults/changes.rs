//! What happens to a Room while the controller does not see it, and what must be there once it sees again.

use serde_json::{Value, json};

use super::scenarios::{ADA_AND_BEN, After, GONE, OPEN, OVER, people};

/// Something that happens to a Room.
pub struct Change {
    pub name: &'static str,
    /// Spec of the Room before; none where there is none.
    pub before: Option<Value>,
    pub steps: Vec<Step>,
    pub after: After,
    /// Whose invite of before opens nothing any more.
    pub refused: &'static [&'static str],
    /// Ben is in the call before, and whoever saw all of it let him stay.
    pub is_undisturbed: bool,
}

/// One request of somebody.
pub enum Step {
    Edit(Value),
    Create(Value),
    Delete,
    /// Nothing of it is seen that would say that it goes.
    DeleteWithoutFinalizer,
}

/// In so many seconds from the moment that the Room is made it ends, by what is known before.
pub const ENDS_IN: i64 = 10;

/// All of them. The end of some is at `end` before.
pub fn all(end: &str) -> Vec<Change> {
    [of_people(), of_the_window(end), of_the_object()].into_iter().flatten().collect()
}

fn open() -> Value {
    json!({"participants": people()})
}

fn list(participants: &Value) -> Step {
    Step::Edit(json!({"participants": participants}))
}

fn of_people() -> Vec<Change> {
    let with_ada = |ada: Value| list(&json!([ada, {"name": "ben"}]));
    let without_ada = || list(&json!([{"name": "ben"}]));
    let invites = |invites| After { phase: Some("Open"), invites, session: true };
    let change = |name, steps, after, refused| Change { name, before: Some(open()), steps, after, refused, is_undisturbed: true };
    let rotated = || json!({"name": "ada", "inviteGeneration": 1});
    vec![
        change("somebody is taken off the list", vec![without_ada()], invites(&[("ben", "Attendee", 0)]), &["ada"]),
        change("somebody is taken off the list and put back", vec![without_ada(), list(&people())], OPEN, &[]),
        change("an invite is rotated", vec![with_ada(rotated())], invites(&[("ada", "Attendee", 1), ("ben", "Attendee", 0)]), &["ada"]),
        change(
            "an invite is rotated and its person goes and comes",
            vec![with_ada(rotated()), without_ada(), with_ada(rotated())],
            invites(&[("ada", "Attendee", 1), ("ben", "Attendee", 0)]),
            &["ada"],
        ),
        change(
            "a role changes twice",
            vec![with_ada(json!({"name": "ada", "role": "Presenter"})), with_ada(json!({"name": "ada", "role": "Consumer"}))],
            invites(&[("ada", "Consumer", 0), ("ben", "Attendee", 0)]),
            &[],
        ),
        change(
            "somebody is added",
            vec![list(&json!([{"name": "ada"}, {"name": "ben"}, {"name": "cyd"}]))],
            invites(&[("ada", "Attendee", 0), ("ben", "Attendee", 0), ("cyd", "Attendee", 0)]),
            &[],
        ),
    ]
}

fn of_the_window(end: &str) -> Vec<Change> {
    let past = "2026-01-02T00:00:00Z";
    let suspend = |suspend: bool| Step::Edit(json!({"suspend": suspend}));
    let until = |until: Value| Step::Edit(json!({"validUntil": until}));
    let change = |name, steps, after| Change { name, before: Some(open()), steps, after, refused: &[], is_undisturbed: false };
    let suspended = After { phase: Some("Suspended"), invites: ADA_AND_BEN, session: false };
    vec![
        change("a Room is suspended", vec![suspend(true)], suspended),
        change("a Room is suspended and goes on", vec![suspend(true), suspend(false)], OPEN),
        change("a Room ends", vec![until(json!(past))], OVER),
        change("a Room ends and opens again", vec![until(json!(past)), until(Value::Null)], OPEN),
        Change {
            name: "an end is put off",
            before: Some(json!({"participants": people(), "validUntil": end})),
            steps: vec![until(json!("2027-02-01T00:00:00Z"))],
            after: OPEN,
            refused: &[],
            is_undisturbed: true,
        },
        Change {
            name: "a TTL is taken away",
            before: Some(json!({"participants": people(), "validUntil": end, "ttlSecondsAfterExpired": 0})),
            steps: vec![Step::Edit(json!({"ttlSecondsAfterExpired": null}))],
            after: OVER,
            refused: &[],
            is_undisturbed: false,
        },
    ]
}

fn of_the_object() -> Vec<Change> {
    let others = json!({"participants": [{"name": "cyd"}]});
    let with_id = json!({"participants": people(), "id": "the-same-as-it-was-before"});
    let again = |name, spec: Value, after, refused| Change {
        name,
        before: Some(if spec["id"].is_string() { spec.clone() } else { open() }),
        steps: vec![Step::DeleteWithoutFinalizer, Step::Create(spec)],
        after,
        refused,
        is_undisturbed: false,
    };
    let made = |name, before, steps, after, refused| Change { name, before, steps, after, refused, is_undisturbed: false };
    vec![
        made("a Room is made", None, vec![Step::Create(open())], OPEN, &[]),
        made("a Room is deleted", Some(open()), vec![Step::Delete], GONE, &["ada", "ben"]),
        again("a Room is made again", open(), OPEN, &["ada", "ben"]),
        again(
            "a Room is made again for others",
            others,
            After { phase: Some("Open"), invites: &[("cyd", "Attendee", 0)], session: true },
            &["ada", "ben"],
        ),
        again("a Room is made again with the id that it had", with_id, OPEN, &[]),
    ]
}
