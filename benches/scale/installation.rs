//! A control plane of its own for each run, a media server, and the controller under its own account.

use std::ops::Sub;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use roomkeeper::api::{Room, RoomClass};
use roomkeeper::backend::{Backend, LiveKit};
use serde_json::json;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::machine::own_seconds;
use crate::media::MediaServer;
use crate::support::cluster::{Audit, Cluster};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::now;
use crate::support::operator::Role;
use crate::support::process::log_file;
use crate::support::stage::set_credentials;

/// The class of all Rooms, and the Secret with its credentials.
const CLASS: &str = "scale";
/// Base of join links.
const GATEWAY: &str = "http://127.0.0.1";
/// A controller is quiet when it uses less than this part of a processor for as long as [`QUIET_FOR`].
const QUIET: f64 = 0.2;
const QUIET_FOR: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for it.
const PATIENCE: Duration = Duration::from_mins(15);

/// An installation. What is named first ends first.
pub struct Installation {
    controller: Option<Role>,
    pub media: Media,
    /// A client with all rights.
    pub admin: Client,
    /// The kubeconfig of the controller's account.
    pub account: PathBuf,
    pub namespace: String,
    pub cluster: Cluster,
}

/// The media server.
pub enum Media {
    Stub(MediaServer),
    Real(Box<LiveKitServer>),
}

/// Seconds of a processor, each process since its start.
#[derive(Clone, Copy)]
pub struct Usage {
    pub controller: f64,
    pub api_server: f64,
    pub etcd: f64,
    /// The benchmark itself, which holds the floor, the clients and the media server.
    pub benchmark: f64,
}

impl Usage {
    /// Prints what the product and its control plane have used.
    pub fn print(&self) {
        println!("  processor: controller {:.1} s, API server {:.1} s, etcd {:.1} s", self.controller, self.api_server, self.etcd);
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            controller: self.controller - before.controller,
            api_server: self.api_server - before.api_server,
            etcd: self.etcd - before.etcd,
            benchmark: self.benchmark - before.benchmark,
        }
    }
}

/// A start until there is nothing left to do.
pub struct Start {
    /// Seconds until the controller was ready, and until it was quiet.
    pub ready: f64,
    pub quiet: f64,
    /// Seconds of a processor that it had used by then.
    pub used: f64,
    /// Its resident memory then, in MiB.
    pub resident: f64,
}

impl Installation {
    /// Everything but the controller.
    pub async fn new(arguments: &Arguments, audit: Audit) -> Self {
        let directory = log_file("cluster").with_extension("d");
        let media = async {
            if arguments.livekit {
                Media::Real(Box::new(LiveKitServer::start(Options::default()).await))
            } else {
                Media::Stub(MediaServer::start().await)
            }
        };
        let (cluster, media) = tokio::join!(Cluster::start_with(&directory, audit), media);
        let (admin, account) = (cluster.admin().await, cluster.account_kubeconfig("roomkeeper-controller").await);
        let Options { api_key, api_secret, .. } = Options::default();
        set_credentials(&admin, CLASS, &api_key, &api_secret).await;
        let class = json!({
            "apiVersion": "roomkeeper.io/v1alpha1",
            "kind": "RoomClass",
            "metadata": {"name": CLASS, "annotations": {"roomclass.roomkeeper.io/is-default-class": "true"}},
            "spec": {"backend": {"liveKit": {"url": media.url(), "credentialsSecretRef": {"name": CLASS}}}},
        });
        let params = PatchParams::apply("benchmark").force();
        Api::<RoomClass>::all(admin.clone()).patch(CLASS, &params, &Patch::Apply(class)).await.expect("the class is accepted");
        let namespace = cluster.namespace().await;
        Self { controller: None, media, admin, account, namespace, cluster }
    }

    /// With a controller that is ready.
    pub async fn start(arguments: &Arguments, audit: Audit) -> Self {
        let mut installation = Self::new(arguments, audit).await;
        installation.start_controller().await;
        installation
    }

    /// Starts the controller, and waits until it is ready.
    pub async fn start_controller(&mut self) {
        // A Lease of one that was killed would hold it up.
        self.controller = Some(Role::controller_with(&self.account, GATEWAY, &["--leader-elect=false"]).await);
    }

    /// Kills the controller.
    pub fn stop_controller(&mut self) {
        self.controller = None;
    }

    pub fn controller(&self) -> &Role {
        self.controller.as_ref().expect("a controller")
    }

    /// Starts the controller anew, and waits until it is quiet.
    pub async fn restart(&mut self) -> Result<Start, String> {
        self.stop_controller();
        let since = now();
        self.start_controller().await;
        let ready = now().duration_since(since).as_secs_f64();
        self.until_quiet(since, ready).await
    }

    /// Waits until the controller, which has started at `since`, is quiet.
    pub async fn until_quiet(&self, since: Timestamp, ready: f64) -> Result<Start, String> {
        let process = &self.controller().process;
        let windows = usize::try_from(QUIET_FOR.as_millis() / LOOK.as_millis()).expect("a number");
        let mut looks: Vec<(f64, f64)> = Vec::new();
        loop {
            let (after, used) = (now().duration_since(since).as_secs_f64(), process.processor_time().as_secs_f64());
            looks.push((after, used));
            if let Some((began, used_then)) = looks.len().checked_sub(windows + 1).map(|first| looks[first])
                && used - used_then < QUIET * (after - began)
            {
                return Ok(Start { ready, quiet: began, used: used_then, resident: self.resident() });
            }
            if after > PATIENCE.as_secs_f64() {
                return Err(format!("the controller is not quiet after {after:.0} s"));
            }
            sleep(LOOK).await;
        }
    }

    /// Resident memory of the controller, in MiB.
    pub fn resident(&self) -> f64 {
        self.controller().process.resident_bytes() as f64 / 1024.0 / 1024.0
    }

    pub fn usage(&self) -> Usage {
        let controller = self.controller.as_ref().map_or(0.0, |role| role.process.processor_time().as_secs_f64());
        Usage {
            controller,
            api_server: self.cluster.api_server().processor_time().as_secs_f64(),
            etcd: self.cluster.etcd().processor_time().as_secs_f64(),
            benchmark: own_seconds(),
        }
    }

    pub fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }
}

impl Media {
    fn url(&self) -> String {
        match self {
            Self::Stub(server) => format!("http://127.0.0.1:{}", server.port),
            Self::Real(server) => server.url(),
        }
    }

    /// The product's own client for it.
    pub fn backend(&self) -> LiveKit {
        let Options { api_key, api_secret, .. } = Options::default();
        LiveKit::new(&self.url(), None, &api_key, &api_secret).expect("usable settings")
    }

    /// How many sessions live.
    pub async fn living(&self) -> Result<usize, String> {
        match self {
            Self::Stub(server) => Ok(server.living()),
            Self::Real(_) => Ok(self.backend().list_sessions("").await.map_err(|failure| failure.to_string())?.len()),
        }
    }
}
