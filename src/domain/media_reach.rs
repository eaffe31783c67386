//! Whether the media of a class reach people, by what was seen of people in its sessions and by nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use super::condition::ConditionStatus;
use crate::api::Reason;

/// For how long nobody's media may have connected before people for whom they do not say that they reach nobody any more.
const FORGETS: Duration = Duration::from_mins(5);
/// How many people it takes to say so: one may be in a network of their own that lets no media through.
const SEVERAL: usize = 2;

/// More people who wait are not told apart.
const MOST: usize = 100;

/// How the media of the people in a session do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaConnections {
    /// Whether somebody's are connected.
    pub connected: bool,
    /// The people who have waited for theirs for longer than that takes, each by a name that nobody else has in any session.
    pub waiting: Vec<String>,
}

/// What was seen of a class.
#[derive(Default)]
pub struct MediaReach {
    /// Uptime at which somebody's media were seen connected last.
    connected_at: Option<Duration>,
    /// Who waited since then.
    waited: BTreeSet<String>,
}

impl MediaReach {
    /// Sessions were looked at, at this uptime.
    pub fn saw(&mut self, connections: impl IntoIterator<Item = MediaConnections>, uptime: Duration) {
        for MediaConnections { connected, waiting } in connections {
            if connected {
                self.connected_at = Some(uptime);
                self.waited.clear();
            } else {
                self.waited.extend(waiting.into_iter().take(MOST.saturating_sub(self.waited.len())));
            }
        }
    }

    /// Whether somebody's media were seen connected.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.connected_at.is_some()
    }

    /// The condition, from what it was `before`: what was seen before a restart still counts, what was never seen is unknown.
    #[must_use]
    pub fn condition(&self, before: ConditionStatus, uptime: Duration) -> (ConditionStatus, Reason, String) {
        let was_connected = self.connected_at.is_some() || before == ConditionStatus::True;
        let is_long_ago = self.connected_at.is_none_or(|at| uptime.saturating_sub(at) >= FORGETS);
        let enough = if was_connected { SEVERAL } else { 1 };
        let has_failed = is_long_ago && self.waited.len() >= enough;
        if has_failed || !was_connected && before == ConditionStatus::False {
            let message = "The media of people who joined did not connect, and nobody's have since: let people reach the media ports of the media server";
            (ConditionStatus::False, Reason::MediaNotConnected, message.to_owned())
        } else if was_connected {
            (ConditionStatus::True, Reason::MediaConnected, "The media of people who joined have connected".to_owned())
        } else {
            let message = "Nobody has joined yet: whether media reach people is seen when somebody does";
            (ConditionStatus::Unknown, Reason::NobodyJoined, message.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(1);

    fn connected() -> MediaConnections {
        MediaConnections { connected: true, waiting: Vec::new() }
    }

    fn waiting(people: &[&str]) -> MediaConnections {
        MediaConnections { connected: false, waiting: people.iter().map(|&who| who.to_owned()).collect() }
    }

    fn after(seen: &[(MediaConnections, Duration)], before: ConditionStatus, uptime: Duration) -> ConditionStatus {
        let mut reach = MediaReach::default();
        for (connections, at) in seen {
            reach.saw([connections.clone()], *at);
        }
        reach.condition(before, uptime).0
    }

    #[test]
    fn it_is_unknown_until_somebody_joined_and_then_what_was_seen() {
        use ConditionStatus::{False, True, Unknown};
        assert_eq!(after(&[], Unknown, NOW), Unknown);
        assert_eq!(after(&[(MediaConnections::default(), NOW)], Unknown, NOW), Unknown, "nobody waits for long");
        assert_eq!(after(&[(connected(), NOW)], Unknown, NOW), True);
        assert_eq!(after(&[(waiting(&["ada"]), NOW)], Unknown, NOW), False);
        assert_eq!(after(&[(waiting(&["ada"]), NOW), (connected(), NOW)], Unknown, NOW), True);
    }

    #[test]
    fn what_was_seen_before_a_restart_still_counts() {
        for before in [ConditionStatus::True, ConditionStatus::False] {
            assert_eq!(after(&[], before, NOW), before);
        }
        assert_eq!(after(&[(connected(), NOW)], ConditionStatus::False, NOW), ConditionStatus::True);
    }

    #[test]
    fn one_person_whose_network_lets_nothing_through_does_not_speak_for_all() {
        let (soon, later) = (NOW + Duration::from_secs(1), NOW + FORGETS);
        let one = [(connected(), NOW), (waiting(&["ada"]), later), (waiting(&["ada"]), later)];
        assert_eq!(after(&one, ConditionStatus::True, later), ConditionStatus::True);
        let two = [(connected(), NOW), (waiting(&["ada"]), soon), (waiting(&["bob"]), soon)];
        assert_eq!(after(&two, ConditionStatus::True, later), ConditionStatus::False);
        assert_eq!(after(&two, ConditionStatus::True, soon), ConditionStatus::True, "so soon after");
    }
}
