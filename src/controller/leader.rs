//! Leader election: of several controllers one works, by a Lease in the operator's namespace.
//!
//! What stands in the Lease about time is never compared with a clock of ours: a candidate takes a Lease over when it has
//! seen it unchanged for as long as it lasts, and a leader counts from its own last renewal. So clocks that differ decide
//! nothing. Who may have lost the Lease without knowing it does nothing: see [`Renewals`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::request::timed;
use crate::clock;
use crate::cluster::post_params;

/// Name of the Lease.
pub const LEASE: &str = "roomkeeper-controller";
/// How long a Lease lasts without being renewed. A leader that was killed is replaced this much later, and a look.
const LASTS: Duration = Duration::from_secs(10);
/// How often the leader renews it.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often others look at it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a leader leads without renewing: it must have stopped before another may begin.
const LEADS: Duration = Duration::from_secs(7);
const _: () = assert!(LEADS.as_secs() < LASTS.as_secs());
/// How long the API server may refuse: one that starts does so for a moment, before it knows who may do what.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Longest duration that is believed of a Lease, so that one that somebody wrote nonsense into does not hold everybody up.
const LONGEST: Duration = Duration::from_mins(1);

/// Why a controller is not the leader.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server refuses it for good.
    #[error("the Lease {LEASE} in namespace {namespace} cannot be used: {source}")]
    Refused {
        /// Where it should be.
        namespace: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// Another has it.
    #[error("the Lease {LEASE} was taken over by {0}")]
    Stolen(String),
    /// It could not be renewed in time.
    #[error("the Lease {LEASE} could not be renewed for {LEADS:?}")]
    Overdue,
}

/// A candidate, and then the leader.
pub struct Election {
    api: Api<Lease>,
    namespace: String,
    identity: String,
    renewals: Renewals,
    /// Uptime since which the API server has refused everything.
    refused_since: Mutex<Option<Duration>>,
}

/// When the leader has renewed its Lease last.
#[derive(Clone, Default)]
pub struct Renewals(Arc<Mutex<Duration>>);

impl Renewals {
    /// Whether nobody else can lead at this moment. A process or a machine that was suspended may not know yet that another does.
    #[must_use]
    pub fn are_current(&self, uptime: Duration) -> bool {
        uptime.saturating_sub(*self.0.lock()) < LEADS
    }

    fn renewed(&self, uptime: Duration) {
        *self.0.lock() = uptime;
    }

    /// For how long nobody else can lead, from this moment on.
    fn left(&self, uptime: Duration) -> Option<Duration> {
        LEADS.checked_sub(uptime.saturating_sub(*self.0.lock()))
    }
}

/// What a candidate does next.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Create,
    Take,
    Wait,
}

/// Judges a Lease that has been seen unchanged for some time.
fn decide(lease: Option<&LeaseSpec>, unchanged: Duration, identity: &str) -> Decision {
    let Some(lease) = lease else { return Decision::Create };
    let lasts = lease.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LASTS, Duration::from_secs);
    match lease.holder_identity.as_deref() {
        None | Some("") => Decision::Take,
        Some(holder) if holder == identity => Decision::Take,
        Some(_) if unchanged >= lasts.min(LONGEST) => Decision::Take,
        Some(_) => Decision::Wait,
    }
}

/// The Lease as `identity` holds it from `now`.
fn held(before: Option<Lease>, identity: &str, now: Timestamp) -> Lease {
    let before = before.unwrap_or_default();
    let spec = before.spec.unwrap_or_default();
    let same = spec.holder_identity.as_deref() == Some(identity);
    let transitions = spec.lease_transitions.unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
        acquire_time: if same { spec.acquire_time } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(if same { transitions } else { transitions.saturating_add(1) }),
        ..spec
    };
    Lease { metadata: ObjectMeta { name: Some(LEASE.into()), ..before.metadata }, spec: Some(spec) }
}

