//! Leader election: of several controllers one works, by a Lease in the operator's namespace; with shards one for each, by as many Leases.
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

/// Name of the Lease of the first shard, which is all there is where there are no others.
const LEASE: &str = "roomkeeper-controller";
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

/// Name of the Lease of a shard.
#[must_use]
pub fn lease_name(shard: u32) -> String {
    if shard == 0 { LEASE.to_owned() } else { format!("{LEASE}-{shard}") }
}

/// Why a controller is not the leader.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server refuses it for good.
    #[error("the Lease {name} in namespace {namespace} cannot be used: {source}")]
    Refused {
        /// Which one.
        name: String,
        /// Where it should be.
        namespace: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// Another has it.
    #[error("the Lease {name} was taken over by {holder}")]
    Stolen {
        /// Which one.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// It could not be renewed in time.
    #[error("the Lease {0} could not be renewed for {LEADS:?}")]
    Overdue(String),
}

/// A candidate, and then the leader.
pub struct Election {
    api: Api<Lease>,
    namespace: String,
    identity: String,
    /// The Leases of all shards, by their names. It leads one of them.
    leases: Vec<String>,
    renewals: Renewals,
    /// Uptime since which the API server has refused everything.
    refused_since: Mutex<Option<Duration>>,
}

/// A Lease that this candidate holds.
pub struct Won {
    /// The number of the shard.
    pub shard: u32,
    lease: Lease,
}

/// What was seen last of a Lease.
struct Seen {
    version: Option<String>,
    /// Uptime since which it has been unchanged.
    since: Duration,
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

/// Whether a Lease that took so long to be written can be renewed in time, if that takes as long. One that cannot is written again before anybody
/// leads by it.
fn leaves_time(took: Duration) -> bool {
    2 * took < LEADS.saturating_sub(RENEW_EVERY)
}

/// The Lease of this name as `identity` holds it from `now`.
fn held(name: &str, before: Option<Lease>, identity: &str, now: Timestamp) -> Lease {
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
    Lease { metadata: ObjectMeta { name: Some(name.into()), ..before.metadata }, spec: Some(spec) }
}

impl Election {
    /// A candidate for the Lease of one of so many shards, in `namespace`. Identities must be unique.
    pub fn new(client: Client, namespace: &str, identity: String, shards: u32) -> Self {
        let (namespace, renewals) = (namespace.to_owned(), Renewals::default());
        let leases = (0..shards).map(lease_name).collect();
        Self { api: Api::namespaced(client, &namespace), namespace, identity, leases, renewals, refused_since: Mutex::default() }
    }

    /// When the Lease was renewed last.
    pub fn renewals(&self) -> Renewals {
        self.renewals.clone()
    }

    /// Waits until this is the leader of a shard. `standby` is called at each look that found another one.
    ///
    /// # Errors
    /// When the API server refuses for good.
    pub async fn win(&self, standby: impl Fn()) -> Result<Won, LeaseError> {
        let began = clock::uptime();
        let mut candidacies: Vec<_> =
            (0..).zip(&self.leases).map(|(shard, name)| (shard, name, Seen { version: None, since: began })).collect();
        loop {
            for (shard, name, seen) in &mut candidacies {
                if let Some(lease) = self.look(name, seen, &standby).await? {
                    return Ok(Won { shard: *shard, lease });
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Looks at a Lease, and takes it if it is free.
    async fn look(&self, name: &str, seen: &mut Seen, standby: impl Fn()) -> Result<Option<Lease>, LeaseError> {
        let lease = match timed(self.api.get_opt(name)).await {
            Ok(lease) => lease,
            Err(error) => return self.tolerate(name, error).map(|()| None),
        };
        let version = lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if version != seen.version {
            *seen = Seen { version, since: clock::uptime() };
        }
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        if decide(spec.as_ref(), clock::uptime().saturating_sub(seen.since), &self.identity) == Decision::Wait {
            *self.refused_since.lock() = None;
            standby();
            return Ok(None);
        }
        // The look may have waited for an API server that was away.
        let began = clock::uptime();
        let won = self.hold(name, lease).await?;
        if won.is_some() {
            self.renewals.renewed(began);
        }
        Ok(won.filter(|_| leaves_time(clock::uptime().saturating_sub(began))))
    }

    /// Keeps the Lease until it is lost.
    async fn keep(&self, name: &str, mut lease: Lease) -> LeaseError {
        loop {
            sleep(RENEW_EVERY).await;
            let began = clock::uptime();
            let Some(left) = self.renewals.left(began) else { return LeaseError::Overdue(name.to_owned()) };
            match timeout(left, self.renew(name, lease.clone())).await {
                Ok(Ok(Some(current))) => {
                    lease = current;
                    self.renewals.renewed(began);
                }
                Ok(Ok(None)) => {}
                Ok(Err(lost)) => return lost,
                Err(_) => return LeaseError::Overdue(name.to_owned()),
            }
        }
    }

    /// Gives the Lease up, so that another need not wait. Fine if it is lost already.
    async fn resign(&self, name: &str) {
        let Ok(Some(lease)) = timed(self.api.get_opt(name)).await else { return };
        if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) != Some(&self.identity) {
            return;
        }
        let mut free = self.mine(name, Some(lease));
        free.spec = free.spec.map(|spec| LeaseSpec { holder_identity: Some(String::new()), lease_duration_seconds: Some(1), ..spec });
        if let Err(error) = timed(self.api.replace(name, &post_params(), &free)).await {
            tracing::info!(%error, "the Lease could not be given up; the next leader waits until it ends");
        }
    }

    /// Renews; `None` when it did not work and may the next time.
    async fn renew(&self, name: &str, lease: Lease) -> Result<Option<Lease>, LeaseError> {
        if let Some(renewed) = self.hold(name, Some(lease)).await? {
            return Ok(Some(renewed));
        }
        // Somebody wrote to it, or deleted it. The holder decides, not the version.
        match timed(self.api.get_opt(name)).await {
            Ok(None) => self.hold(name, None).await,
            Ok(Some(lease)) => match lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) {
                Some(holder) if holder == self.identity => self.hold(name, Some(lease)).await,
                holder => Err(LeaseError::Stolen { name: name.to_owned(), holder: holder.unwrap_or_default().to_owned() }),
            },
            Err(error) => self.tolerate(name, error).map(|()| None),
        }
    }

    /// What was seen, as this one holds it from now.
    fn mine(&self, name: &str, seen: Option<Lease>) -> Lease {
        held(name, seen, &self.identity, clock::now())
    }

    /// Writes this one down as the holder of what was seen, unless it has changed since.
    async fn hold(&self, name: &str, seen: Option<Lease>) -> Result<Option<Lease>, LeaseError> {
        let exists = seen.is_some();
        let lease = self.mine(name, seen);
        let written = if exists {
            timed(self.api.replace(name, &post_params(), &lease)).await
        } else {
            timed(self.api.create(&post_params(), &lease)).await
        };
        match written {
            Ok(lease) => {
                *self.refused_since.lock() = None;
                Ok(Some(lease))
            }
            Err(error) => self.tolerate(name, error).map(|()| None),
        }
    }

    /// Retryable errors are logged, and so are others that may be of a moment. Those that stay end the election.
    fn tolerate(&self, name: &str, error: kube::Error) -> Result<(), LeaseError> {
        match error {
            kube::Error::Api(ref status) if matches!(status.code, 400 | 401 | 403 | 405 | 422) => {
                let now = clock::uptime();
                let since = *self.refused_since.lock().get_or_insert(now);
                if now.saturating_sub(since) >= REFUSED_FOR {
                    let (name, namespace) = (name.to_owned(), self.namespace.clone());
                    return Err(LeaseError::Refused { name, namespace, source: Box::new(error) });
                }
                tracing::warn!(lease = name, %error, "the API server refuses the use of the Lease; it is tried again");
                Ok(())
            }
            // Others write to it too, or it was deleted.
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => Ok(()),
            error => {
                tracing::warn!(lease = name, %error, "the Lease cannot be reached; it is tried again");
                Ok(())
            }
        }
    }
}

/// Runs `work` while this one leads, then gives the Lease up.
///
/// # Errors
/// Those of the work; or when the Lease was lost: then the work was dropped where it stood.
pub async fn while_leading<E: From<LeaseError>>(election: &Election, won: Won, work: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    let name = lease_name(won.shard);
    let result = tokio::select! {
        result = work => result,
        lost = election.keep(&name, won.lease) => return Err(lost.into()),
    };
    election.resign(&name).await;
    result
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use axum::http::{Method, Request, Response};
    use jiff::ToSpan;
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::json;
    use tower::service_fn;

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
        let first = held(LEASE, None, "a", at("2027-01-15T09:00:00Z"));
        let renewed = held(LEASE, Some(first.clone()), "a", at("2027-01-15T09:00:02Z")).spec.expect("a spec");
        assert_eq!((renewed.acquire_time, renewed.lease_transitions), (Some(MicroTime(at("2027-01-15T09:00:00Z"))), Some(1)));
        assert_eq!(renewed.renew_time, Some(MicroTime(at("2027-01-15T09:00:02Z"))));
        let taken = held(LEASE, Some(first), "b", at("2027-01-15T09:01:00Z")).spec.expect("a spec");
        assert_eq!((taken.acquire_time, taken.lease_transitions), (Some(MicroTime(at("2027-01-15T09:01:00Z"))), Some(2)));
    }

    #[test]
    fn a_lease_that_took_long_to_be_written_is_written_again_before_anybody_leads_by_it() {
        assert!(leaves_time(Duration::from_secs(2)));
        assert!(!leaves_time(Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn what_the_look_at_a_lease_took_does_not_shorten_what_is_won() {
        let answered = Arc::new(Mutex::new(Duration::MAX));
        let at = answered.clone();
        let server = service_fn(move |request: Request<Body>| {
            if request.method() == Method::GET {
                *at.lock() = clock::uptime();
            }
            let missing = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}).to_string();
            ready(match *request.method() {
                Method::GET => Response::builder().status(404).body(Body::from(missing.into_bytes())),
                _ => Ok(Response::new(request.into_body())),
            })
        });
        let election = Election::new(Client::new(server, "default"), "default", "me".into(), 1);
        election.win(|| ()).await.unwrap();
        assert!(*election.renewals.0.lock() >= *answered.lock());
    }
}
