//! Nodes, and an installation on one of them as its users see it: helm, kubectl, and calls from outside of the cluster.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::image;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::{chart, helm, said, template};
use crate::support::livekit::Client as Caller;
use crate::support::node::{Family, Node, scratch_image};
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::stage::{Answer, ask_at};
use crate::support::tools::tool;
use crate::support::{eventually, now};

/// How long to wait for something. Generous, because only failures use it up.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Namespace of the Room.
pub const CLINIC: &str = "clinic";
/// The Room of `examples/consultation.yaml`.
pub const ROOM: &str = "consultation";
/// Port of the node that leads to the gateway, where a test wants one.
const NODE_PORT: u16 = 30080;

/// Number of nodes at most. Tests on a node mostly wait, so several share two cores; each node takes about 1 GiB of memory.
const NODES: usize = 3;

/// Permits to use a node, one for each.
static PERMITS: Semaphore = Semaphore::const_new(NODES);
/// Nodes that run and that no test uses.
static IDLE: Mutex<Vec<&Node>> = Mutex::new(Vec::new());

/// A node that one test has to itself, since an installation is for the whole cluster.
pub struct Site {
    /// The node.
    pub node: &'static Node,
    /// A client with all rights.
    pub admin: Client,
    _permit: SemaphorePermit<'static>,
}

impl Site {
    /// A node with the images of the chart and without any installation; nothing where there can be no node.
    pub async fn take() -> Option<Self> {
        Self::take_of(Family::IPv4).await
    }