impl Election {
    /// A candidate for the Lease in `namespace`. Identities must be unique.
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        let (namespace, renewals) = (namespace.to_owned(), Renewals::default());
        Self { api: Api::namespaced(client, &namespace), namespace, identity, renewals, refused_since: Mutex::default() }
    }

    /// When the Lease was renewed last.
    pub fn renewals(&self) -> Renewals {
        self.renewals.clone()
    }

    /// Waits until this is the leader. `standby` is called at each look that found another one.
    ///
    /// # Errors
    /// When the API server refuses for good.
    pub async fn win(&self, standby: impl Fn()) -> Result<Lease, LeaseError> {
        let mut seen = (None, clock::uptime());
        loop {
            let began = clock::uptime();
            match timed(self.api.get_opt(LEASE)).await {
                Ok(lease) => {
                    let version = lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
                    if version != seen.0 {
                        seen = (version, clock::uptime());
                    }
                    let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
                    if decide(spec.as_ref(), clock::uptime().saturating_sub(seen.1), &self.identity) == Decision::Wait {
                        *self.refused_since.lock() = None;
                        standby();
                    } else if let Some(won) = self.hold(lease).await? {
                        self.renewals.renewed(began);
                        return Ok(won);
                    }
                }
                Err(error) => self.tolerate(error)?,
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the Lease until it is lost.
    pub async fn keep(&self, mut lease: Lease) -> LeaseError {
        loop {
            sleep(RENEW_EVERY).await;
            let began = clock::uptime();
            let Some(left) = self.renewals.left(began) else { return LeaseError::Overdue };
            match timeout(left, self.renew(lease.clone())).await {
                Ok(Ok(Some(current))) => {
                    lease = current;
                    self.renewals.renewed(began);
                }
                Ok(Ok(None)) => {}
                Ok(Err(lost)) => return lost,
                Err(_) => return LeaseError::Overdue,
            }
        }
    }

    /// Gives the Lease up, so that another need not wait. Fine if it is lost already.
    pub async fn resign(&self) {
        let Ok(Some(lease)) = timed(self.api.get_opt(LEASE)).await else { return };
        if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) != Some(&self.identity) {
            return;
        }
        let mut free = self.mine(Some(lease));
        free.spec = free.spec.map(|spec| LeaseSpec { holder_identity: Some(String::new()), lease_duration_seconds: Some(1), ..spec });
        if let Err(error) = timed(self.api.replace(LEASE, &post_params(), &free)).await {
            tracing::info!(%error, "the Lease could not be given up; the next leader waits until it ends");
        }
    }

    /// Renews; `None` when it did not work and may the next time.
    async fn renew(&self, lease: Lease) -> Result<Option<Lease>, LeaseError> {
        if let Some(renewed) = self.hold(Some(lease)).await? {
            return Ok(Some(renewed));
        }
        // Somebody wrote to it, or deleted it. The holder decides, not the version.
        match timed(self.api.get_opt(LEASE)).await {
            Ok(None) => self.hold(None).await,
            Ok(Some(lease)) => match lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) {
                Some(holder) if holder == self.identity => self.hold(Some(lease)).await,
                holder => Err(LeaseError::Stolen(holder.unwrap_or_default().to_owned())),
            },
            Err(error) => self.tolerate(error).map(|()| None),
        }
    }

    /// What was seen, as this one holds it from now.
    fn mine(&self, seen: Option<Lease>) -> Lease {
        held(seen, &self.identity, clock::now())
    }

    /// Writes this one down as the holder of what was seen, unless it has changed since.
    async fn hold(&self, seen: Option<Lease>) -> Result<Option<Lease>, LeaseError> {
        let exists = seen.is_some();
        let lease = self.mine(seen);
        let written = if exists {
            timed(self.api.replace(LEASE, &post_params(), &lease)).await
        } else {
            timed(self.api.create(&post_params(), &lease)).await
        };
        match written {
            Ok(lease) => {
                *self.refused_since.lock() = None;
                Ok(Some(lease))
            }
            Err(error) => self.tolerate(error).map(|()| None),
        }
    }

    /// Retryable errors are logged, and so are others that may be of a moment. Those that stay end the election.
    fn tolerate(&self, error: kube::Error) -> Result<(), LeaseError> {
        match error {
            kube::Error::Api(ref status) if matches!(status.code, 400 | 401 | 403 | 405 | 422) => {
                let now = clock::uptime();
                let since = *self.refused_since.lock().get_or_insert(now);
                if now.saturating_sub(since) >= REFUSED_FOR {
                    return Err(LeaseError::Refused { namespace: self.namespace.clone(), source: Box::new(error) });
                }
                tracing::warn!(%error, "the API server refuses the use of the Lease; it is tried again");
                Ok(())
            }
            // Others write to it too, or it was deleted.
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => Ok(()),
            error => {
                tracing::warn!(%error, "the Lease cannot be reached; it is tried again");
                Ok(())
            }
        }
    }
}

