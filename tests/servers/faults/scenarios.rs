//! What happens to a Room, and what must be there afterwards.

use serde_json::{Value, json};

/// Something that happens to a Room.
pub struct Scenario {
    pub name: &'static str,
    /// Spec of the Room before; none where it is made then.
    pub before: Option<Value>,
    /// What is merged into its spec; none where it is deleted.
    pub change: Option<Value>,
    pub after: After,
}

/// What is there when all has come to rest.
#[derive(Clone, Copy, Debug)]
pub struct After {
    /// Phase of the Room; none where the object is gone.
    pub phase: Option<&'static str>,
    /// Whose invites there are: name, role and generation.
    pub invites: &'static [(&'static str, &'static str, i64)],
    /// Whether there is a session.
    pub session: bool,
}

pub const ADA_AND_BEN: &[(&str, &str, i64)] = &[("ada", "Attendee", 0), ("ben", "Attendee", 0)];
pub const GONE: After = After { phase: None, invites: &[], session: false };
pub const OVER: After = After { phase: Some("Expired"), invites: &[], session: false };
pub const OPEN: After = After { phase: Some("Open"), invites: ADA_AND_BEN, session: true };

/// Those two.
pub fn people() -> Value {
    json!([{"name": "ada"}, {"name": "ben"}])
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let past = "2026-01-02T00:00:00Z";
    let open = || json!({"participants": people()});
    let over = json!({"participants": people(), "validFrom": "2026-01-01T00:00:00Z", "validUntil": past});
    vec![
        Scenario { name: "a Room is made", before: None, change: Some(open()), after: OPEN },
        Scenario {
            name: "people come and go and change roles",
            before: Some(open()),
            change: Some(json!({"participants": [{"name": "ada", "role": "Presenter"}, {"name": "cyd"}]})),
            after: After { phase: Some("Open"), invites: &[("ada", "Presenter", 0), ("cyd", "Attendee", 0)], session: true },
        },
        Scenario {
            name: "an invite is rotated",
            before: Some(open()),
            change: Some(json!({"participants": [{"name": "ada", "inviteGeneration": 1}, {"name": "ben"}]})),
            after: After { phase: Some("Open"), invites: &[("ada", "Attendee", 1), ("ben", "Attendee", 0)], session: true },
        },
        Scenario {
            name: "a Room is suspended",
            before: Some(open()),
            change: Some(json!({"suspend": true})),
            after: After { phase: Some("Suspended"), invites: ADA_AND_BEN, session: false },
        },
        Scenario {
            name: "a suspended Room goes on",
            before: Some(json!({"participants": people(), "suspend": true})),
            change: Some(json!({"suspend": false})),
            after: OPEN,
        },
        Scenario { name: "a Room ends", before: Some(open()), change: Some(json!({"validUntil": past})), after: OVER },
        Scenario {
            name: "a Room that is over opens again",
            before: Some(over),
            change: Some(json!({"validFrom": null, "validUntil": null})),
            after: OPEN,
        },
        Scenario {
            name: "a Room ends and is deleted by its TTL",
            before: Some(open()),
            change: Some(json!({"validUntil": past, "ttlSecondsAfterExpired": 0})),
            after: GONE,
        },
        Scenario { name: "a Room is deleted", before: Some(open()), change: None, after: GONE },
    ]
}
