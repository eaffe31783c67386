//! Tells a LiveKit server that is installed along the address of the load balancer by which people reach its media.

use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::time::sleep;

use super::request::{failure_of, timed};
use crate::api::RoomClass;
use crate::args::ControllerArgs;
use crate::clock;
use crate::cluster::{Shard, addresses, load_balancer, tell_address, told_address};
use crate::domain::{BalancedService, MediaAddress, NoMediaAddress, media_address};

/// Pause until the next look while there is no address, and when there is one.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// For how long the name of a load balancer must not have led to the address that was told before another one is told: that ends all calls, and not
/// every answer of a name server has all addresses.
const NAMES_SETTLE: Duration = Duration::from_mins(10);

/// What the classes have to know of the included LiveKit's address.
pub struct IncludedMedia {
    /// The Secret with the included LiveKit's keys, by which its class is known.
    secret: Option<String>,
    problem: watch::Receiver<Option<String>>,
}

impl IncludedMedia {
    /// Why people cannot reach the media of this class, if it is the included LiveKit's and there is such a reason.
    pub fn problem_of(&self, class: &RoomClass) -> Option<String> {
        let live_kit = class.spec.backend.live_kit.as_ref()?;
        if self.secret.as_ref() != Some(&live_kit.credentials_secret_ref.name) {
            return None;
        }
        self.problem.borrow().clone()
    }
}

/// Looks at the load balancer from time to time, and tells LiveKit.
pub struct MediaAddressLoop {
    client: Client,
    namespace: String,
    services: Vec<String>,
    deployment: String,
    problem: watch::Sender<Option<String>>,
    /// The address that LiveKit was told for certain, and since when by a clock that nobody can set it is not that of the load balancer.
    told: Option<MediaAddress>,
    differs_since: Option<Duration>,
}

/// What the classes have to know, and what finds that out; nothing does where there is no such load balancer, and of several shards the first one does.
pub fn start(client: &Client, args: &ControllerArgs, shard: Shard) -> (IncludedMedia, Option<MediaAddressLoop>) {
    let (sender, problem) = watch::channel(None);
    let included = IncludedMedia { secret: args.livekit_keys_secret.clone(), problem };
    let deployment = args.livekit_deployment.clone().filter(|_| shard.is_first() && !args.livekit_media_services.is_empty());
    let task = deployment.map(|deployment| MediaAddressLoop {
        client: client.clone(),
        namespace: args.operator_namespace.clone(),
        services: args.livekit_media_services.clone(),
        deployment,
        problem: sender,
        told: None,
        differs_since: None,
    });
    (included, task)
}

impl MediaAddressLoop {
    /// Until it is ended.
    pub async fn run(mut self) {
        loop {
            match self.look().await {
                Ok(outcome) => self.publish(outcome.err().map(|problem| problem.to_string())),
                Err(error) => {
                    tracing::warn!(%error, "the address of LiveKit's media could not be looked up or written; it is tried again");
                    let failure = failure_of(&error);
                    // What the API server does not answer says nothing of the address.
                    if failure.needs_change() {
                        self.publish(Some(failure.message));
                    }
                }
            }
            sleep(if self.problem.borrow().is_some() || self.told.is_none() { LOOK_AGAIN } else { LOOK_EVERY }).await;
        }
    }

    fn publish(&self, problem: Option<String>) {
        self.problem.send_if_modified(|known| {
            let is_news = *known != problem;
            if let Some(problem) = problem.as_ref().filter(|_| is_news) {
                tracing::warn!(problem, "people cannot be told where LiveKit's media are");
            }
            *known = problem;
            is_news
        });
    }

    async fn look(&mut self) -> kube::Result<Result<(), NoMediaAddress>> {
        let mut services = Vec::new();
        for name in &self.services {
            let places = timed(load_balancer(&self.client, &self.namespace, name)).await?;
            match addresses(name, places).await {
                Ok(service) => services.push(service),
                Err(problem) => return Ok(Err(problem)),
            }
        }
        let told = timed(told_address(&self.client, &self.namespace, &self.deployment)).await?;
        let before = told.as_ref().and_then(|told| told.address);
        let address = match media_address(&services, before) {
            Ok(address) => address,
            Err(problem) => return Ok(Err(problem)),
        };
        let is_settled = before.is_none_or(|before| before == address) || self.has_settled(&services);
        if is_settled && (self.told != Some(address) || before != Some(address)) {
            timed(tell_address(&self.client, (&self.namespace, &self.deployment), told, address)).await?;
            self.told = Some(address);
        }
        if self.told == Some(address) {
            self.differs_since = None;
        }
        Ok(Ok(()))
    }

    /// Whether an address that is not the one that was told may be told: at once where the load balancer has addresses.
    fn has_settled(&mut self, services: &[BalancedService]) -> bool {
        let uptime = clock::uptime();
        let since = *self.differs_since.get_or_insert(uptime);
        services.iter().all(|service| !service.is_named) || uptime.saturating_sub(since) >= NAMES_SETTLE
    }
}