/// Runs `work` while this one leads, then gives the Lease up.
///
/// # Errors
/// Those of the work; or when the Lease was lost: then the work was dropped where it stood.
pub async fn while_leading<E: From<LeaseError>>(
    election: &Election,
    lease: Lease,
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let result = tokio::select! {
        result = work => result,
        lost = election.keep(lease) => return Err(lost.into()),
    };
    election.resign().await;
    result
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use rstest::rstest;

    use super::*;

    fn lease(holder: Option<&str>, seconds: Option<i32>) -> LeaseSpec {
        LeaseSpec { holder_identity: holder.map(Into::into), lease_duration_seconds: seconds, ..LeaseSpec::default() }
    }

    #[rstest]
    #[case::nobody_made_it_yet(None, 0, Decision::Create)]
    #[case::it_was_given_up(Some(lease(Some(""), Some(1))), 0, Decision::Take)]
    #[case::it_never_had_a_holder(Some(lease(None, None)), 0, Decision::Take)]
    #[case::it_is_mine(Some(lease(Some("me"), Some(10))), 0, Decision::Take)]
    #[case::another_has_it(Some(lease(Some("other"), Some(10))), 9, Decision::Wait)]
    #[case::another_has_left_it(Some(lease(Some("other"), Some(10))), 10, Decision::Take)]
    #[case::another_lets_it_last_longer(Some(lease(Some("other"), Some(30))), 29, Decision::Wait)]
    #[case::nonsense_does_not_hold_up_for_ever(Some(lease(Some("other"), Some(i32::MAX))), 60, Decision::Take)]
    #[case::a_negative_duration_is_the_usual_one(Some(lease(Some("other"), Some(-5))), 9, Decision::Wait)]
    fn a_candidate_goes_by_how_long_it_has_seen_the_lease_unchanged(
        #[case] lease: Option<LeaseSpec>,
        #[case] unchanged: u64,
        #[case] expected: Decision,
    ) {
        assert_eq!(decide(lease.as_ref(), Duration::from_secs(unchanged), "me"), expected);
    }

    #[test]
    fn a_renewal_time_of_a_clock_that_is_hours_off_changes_nothing() {
        let now: Timestamp = "2027-01-15T09:00:00Z".parse().expect("a time");
        for hours in [-5, 5] {
            let renew_time = Some(MicroTime(now + hours.hours()));
            let lease = LeaseSpec { renew_time, ..lease(Some("other"), Some(10)) };
            assert_eq!(decide(Some(&lease), Duration::from_secs(9), "me"), Decision::Wait);
            assert_eq!(decide(Some(&lease), Duration::from_secs(10), "me"), Decision::Take);
        }
    }

    #[test]
    fn a_renewal_keeps_what_a_new_holder_changes() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let first = held(None, "a", at("2027-01-15T09:00:00Z"));
        let renewed = held(Some(first.clone()), "a", at("2027-01-15T09:00:02Z")).spec.expect("a spec");
        assert_eq!((renewed.acquire_time, renewed.lease_transitions), (Some(MicroTime(at("2027-01-15T09:00:00Z"))), Some(1)));
        assert_eq!(renewed.renew_time, Some(MicroTime(at("2027-01-15T09:00:02Z"))));
        let taken = held(Some(first), "b", at("2027-01-15T09:01:00Z")).spec.expect("a spec");
        assert_eq!((taken.acquire_time, taken.lease_transitions), (Some(MicroTime(at("2027-01-15T09:01:00Z"))), Some(2)));
    }
}
