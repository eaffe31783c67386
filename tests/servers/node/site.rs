//! An installation on the node, as its users see it: helm, kubectl, and calls from outside of the cluster.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::image;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::{chart, helm, said, template};
use crate::support::livekit::Client as Caller;
use crate::support::node::{Node, scratch_image};
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::stage::{Answer, ask_at};
use crate::support::tools::tool;
use crate::support::{eventually, now};

/// How long something that happens by itself may take. Generous: it is only used up by failures.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Namespace of the Rooms.
pub const CLINIC: &str = "clinic";
/// The Room of `examples/consultation.yaml`.
pub const ROOM: &str = "consultation";
/// Port of the node that leads to the gateway, where a test wants one.
const NODE_PORT: u16 = 30080;

/// The node, for one test at a time, since an installation is for the whole cluster.
pub struct Site {
    /// The node.
    pub node: &'static Node,
    /// A client with all rights.
    pub admin: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Site {
    /// The node with the images of the chart and without any installation; nothing where there is no node.
    pub async fn take() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        static IMAGES: OnceCell<()> = OnceCell::const_new();
        if !Node::possible() {
            return None;
        }
        // First, because it can take minutes, in which a node would only be in the way.
        let (_, archive) = image::shared().await;
        let node = Node::shared().await?;
        let images = async || {
            node.import(archive);
            let manifests = said(&template(&[]));
            let livekit = manifests.lines().find_map(|line| line.trim().strip_prefix("image: livekit/")).expect("the image of LiveKit");
            node.import(&scratch_image(&format!("docker.io/livekit/{livekit}"), &tool("livekit-server")));
        };
        IMAGES.get_or_init(images).await;
        let site = Self { node, admin: node.admin().await, _turn: TURN.lock().await };
        site.clear();
        Some(site)
    }

