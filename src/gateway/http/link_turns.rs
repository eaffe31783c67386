//! Requests by a shared link wait for each other: whoever sends many at once by one gets no more of the gateway and of the media server than
//! somebody who sends a few, and all others have the rest.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client_ip::network;
use crate::api::LINK_SUBJECT;
use crate::domain::{Invite, is_visitor};

/// Requests for one Room that are worked on at the same time from one address, of people who came by its link. Each takes milliseconds, so
/// that an office of 350 is in within seconds.
const AT_ONCE: usize = 2;

/// Id of a Room's invites, and where the requests come from.
type Key = (String, IpAddr);

/// Whose turn it is.
#[derive(Clone, Default)]
pub struct LinkTurns(Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>);

/// A request that waits for its turn or has it, as long as this lives.
pub struct Turn {
    turns: LinkTurns,
    key: Key,
    permit: Option<OwnedSemaphorePermit>,
}

impl LinkTurns {
    /// Waits until a request is to be worked on. Those by a personal invite have their turn at once.
    pub async fn wait(&self, invite: &Invite, client: IpAddr) -> Option<Turn> {
        if invite.participant != LINK_SUBJECT && !is_visitor(&invite.participant) {
            return None;
        }
        let key = (invite.id.clone(), network(client));
        let requests = self.0.lock().entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        let mut turn = Turn { turns: self.clone(), key, permit: None };
        // Fails only for one that is closed, which these never are.
        turn.permit = requests.acquire_owned().await.ok();
        Some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        let mut turns = self.turns.0.lock();
        if turns.get(&self.key).is_some_and(|requests| Arc::strong_count(requests) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::FutureExt;

    use super::*;
    use crate::domain::visitor_identity;
    use crate::fixtures::invite;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));

    #[tokio::test]
    async fn requests_by_a_link_from_one_address_wait_for_each_other_and_nobody_else_for_them() {
        let turns = LinkTurns::default();
        let (link, visitor) = (invite("*"), invite(&visitor_identity("abc")));
        let (first, second) = (turns.wait(&link, HERE).await, turns.wait(&visitor, HERE).await);
        let mut third = Box::pin(turns.wait(&link, HERE));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(turns.wait(&link, THERE).now_or_never().is_some(), "another address");
        assert!(turns.wait(&Invite { id: "another".into(), ..link.clone() }, HERE).now_or_never().is_some(), "another Room");
        assert!(turns.wait(&invite("ada"), HERE).now_or_never().is_some(), "somebody on the list");
        drop(second);
        drop(third.as_mut().now_or_never().expect("its turn"));
        drop(first);
        drop(third);
        assert!(turns.0.lock().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let turns = LinkTurns::default();
        let link = invite("*");
        let held = (turns.wait(&link, HERE).await, turns.wait(&link, HERE).await);
        let mut waiting = Box::pin(turns.wait(&link, HERE));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        drop(waiting);
        assert!(turns.0.lock().is_empty());
    }
}
