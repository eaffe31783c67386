//! Roles as LiveKit's permissions, and back.

use std::collections::HashMap;

use livekit_protocol::{ParticipantPermission, TrackSource};

use crate::api::Role;
use crate::domain::Permissions;

/// Participant attribute with the role. Presenter and Collaborator have the same permissions in LiveKit, where nobody gets
/// `roomAdmin`, so permissions alone do not tell them apart. People cannot change their own attributes.
const ROLE: &str = "roomkeeper.io/role";

/// The roles by their names in manifests.
const NAMES: [(Role, &str); 4] =
    [(Role::Presenter, "Presenter"), (Role::Collaborator, "Collaborator"), (Role::Attendee, "Attendee"), (Role::Consumer, "Consumer")];

/// The whole permission set of a role, in a call of voices alone if it is `audio_only`; LiveKit replaces a set as a whole, so nothing is left out.
pub(super) fn of(role: Role, audio_only: bool) -> ParticipantPermission {
    let allowed = Permissions::in_call(role, audio_only);
    let sources: Vec<i32> = [
        (allowed.camera, TrackSource::Camera),
        (allowed.microphone, TrackSource::Microphone),
        (allowed.screen_share, TrackSource::ScreenShare),
        (allowed.screen_share, TrackSource::ScreenShareAudio),
    ]
    .into_iter()
    .filter_map(|(may, source)| may.then_some(source.into()))
    .collect();
    // `recorder` and `agent` are deprecated, and have to be sent as false all the same.
    #[allow(deprecated)]
    ParticipantPermission {
        can_subscribe: true,
        // An empty list of sources means every source, so that only this flag stops who may publish nothing.
        can_publish: !sources.is_empty(),
        can_publish_sources: sources,
        can_publish_data: allowed.data,
        can_update_metadata: false,
        can_subscribe_metrics: false,
        can_manage_agent_session: false,
        hidden: false,
        recorder: false,
        agent: false,
    }
}

/// The attribute that names a role.
pub(super) fn attribute(role: Role) -> (String, String) {
    let name = NAMES.iter().find(|(named, _)| *named == role).map_or("", |(_, name)| name);
    (ROLE.to_owned(), name.to_owned())
}

/// The role that somebody was given and has exactly the permissions of.
pub(super) fn role_of(permission: Option<&ParticipantPermission>, attributes: &HashMap<String, String>, audio_only: bool) -> Option<Role> {
    let given = attributes.get(ROLE)?;
    let (role, _) = NAMES.into_iter().find(|(_, name)| name == given)?;
    (ordered(permission?.clone()) == ordered(of(role, audio_only))).then_some(role)
}

/// The set with its sources in one order: they are a set, and the server need not keep theirs.
fn ordered(mut permission: ParticipantPermission) -> ParticipantPermission {
    permission.can_publish_sources.sort_unstable();
    permission
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(role: Role) -> (ParticipantPermission, HashMap<String, String>) {
        (of(role, false), HashMap::from([attribute(role)]))
    }

    #[test]
    fn every_role_is_told_from_its_own_permissions() {
        for (role, _) in NAMES {
            let (permission, attributes) = seen(role);
            assert_eq!(role_of(Some(&permission), &attributes, false), Some(role));
        }
    }

    #[test]
    fn who_may_send_pictures_in_a_call_of_voices_has_no_role_there() {
        let (permission, attributes) = seen(Role::Attendee);
        assert_eq!(role_of(Some(&permission), &attributes, true), None);
        assert_eq!(role_of(Some(&of(Role::Attendee, true)), &attributes, true), Some(Role::Attendee));
        let sources = of(Role::Presenter, true).can_publish_sources;
        assert_eq!(sources, [i32::from(TrackSource::Microphone)]);
    }

    #[test]
    fn names_are_those_of_manifests() {
        for (role, name) in NAMES {
            assert_eq!(serde_json::json!(role), name);
        }
    }

    #[test]
    fn permissions_that_are_not_exactly_those_of_the_role_are_of_no_role() {
        let (permission, attributes) = seen(Role::Attendee);
        for changed in [
            ParticipantPermission { hidden: true, ..permission.clone() },
            ParticipantPermission { can_update_metadata: true, ..permission.clone() },
            ParticipantPermission { can_subscribe: false, ..permission.clone() },
            ParticipantPermission { can_publish_sources: vec![], ..permission.clone() },
        ] {
            assert_eq!(role_of(Some(&changed), &attributes, false), None);
        }
        assert_eq!(role_of(None, &attributes, false), None);
        assert_eq!(role_of(Some(&permission), &HashMap::new(), false), None);
        assert_eq!(role_of(Some(&permission), &HashMap::from([attribute(Role::Consumer)]), false), None);
    }

    #[test]
    fn the_order_of_sources_does_not_matter() {
        let (mut permission, attributes) = seen(Role::Presenter);
        permission.can_publish_sources.reverse();
        assert_eq!(role_of(Some(&permission), &attributes, false), Some(Role::Presenter));
    }

    #[test]
    fn who_may_publish_nothing_has_no_sources_and_no_right_to_publish() {
        let permission = of(Role::Consumer, false);
        assert!(!permission.can_publish && permission.can_publish_sources.is_empty() && !permission.can_publish_data);
    }
}
