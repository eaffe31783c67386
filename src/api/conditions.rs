//! Types and reasons of conditions and Events: one list, so that no two places spell one differently.

use std::fmt;

/// Condition types of Rooms and RoomClasses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The spec is valid for its class.
    Accepted,
    /// Every invite Secret is as it should be.
    InvitesReady,
    /// The session is as it should be.
    SessionReady,
    /// People can join now.
    Open,
    /// Sessions and invites are as the spec wants them at this moment.
    Ready,
    /// Nobody can do in the call what their role does not allow.
    RolesEnforced,
    /// Nobody stays in the call after its end.
    EndEnforced,
    /// Of a class: media reach people.
    MediaReachable,
    /// kstatus: the controller is working towards the spec.
    Reconciling,
    /// kstatus: nothing will go on until somebody changes something.
    Stalled,
}

/// Reasons of conditions and of Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Accepted: the spec is valid.
    Valid,
    /// Accepted: no class of that name exists.
    ClassNotFound,
    /// Accepted: the Room names no class and none is annotated as default.
    NoDefaultClass,
    /// Accepted: more than one class is annotated as default.
    SeveralDefaultClasses,
    /// Accepted: the class is not open to this namespace.
    NamespaceNotAllowed,
    /// Accepted: the window is longer than the class, or Roomkeeper, allows.
    WindowTooLong,
    /// Accepted: more participants than the class allows.
    TooManyParticipants,
    /// Accepted: the media server of the class cannot do what the spec asks for.
    Unsupported,
    /// Accepted: the spec is wrong in a way that the API server should have refused.
    InvalidSpec,
    /// InvitesReady: all invites are issued.
    Issued,
    /// InvitesReady: there are none, because the Room is over.
    Withdrawn,
    /// InvitesReady: a Secret of the same name exists and is not ours.
    NameConflict,
    /// A guest's inviter had a shared link that is not in force any more.
    LinkReplaced,
    /// The API server refused a request for good.
    Refused,
    /// The API server could not be asked; it is tried again.
    ApiServerUnavailable,
    /// SessionReady: the session lives.
    Provisioned,
    /// SessionReady: none is wanted at this moment.
    NotNeeded,
    /// SessionReady: it is made when the first person joins.
    OnFirstJoin,
    /// A guest's Room does not exist.
    RoomNotFound,
    /// The media server cannot be reached or answers with an error; it is tried again.
    Unreachable,
    /// The media server refuses the credentials of the class.
    Unauthorized,
    /// The media server makes rooms on join, so that tokens could revive ended calls.
    UnsafeAutoCreate,
    /// The class's backend cannot be used as it is configured.
    Misconfigured,
    /// The media server refused a request for good.
    Rejected,
    /// MediaReachable: somebody's media have connected.
    MediaConnected,
    /// MediaReachable: people joined whose media did not connect.
    MediaNotConnected,
    /// MediaReachable: nobody has joined yet.
    NobodyJoined,
    /// MediaReachable: the load balancer has no address that LiveKit could tell its clients.
    NoMediaAddress,
    /// MediaReachable: the media server does not say who has joined.
    NotReported,
    /// RolesEnforced, EndEnforced: by the media server.
    Enforced,
    /// RolesEnforced, EndEnforced: as far as the media server can.
    BestEffort,
    /// Open: joinable.
    Joinable,
    /// Open: before the window.
    NotYetOpen,
    /// Open: closed by `spec.suspend`.
    Suspended,
    /// Open: the window is over.
    Expired,
    /// Open: the Room is not accepted.
    NotAccepted,
    /// Open: the session is not there.
    NoSession,
    /// Ready and Reconciling: sessions and invites are as the spec wants them.
    Reconciled,
    /// Ready and Reconciling: work is under way.
    Progressing,
    /// Event: the Room waits for its window.
    Scheduled,
    /// Event: the Room opened.
    Opened,
    /// Event: a session that the media server had lost was created again.
    SessionRestored,
    /// Event: a session in which nobody was any more was closed, until somebody joins again.
    SessionIdle,
    /// Event: a person was removed from the call.
    ParticipantRemoved,
    /// Event: a Presenter muted a person.
    ParticipantMuted,
    /// Event: a Presenter ended the call for all.
    CallEnded,
    /// Event: a Presenter added a person.
    GuestAdded,
    /// Event: a Presenter withdrew a person whom a Presenter had added.
    GuestWithdrawn,
    /// Event: a Presenter lets a person in again whom a Presenter had removed.
    ParticipantReadmitted,
    /// Event: the Room was deleted without its session being known as closed.
    SessionLeftBehind,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
