//! A media server that a class has left, because its address was edited: calls go on at the new one, and what lives on at the old one is
//! closed once no Room wants it. Where both are the same server under two names, that is nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::sweep::{SWEEP_EVERY, close_orphans, list};
use crate::backend::Backend;
use crate::clock;
use crate::controller::context::Context;

/// How long it is looked at: Rooms move within seconds of the new one's first answer.
const FOLLOWED_FOR: Duration = Duration::from_mins(10);
/// Until then a gateway that has not seen the edit may still make sessions there.
const AT_LEAST: Duration = Duration::from_mins(1);

/// Closes what no Room wants, until there is nothing left that this installation made.
pub async fn follow(class: String, backend: Arc<dyn Backend>, context: Arc<Context>) {
    tracing::info!(class, "the class has left its media server; calls that are left there are closed when they have moved");
    let began = clock::uptime();
    let mut suspects = BTreeSet::new();
    loop {
        let followed = clock::uptime().saturating_sub(began);
        if let Ok(sessions) = list(backend.as_ref()).await {
            if followed > AT_LEAST && !sessions.keys().any(|session| session.starts_with(context.installation.prefix())) {
                return;
            }
            suspects = close_orphans(&class, backend.as_ref(), &sessions, &suspects, &context.rooms.all(), &context, clock::now()).await;
        }
        if followed > FOLLOWED_FOR {
            return;
        }
        sleep(SWEEP_EVERY).await;
    }
}