    /// The same with these addresses.
    pub async fn take_of(family: Family) -> Option<Self> {
        if !Node::possible_with(family) {
            return None;
        }
        // Before the nodes, which would only take processor time from the compiler.
        let images = images().await;
        let permit = PERMITS.acquire().await.expect("never closed");
        let idle = {
            let mut idle = IDLE.lock().expect("nobody panics while holding it");
            let found = idle.iter().position(|node| node.family() == family);
            found.map(|place| idle.swap_remove(place))
        };
        let site = if let Some(node) = idle {
            let site = Self { node, admin: node.admin().await, _permit: permit };
            site.clear();
            site
        } else {
            let node: &Node = Box::leak(Box::new(Node::start(family).await));
            for archive in images {
                node.import(archive);
            }
            Self { node, admin: node.admin().await, _permit: permit }
        };
        let namespaces = [(OPERATOR_NAMESPACE, r#","labels":{"pod-security.kubernetes.io/enforce":"restricted"}"#), (CLINIC, "")];
        for (name, labels) in namespaces {
            let namespace = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"{labels}}}}}"#);
            let made = site.node.kubectl(&["create", "-f", "-"], &namespace);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Some(site)
    }

    /// Removes what the test before has left. Not by `helm uninstall`, which ends calls and pods gently; other tests are about that.
    fn clear(&self) {
        let delete = |arguments: &[&str]| self.kubectl(&[&["delete", "--ignore-not-found", "--timeout=120s"], arguments].concat());
        delete(&["deployments,replicasets,jobs,pods", "--all", "-n", OPERATOR_NAMESPACE, "--now"]);
        // Nobody is left to take the finalizer off.
        if self.kubectl(&["get", "crd", "-o", "name"]).contains("rooms.roomkeeper.io") {
            let name = r#"jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}"#;
            for room in self.kubectl(&["get", "rooms", "-A", "-o", name]).lines() {
                let (namespace, name) = room.split_once('/').expect("a namespace");
                self.kubectl(&["patch", "room", "-n", namespace, name, "--type=merge", r#"-p={"metadata":{"finalizers":null}}"#]);
            }
        }
        let cluster_wide = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
        delete(&[cluster_wide, "-l", "app.kubernetes.io/part-of=roomkeeper"]);
        delete(&["crd", "rooms.roomkeeper.io", "roomguests.roomkeeper.io", "roomremovals.roomkeeper.io", "roomclasses.roomkeeper.io"]);
        let namespaces = self.kubectl(&["get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}"]);
        let is_ours = |name: &&str| *name != "default" && !name.starts_with("kube-");
        let ours: Vec<&str> = namespaces.split_whitespace().filter(is_ours).collect();
        delete(&[&["namespace"], &ours[..]].concat());
    }

    /// Runs helm in the operator's namespace, and returns its output.
    pub fn helm(&self, arguments: &[&str]) -> String {
        said(&self.try_helm(arguments))
    }

    fn try_helm(&self, arguments: &[&str]) -> std::process::Output {
        helm(Some(&self.node.admin_kubeconfig()), &[arguments, &["--namespace", OPERATOR_NAMESPACE]].concat())
    }

    /// Installs the chart as the documentation says, with these values, and waits until all pods are ready.
    pub fn install(&self, values: &[&str]) {
        let chart = chart().display().to_string();
        let install = ["upgrade", "--install", "roomkeeper", &chart, "--create-namespace", "--wait", "--timeout=3m"];
        self.helm(&[&install[..], values].concat());
    }

    /// Values that open the gateway at a port of the node, and its address there.
    pub fn at_a_node_port(&self) -> ([String; 3], String) {
        let host = SocketAddr::new(self.node.address(), NODE_PORT).to_string();
        let values = ["type=NodePort".to_owned(), format!("nodePort={NODE_PORT}")].map(|value| format!("--set=gateway.service.{value}"));
        let [kind, port] = values;
        ([kind, port, format!("--set=gateway.url=http://{host}")], host)
    }

    /// Runs kubectl, and returns its output.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|said| panic!("kubectl {arguments:?}: {said}"))
    }

    /// The same for a command that may fail.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.node.kubectl(arguments, "");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Applies `examples/consultation.yaml`, and waits until the Room is Ready.
    pub async fn consultation(&self) {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/consultation.yaml").display().to_string();
        // A CRD is served a moment after it is created.
        eventually(PATIENCE, async || self.try_kubectl(&["apply", "-n", CLINIC, "-f", &example])).await;
        self.kubectl(&["wait", "-n", CLINIC, "--for=condition=Ready", "--timeout=120s", "room/consultation"]);
    }

    /// A field of the Room.
    pub fn room(&self, path: &str) -> String {
        self.kubectl(&["get", "room", "-n", CLINIC, ROOM, "-o", &format!("jsonpath={{{path}}}")])
    }

    /// The answer of the gateway at `host` when a participant of the Room joins.
    pub async fn ask_to_join(&self, host: &str, person: &str) -> std::io::Result<Answer> {
        let secret = format!("{ROOM}-invite-{person}");
        let invite = self.kubectl(&["get", "secret", "-n", CLINIC, &secret, "-o", "go-template={{.data.invite | base64decode}}"]);
        ask_at(host, "POST", "/v1/join", &invite, None).await
    }

    /// Joins the Room's call through the gateway at `host`.
    pub async fn join(&self, host: &str, person: &str, publish: &[&str]) -> Caller {
        let answer = eventually(PATIENCE, async || match self.ask_to_join(host, person).await {
            Ok(answer) if answer.status == 200 => Ok(answer),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(error.to_string()),
        });
        let mut credentials = answer.await.credentials();
        // The gateway's own URL is for others than us.
        credentials.url = Some(format!("ws://{host}"));
        Caller::join(&credentials, publish).await.unwrap_or_else(|status| panic!("{person} is refused with {status}"))
    }

    /// A port-forward to the gateway, and its address.
    pub async fn forward(&self) -> (Leashed, String) {
        self.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", "deployment/roomkeeper-gateway"]);
        // Not the documentation's, which something else on this machine may have.
        let port = free_port();
        let mut command = Command::new(tool("kubectl"));
        command.env("KUBECONFIG", self.node.admin_kubeconfig());
        command.args(["port-forward", "-n", OPERATOR_NAMESPACE, "svc/roomkeeper-gateway", &format!("{port}:80")]);
        let mut forward = Leashed::spawn("port-forward", &command);
        let ready = forward.ready(PATIENCE, async || TcpStream::connect(("127.0.0.1", port)).await.map(drop)).await;
        ready.unwrap_or_else(|failure| panic!("{failure}"));
        (forward, format!("localhost:{port}"))
    }

    /// The pods of a component (`controller`, `gateway` or `livekit`) that are not being deleted.
    pub async fn pods(&self, component: &str) -> Vec<Pod> {
        let pods = Api::<Pod>::namespaced(self.admin.clone(), OPERATOR_NAMESPACE);
        let selector = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
        let mut pods = pods.list(&selector).await.expect("pods").items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods
    }

    /// Resident memory of the processes of a pod, in bytes.
    pub fn resident_bytes(&self, pod: &Pod) -> u64 {
        let of_one = |pid: u32| -> Option<u64> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse().ok()
        };
        self.node.processes(pod).into_iter().filter_map(of_one).sum::<u64>() * 1024
    }

    /// The leader: the holder of the Lease, and the name of its pod.
    pub async fn leader(&self) -> Option<(String, String)> {
        let holder = self.lease().await?.holder_identity.filter(|holder| !holder.is_empty())?;
        let pod = holder.split('_').next()?.to_owned();
        Some((holder, pod))
    }

    /// When the leader has renewed the Lease last.
    pub async fn renewed_at(&self) -> Option<Timestamp> {
        self.lease().await?.renew_time.map(|at| at.0)
    }

    async fn lease(&self) -> Option<LeaseSpec> {
        let leases = Api::<Lease>::namespaced(self.admin.clone(), OPERATOR_NAMESPACE);
        leases.get_opt("roomkeeper-controller").await.expect("an answer")?.spec
    }

    /// A pod by its name.
    pub async fn pod(&self, name: &str) -> Pod {
        Api::<Pod>::namespaced(self.admin.clone(), OPERATOR_NAMESPACE).get(name).await.expect("the pod")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Before the permit is given back.
        IDLE.lock().expect("nobody panics while holding it").push(self.node);
    }
}

/// The archives of the images of the chart, which are made once.
async fn images() -> &'static [PathBuf] {
    static IMAGES: OnceCell<[PathBuf; 2]> = OnceCell::const_new();
    let images = async || {
        let (_, roomkeeper) = image::shared().await;
        let manifests = said(&template(&[]));
        let livekit = manifests.lines().find_map(|line| line.trim().strip_prefix("image: livekit/")).expect("the image of LiveKit");
        [roomkeeper.clone(), scratch_image(&format!("docker.io/livekit/{livekit}"), &tool("livekit-server"))]
    };
    IMAGES.get_or_init(images).await
}

/// Kills a process at once.
pub fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).stdin(Stdio::null()).status().expect("kill");
    assert!(killed.success(), "{pid} cannot be killed");
}

/// Seconds since then.
pub fn seconds_since(began: Timestamp) -> f64 {
    now().duration_since(began).as_secs_f64()
}

/// A copy of the chart with an older version, which is also the tag of its image.
pub fn older_chart(version: &str) -> String {
    let copy = log_file("chart").with_extension("d");
    let copied = Command::new("cp").arg("-a").arg(chart()).arg(&copy).status().expect("cp");
    assert!(copied.success(), "the chart cannot be copied");
    let file = copy.join("Chart.yaml");
    let lines = fs::read_to_string(&file).expect("Chart.yaml");
    let lines = lines.lines().map(|line| match line.split(':').next() {
        Some("version") => format!("version: {version}\n"),
        Some("appVersion") => format!("appVersion: v{version}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&file, lines.collect::<String>()).expect("Chart.yaml");
    copy.display().to_string()
}

/// The names of pods, and how often their containers were restarted.
pub fn restarts(pods: &[Pod]) -> Vec<(String, i32)> {
    let count = |pod: &Pod| pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten()).map(|c| c.restart_count).sum();
    pods.iter().map(|pod| (pod.name_any(), count(pod))).collect()
}