    /// Removes what a test before has left.
    fn clear(&self) {
        if self.try_helm(&["status", "roomkeeper"]).status.success() {
            for namespace in self.kubectl(&["get", "rooms", "-A", "-o", "jsonpath={.items[*].metadata.namespace}"]).split_whitespace() {
                self.kubectl(&["delete", "rooms", "-n", namespace, "--all", "--timeout=60s"]);
            }
            self.helm(&["uninstall", "roomkeeper", "--wait"]);
        }
        self.kubectl(&["delete", "namespace", "--ignore-not-found", "--timeout=120s", OPERATOR_NAMESPACE, CLINIC]);
        let kinds = ["rooms", "roomguests", "roomclasses"].map(|kind| format!("{kind}.roomkeeper.io"));
        self.kubectl(&[&["delete", "crd", "--ignore-not-found", "--timeout=60s"], &kinds.each_ref().map(String::as_str)[..]].concat());
        let namespaces = [(OPERATOR_NAMESPACE, r#","labels":{"pod-security.kubernetes.io/enforce":"restricted"}"#), (CLINIC, "")];
        for (name, labels) in namespaces {
            let namespace = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"{labels}}}}}"#);
            let made = self.node.kubectl(&["create", "-f", "-"], &namespace);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
    }

    /// Runs helm in the operator's namespace, and gives what it says.
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

    /// The values with which people reach the gateway at a port of the node, and its address then.
    pub fn at_a_node_port(&self) -> ([String; 3], String) {
        let host = format!("{}:{NODE_PORT}", self.node.address());
        let values = ["type=NodePort".to_owned(), format!("nodePort={NODE_PORT}")].map(|value| format!("--set=gateway.service.{value}"));
        let [kind, port] = values;
        ([kind, port, format!("--set=gateway.url=http://{host}")], host)
    }

    /// Runs kubectl, and gives what it says.
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
        // Right after the installation the kind is not known for a moment.
        eventually(PATIENCE, async || self.try_kubectl(&["apply", "-n", CLINIC, "-f", &example])).await;
        self.kubectl(&["wait", "-n", CLINIC, "--for=condition=Ready", "--timeout=120s", "room/consultation"]);
    }

    /// A field of the Room.
    pub fn room(&self, path: &str) -> String {
        self.kubectl(&["get", "room", "-n", CLINIC, ROOM, "-o", &format!("jsonpath={{{path}}}")])
    }

    /// What the gateway at `host` says to somebody of the Room who wants to join.
    pub async fn ask_to_join(&self, host: &str, person: &str) -> std::io::Result<Answer> {
        let secret = format!("{ROOM}-invite-{person}");
        let invite = self.kubectl(&["get", "secret", "-n", CLINIC, &secret, "-o", "go-template={{.data.invite | base64decode}}"]);
        ask_at(host, "POST", "/v1/join", &invite, None).await
    }

    /// Somebody in the Room's call, who came by the gateway at `host`.
    pub async fn join(&self, host: &str, person: &str, publish: &[&str]) -> Caller {
        let answer = eventually(PATIENCE, async || match self.ask_to_join(host, person).await {
            Ok(answer) if answer.status == 200 => Ok(answer),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(error.to_string()),
        });
        let mut credentials = answer.await.credentials();
        // A port-forward on another port than the documentation's.
        credentials.url = credentials.url.map(|url| url.replace("localhost:8080", host));
        Caller::join(&credentials, publish).await.unwrap_or_else(|status| panic!("{person} is refused with {status}"))
    }

    /// A port-forward to the gateway, as the notes of the chart say, and where it is.
    pub async fn forward(&self) -> (Leashed, String) {
        self.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", "deployment/roomkeeper-gateway"]);
        let port = if std::net::TcpListener::bind(("127.0.0.1", 8080)).is_ok() { 8080 } else { free_port() };
        let mut command = Command::new(tool("kubectl"));
        command.env("KUBECONFIG", self.node.admin_kubeconfig());
        command.args(["port-forward", "-n", OPERATOR_NAMESPACE, "svc/roomkeeper-gateway", &format!("{port}:80")]);
        let mut forward = Leashed::spawn("port-forward", &command);
        let ready = forward.ready(PATIENCE, async || TcpStream::connect(("127.0.0.1", port)).await.map(drop)).await;
        ready.unwrap_or_else(|failure| panic!("{failure}"));
        (forward, format!("localhost:{port}"))
    }

    /// The pods of a component, `controller`, `gateway` or `livekit`, that are not on their way out.
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

    /// Who leads: the holder of the Lease, and the name of its pod.
    pub async fn leader(&self) -> Option<(String, String)> {
        let leases = Api::<Lease>::namespaced(self.admin.clone(), OPERATOR_NAMESPACE);
        let lease = leases.get_opt("roomkeeper-controller").await.expect("an answer")?;
        let holder = lease.spec?.holder_identity.filter(|holder| !holder.is_empty())?;
        let pod = holder.split('_').next()?.to_owned();
        Some((holder, pod))
    }

    /// A pod by its name.
    pub async fn pod(&self, name: &str) -> Pod {
        Api::<Pod>::namespaced(self.admin.clone(), OPERATOR_NAMESPACE).get(name).await.expect("the pod")
    }
}

/// A kill of one process, at once.
pub fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).stdin(Stdio::null()).status().expect("kill");
    assert!(killed.success(), "{pid} cannot be killed");
}

/// Seconds since then.
pub fn seconds_since(began: Timestamp) -> f64 {
    now().duration_since(began).as_secs_f64()
}

/// A copy of the chart as an older version, whose image has the tag of that version.
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

/// The names of pods, and how often their containers were started again.
pub fn restarts(pods: &[Pod]) -> Vec<(String, i32)> {
    let count = |pod: &Pod| pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten()).map(|c| c.restart_count).sum();
    pods.iter().map(|pod| (pod.name_any(), count(pod))).collect()
}
