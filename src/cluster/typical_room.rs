//! What the texts of most Rooms have in common, so that each needs to keep only what is its own.

/// Pieces of Rooms as they are written as JSON. Nothing depends on them but how much is saved: what a Room has in common with none of them is
/// kept as it is.
pub(super) const TYPICAL_ROOM: &str = concat!(
    r#""reason":"NotNeeded","status":"True","type":"SessionReady"},"message":"No session is needed at this moment","#,
    r#""reason":"NotYetOpen","status":"False","type":"Open"},"message":"The window has not begun","#,
    r#""reason":"Expired","status":"False","type":"Open"},"message":"The window is over","#,
    r#""reason":"Withdrawn","status":"True","type":"InvitesReady"},"message":"The Room is over, its invites are deleted","#,
    r#""reason":"NotAccepted","status":"False","message":"The spec is not accepted","phase":"Scheduled","phase":"Expired","expiredAt":"2026-"#,
    r#"{"apiVersion":"roomkeeper.io/v1alpha1","kind":"Room","metadata":{"annotations":{"labels":{"#,
    r#""creationTimestamp":"2026-01-01T00:00:00Z","finalizers":["roomkeeper.io/session"],"generation":1},"#,
    r#""spec":{"displayName":"Room","roomClassName":"livekit","validFrom":"2026-01-01T00:00:00Z","validUntil":"2026-01-01T00:00:00Z","#,
    r#""duration":"3600s","participants":[{"name":"ann","displayName":"Ann","role":"Presenter"},{"name":"ben","role":"Attendee"},"#,
    r#"{"name":"eve","role":"Collaborator"},{"name":"zoe","role":"Consumer"}],"session":{"provision":"OnFirstJoin"},"ttlSecondsAfterExpired":0},"#,
    r#""status":{"observedGeneration":1,"phase":"Open","roomClassName":"livekit","validFrom":"2026-01-01T00:00:00Z","#,
    r#""validUntil":"2026-01-01T00:00:00Z","nextTransitionTime":"2026-01-01T00:00:00Z","session":{"id":"rk-000000000000-"#,
    r#"00000000-0000-4000-8000-000000000000-1","epoch":1,"createdAt":"2026-01-01T00:00:00Z"},"participants":["#,
    r#"{"name":"eve","role":"Collaborator","inviteGeneration":0,"secretName":"~","secretUID":"~"},"#,
    r#"{"name":"ann","role":"Presenter","inviteGeneration":0,"secretName":"~","secretUID":"~"},"#,
    r#"{"name":"ben","role":"Attendee","inviteGeneration":0,"secretName":"~","secretUID":"~"}],"#,
    r#""invitesRevision":"0000000000000000","counts":{"invited":10,"joined":0},"conditions":["#,
    r#"{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"The spec is valid for its class","observedGeneration":1,"reason":"Valid","#,
    r#""status":"True","type":"Accepted"},{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"Every participant has an invite Secret","#,
    r#""observedGeneration":1,"reason":"Issued","status":"True","type":"InvitesReady"},{"lastTransitionTime":"2026-01-01T00:00:00Z","#,
    r#""message":"The session is there","observedGeneration":1,"reason":"Provisioned","status":"True","type":"SessionReady"},"#,
    r#"{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"People can join","observedGeneration":1,"reason":"Joinable","status":"True","#,
    r#""type":"Open"},{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"Everything is as the spec wants it","observedGeneration":1,"#,
    r#""reason":"Reconciled","status":"True","type":"Ready"}]}}"#,
);
