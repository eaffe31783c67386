//! Whether this controller may act: not on what may not be true any more, and not beside another leader. After a machine or a process was
//! suspended both may be so before anything else has noticed.

use std::time::Duration;

use super::leader::Renewals;
use crate::api::Reason;
use crate::clock;
use crate::cluster::WatchAges;
use crate::domain::Failure;
use crate::observability::health::Health;

/// How long a watch may be silent until another controller has a try.
const GIVES_WAY: Duration = Duration::from_mins(2);

/// What a controller must have heard of to act.
#[derive(Clone)]
pub struct Fence {
    /// Of the Lease, where there is one.
    renewals: Option<Renewals>,
    ages: WatchAges,
}

impl Fence {
    pub fn new(renewals: Option<Renewals>, ages: WatchAges) -> Self {
        Self { renewals, ages }
    }

    /// Says no while what this controller knows may be too old, or another may lead.
    ///
    /// # Errors
    /// A failure that passes.
    pub fn check(&self) -> Result<(), Failure> {
        self.judge(clock::uptime())
    }

    fn judge(&self, uptime: Duration) -> Result<(), Failure> {
        let leads = self.renewals.as_ref().is_none_or(|renewals| renewals.are_current(uptime));
        if leads && !self.ages.are_silent(uptime) {
            return Ok(());
        }
        let what = if leads { "a watch of the API server" } else { "the Lease" };
        Err(Failure::transient(Reason::ApiServerUnavailable, format!("nothing is done until {what} is heard of again")))
    }

    /// Sets the readiness by what is heard of the watches. Ends when one has been silent for so long that another controller may do better.
    pub async fn follow(self, health: Health) {
        let told = self.ages.tell(|silent| {
            health.set_ready(!silent);
            if silent {
                tracing::warn!("a watch of the API server has been silent for too long: nothing is done until it is not");
            }
        });
        tokio::select! {
            () = told => {}
            () = self.ages.silent_for(GIVES_WAY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_renewed_the_lease_in_time_does_nothing_before_anything_else_has_noticed() {
        let candidate = Fence::new(Some(Renewals::default()), WatchAges::default());
        assert!(candidate.judge(Duration::from_secs(6)).is_ok());
        let refused = candidate.judge(Duration::from_secs(7)).unwrap_err();
        assert!(refused.message.contains("the Lease"), "{refused}");
        let alone = Fence::new(None, WatchAges::default());
        assert!(alone.judge(Duration::from_hours(1)).is_ok(), "without election there is nothing to renew");
    }
}
