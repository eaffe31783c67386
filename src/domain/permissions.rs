//! What each role may do.

use crate::api::Role;

/// What a person may do in a call. Everybody hears and sees.
// One flag per permission is what a permission table is.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Publish a microphone.
    pub microphone: bool,
    /// Publish a camera.
    pub camera: bool,
    /// Publish a screen, with its sound.
    pub screen_share: bool,
    /// Send chat and data.
    pub data: bool,
    /// Mute others, remove others, end the call for all.
    pub moderate: bool,
    /// Add people while the call runs.
    pub add_people: bool,
}

impl Permissions {
    /// Those of a role in a call in which nobody sends pictures, if it is `audio_only`.
    #[must_use]
    pub const fn in_call(role: Role, audio_only: bool) -> Self {
        let all = Self::of(role);
        if audio_only { Self { camera: false, screen_share: false, ..all } } else { all }
    }

    /// The permissions of a role, as Azure Communication Services Rooms has them, with chat added.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        let (takes_part, shares, presents) = match role {
            Role::Presenter => (true, true, true),
            Role::Collaborator => (true, true, false),
            Role::Attendee => (true, false, false),
            Role::Consumer => (false, false, false),
        };
        Self {
            microphone: takes_part,
            camera: takes_part,
            screen_share: shares,
            data: takes_part,
            moderate: presents,
            add_people: presents,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Role::Presenter, [true, true, true, true, true, true])]
    #[case(Role::Collaborator, [true, true, true, true, false, false])]
    #[case(Role::Attendee, [true, true, false, true, false, false])]
    #[case(Role::Consumer, [false, false, false, false, false, false])]
    fn a_role_may_do_what_the_table_of_roles_says(#[case] role: Role, #[case] expected: [bool; 6]) {
        let Permissions { microphone, camera, screen_share, data, moderate, add_people } = Permissions::of(role);
        assert_eq!([microphone, camera, screen_share, data, moderate, add_people], expected);
    }

    #[rstest]
    fn in_a_call_of_voices_nobody_sends_pictures_and_all_else_stays(
        #[values(Role::Presenter, Role::Collaborator, Role::Attendee, Role::Consumer)] role: Role,
    ) {
        let (all, voices) = (Permissions::in_call(role, false), Permissions::in_call(role, true));
        assert_eq!(all, Permissions::of(role));
        assert_eq!(voices, Permissions { camera: false, screen_share: false, ..all });
    }
}
