//! Starts everything.

use std::fs;
use std::path::{Path, PathBuf};

use kube::Client;
use kube::config::{AuthInfo, Kubeconfig};
use serde_json::json;

use crate::support::cluster::{self, Cluster, OPERATOR_NAMESPACE};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::set_credentials;
use crate::{Clock, repository};

/// Where people expect the gateway.
const GATEWAY_PORT: u16 = 8080;

/// A running installation. Its processes end when it is dropped, and when this process ends in any way.
pub struct Installation {
    /// Kubeconfig with all rights, for the person who watches.
    pub kubeconfig: PathBuf,
    /// A client with all rights.
    pub admin: Client,
    /// The media server.
    pub livekit: LiveKitServer,
    /// The gateway.
    pub gateway: Role,
    _controller: Role,
    _cluster: Option<Cluster>,
}

/// Starts everything, in `.demo`.
pub async fn start(clock: &Clock) -> Installation {
    let directory = repository().join(".demo");
    // What an earlier demo left would only confuse.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("the directory .demo");
    let kubeconfig = directory.join("kubeconfig");
    let cluster = match std::env::var_os("DEMO_KUBECONFIG").filter(|given| !given.is_empty()) {
        Some(given) => {
            clock.say(&format!("Using the cluster of {}", given.display()));
            fs::copy(&given, &kubeconfig).expect("DEMO_KUBECONFIG names a readable kubeconfig");
            cluster::install(&cluster::client(&kubeconfig).await).await;
            None
        }
        None => {
            clock.say("Starting etcd, kube-apiserver and kube-controller-manager");
            let cluster = Cluster::start(&directory.join("cluster")).await;
            fs::copy(cluster.admin_kubeconfig(), &kubeconfig).expect("the kubeconfig");
            Some(cluster)
        }
    };
    clock.say("Installed crds/ and the accounts of charts/roomkeeper");
    let admin = cluster::client(&kubeconfig).await;
    let livekit = LiveKitServer::start(Options::default()).await;
    clock.say(&format!("livekit-server answers at {}", livekit.url()));
    set_credentials(&admin, "livekit-credentials", &livekit.options.api_key, &livekit.options.api_secret).await;

    let port = if std::net::TcpListener::bind(("127.0.0.1", GATEWAY_PORT)).is_ok() { GATEWAY_PORT } else { free_port() };
    let url = format!("http://127.0.0.1:{port}");
    let accounts = [account(&admin, &kubeconfig, "roomkeeper-controller").await, account(&admin, &kubeconfig, "roomkeeper-gateway").await];
    let (controller, gateway) = tokio::join!(Role::controller(&accounts[0], &url), Role::gateway(&accounts[1], port));
    clock.say(&format!("The controller and the gateway run under their own ServiceAccounts in {OPERATOR_NAMESPACE}; the gateway is {url}"));
    Installation { kubeconfig, admin, livekit, gateway, _controller: controller, _cluster: cluster }
}

/// Kubeconfig for the same cluster with the rights of one of Roomkeeper's ServiceAccounts.
async fn account(admin: &Client, kubeconfig: &Path, name: &str) -> PathBuf {
    let token = cluster::account_token(admin, cluster::OPERATOR_NAMESPACE, name).await;
    let mut config = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let user: AuthInfo = serde_json::from_value(json!({ "token": token })).expect("a user");
    for named in &mut config.auth_infos {
        named.auth_info = Some(user.clone());
    }
    let path = kubeconfig.with_file_name(format!("kubeconfig-{name}"));
    fs::write(&path, serde_json::to_string(&config).expect("JSON")).expect("a kubeconfig");
    path
}
