//! What each kind of media server can do. It follows from the class alone, so that a Room is judged by it while the media server does not answer.

use crate::api::RoomClass;

/// A kind of media server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    LiveKit,
    AzureCommunicationServices,
}

/// Features that a kind of media server may lack.
// One flag per feature is what a table of features is.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A changed role reaches joined people.
    pub live_roles: bool,
    /// People can be removed from a call.
    pub live_removal: bool,
    /// Whoever is still in a call is put out when it ends.
    pub live_end: bool,
    /// Presenters can mute people.
    pub live_mute: bool,
    /// Camera and screen are told apart, so that a role may have one and not the other.
    pub typed_sources: bool,
    /// It says who is in a call.
    pub presence: bool,
    /// People can come whom nobody has announced to it: by a shared link.
    pub shared_links: bool,
    /// A session can be made by whoever joins first.
    pub on_first_join: bool,
    /// People can check their connection before the call.
    pub connection_check: bool,
    /// Presenters can call telephones.
    pub pstn_dial_out: bool,
}

impl BackendKind {
    /// The kind of a class's media server.
    #[must_use]
    pub fn of(class: &RoomClass) -> Self {
        if class.spec.backend.azure_communication_services.is_some() { Self::AzureCommunicationServices } else { Self::LiveKit }
    }

    /// As the field of `spec.backend` is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveKit => "liveKit",
            Self::AzureCommunicationServices => "azureCommunicationServices",
        }
    }

    /// What media servers of this kind can do.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::LiveKit => Capabilities {
                live_roles: true,
                live_removal: true,
                live_end: true,
                live_mute: true,
                typed_sources: true,
                presence: true,
                shared_links: true,
                on_first_join: true,
                connection_check: true,
                pstn_dial_out: false,
            },
            Self::AzureCommunicationServices => Capabilities {
                live_roles: true,
                live_removal: true,
                live_end: false,
                live_mute: false,
                typed_sources: true,
                presence: false,
                shared_links: false,
                on_first_join: false,
                connection_check: false,
                pstn_dial_out: true,
            },
        }
    }

    /// Whether it has a list of people of its own, on which everybody has to be before they come.
    #[must_use]
    pub const fn keeps_roster(self) -> bool {
        matches!(self, Self::AzureCommunicationServices)
    }
}

impl Capabilities {
    /// The names of those that are there, as the status of a class has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.live_roles, "LiveRoles"),
            (self.live_removal, "LiveRemoval"),
            (self.live_end, "LiveEnd"),
            (self.live_mute, "LiveMute"),
            (self.typed_sources, "TypedSources"),
            (self.presence, "Presence"),
            (self.shared_links, "SharedLinks"),
            (self.on_first_join, "OnFirstJoin"),
            (self.connection_check, "ConnectionCheck"),
            (self.pstn_dial_out, "PstnDialOut"),
        ];
        all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name)
    }
}
