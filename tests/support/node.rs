//! A real cluster of one node, where the real kubelet runs pods in containers.
//!
//! `node.sh` starts it. Tests reach the node at its address, as other machines would.

use std::env;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;

use super::cluster::{client, kubectl, make_signing_key};
use super::process::{Leashed, log_file};
use super::tools::tool;

/// How long the node may take to start. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(2);
/// Programs that a node and its tests need and that `make tools` does not build, with their Debian packages.
const PROGRAMS: [(&str, &str); 7] = [
    ("unshare", "util-linux"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("runc", "runc"),
    ("buildah", "buildah"),
    ("redis-server", "redis-server"),
    ("turnserver", "coturn"),
];
/// Directory of the CNI plugins.
const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// What addresses a node, its pods and its Services have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    IPv4,
    IPv6,
}

/// A node with its control plane. Nothing of it is left after it is dropped, or after the test process has ended in any way.
pub struct Node {
    directory: PathBuf,
    address: IpAddr,
    process: Leashed,
}

impl Node {
    /// Whether this machine can run a node. Where it cannot, a warning says so and the other tests still run; with
    /// `ROOMKEEPER_REQUIRE_NODE` it is a failure.
    pub fn possible() -> bool {
        static POSSIBLE: OnceLock<bool> = OnceLock::new();
        *POSSIBLE.get_or_init(|| {
            let lacking = lacking().join(", ");
            if lacking.is_empty() {
                return true;
            }
            assert!(env::var_os("ROOMKEEPER_REQUIRE_NODE").is_none(), "a node of Kubernetes lacks: {lacking}");
            warn(&format!("NOTHING IS TESTED ON A REAL NODE of Kubernetes, which lacks: {lacking}"));
            false
        })
    }

    /// Whether it can run one with addresses of this family. Where it has no IPv6 at all, a warning says so.
    pub fn possible_with(family: Family) -> bool {
        Self::possible()
            && (family == Family::IPv4
                || probe(family)
                    .inspect_err(|forbidden| warn(&format!("NOTHING IS TESTED IN A CLUSTER OF IPv6, for which root may not: {forbidden}")))
                    .is_ok())
    }

    /// Starts a node, and waits until it is Ready.
    pub async fn start(family: Family) -> Self {
        let directory = log_file("node").with_extension("d");
        fs::create_dir_all(directory.join("cni")).expect("a directory for the node");
        let directory = directory.canonicalize().expect("the directory of the node");
        make_signing_key(&directory);
        let mut command = Command::new("bash");
        command.arg(script()).arg(&directory).arg(tool("kubelet").parent().expect("a directory of tools"));
        command.env("NODE_FAMILY", format!("{family:?}"));
        // Ctrl-C must reach only the test process: the node notices its end, and then cleans up.
        command.process_group(0);
        let mut process = Leashed::hold("node", command);
        let ready = directory.join("ready");
        let answer = process.ready(PATIENCE, async || if ready.exists() { Ok(()) } else { Err(format!("no {}", ready.display())) });
        answer.await.unwrap_or_else(|failure| panic!("{failure}"));
        let address = fs::read_to_string(directory.join("address")).expect("an address").trim().parse().expect("an address");
        let node = Self { directory, address, process };
        node.import(pause_image());
        node
    }

    /// The node's address, where its API server and the ports of its Services are.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The node's addresses are of this family.
    pub fn family(&self) -> Family {
        if self.address.is_ipv4() { Family::IPv4 } else { Family::IPv6 }
    }

    /// The number of its network, which tells it from the others of this machine.
    pub fn number(&self) -> String {
        match self.address {
            IpAddr::V4(address) => address.octets()[2].to_string(),
            // Written as any number, and read as a hexadecimal one.
            IpAddr::V6(address) => format!("{:x}", address.segments()[3]),
        }
    }

    /// The address of this machine in the network of a node that has IPv4.
    pub fn our_address(&self) -> Ipv4Addr {
        let IpAddr::V4(address) = self.address else { panic!("{} is of IPv6", self.address) };
        let [a, b, c, _] = address.octets();
        Ipv4Addr::new(a, b, c, 1)
    }

    /// What identifies everything of the node on this machine: the directory of its files, the name of its control groups, and the
    /// interface that leads to it.
    pub fn marks(&self) -> [String; 3] {
        let interface = format!("rk{}", self.number());
        [self.directory.display().to_string(), format!("roomkeeper-node-{}", self.process.id()), interface]
    }

    /// A client with all rights.
    pub async fn admin(&self) -> Client {
        client(&self.admin_kubeconfig()).await
    }

    /// Kubeconfig with all rights.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig-admin")
    }

    /// Runs kubectl with all rights, with `input` as its standard input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        kubectl(&self.admin_kubeconfig(), arguments, input)
    }

    /// Imports the images of an archive, as there is no registry.
    pub fn import(&self, archive: &Path) {
        self.images(&["import", "--local", "--snapshotter", "native", &archive.display().to_string()]);
    }

    /// Gives an image of the node a second name.
    pub fn tag(&self, image: &str, name: &str) {
        self.images(&["tag", "--force", image, name]);
    }

    /// A program that runs on this machine but in the node's network, whose loopback has the ports of no other node or program.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.proc().join("ns/net").display())).arg(program);
        command
    }

    /// The pid of the process that holds the node's network and mounts.
    pub fn pid(&self) -> String {
        fs::read_to_string(self.directory.join("pid")).expect("the pid of the node").trim().to_owned()
    }

    /// What this machine knows of the process that holds the node's network and mounts.
    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.pid())
    }

    fn images(&self, arguments: &[&str]) {
        // In the node's own mounts.
        let socket = self.proc().join("root/run/containerd/containerd.sock");
        run(Command::new(tool("ctr")).arg("--address").arg(socket).args(["--namespace", "k8s.io", "images"]).args(arguments));
    }

    /// The processes of a pod's containers without its sandbox, by their PIDs on this machine.
    pub fn processes(&self, pod: &Pod) -> Vec<u32> {
        let uid = format!("pod{}", pod.metadata.uid.as_deref().expect("a uid"));
        let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let ids: Vec<&str> = containers.filter_map(|container| container.container_id.as_deref()?.strip_prefix("containerd://")).collect();
        let [_, root, _] = self.marks();
        // The second version of control groups has one hierarchy, the first one for each controller.
        let hierarchies = [Path::new("/sys/fs/cgroup").join(&root), Path::new("/sys/fs/cgroup/memory").join(&root)];
        let mut found = Vec::new();
        let mut unseen: Vec<PathBuf> = hierarchies.into_iter().filter(|path| path.is_dir()).collect();
        while let Some(group) = unseen.pop() {
            unseen.extend(fs::read_dir(&group).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()));
            let name = group.display().to_string();
            if name.contains(&uid) && ids.iter().any(|id| name.ends_with(id)) {
                let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
                found.extend(processes.lines().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
        found
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/node.sh")
}

/// What this machine lacks to run a node.
fn lacking() -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return vec!["Linux".to_owned()];
    }
    if !rustix::process::geteuid().is_root() {
        return vec!["root".to_owned()];
    }
    let mut lacking = Vec::new();
    let on_path = |name: &str| {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|directory| directory.join(name).is_file())
    };
    lacking.extend(PROGRAMS.iter().filter(|(name, _)| !on_path(name)).map(|(name, package)| format!("{name} (Debian: {package})")));
    if !Path::new(NETWORK_PLUGINS).join("ptp").is_file() {
        lacking.push(format!("{NETWORK_PLUGINS}/ptp (Debian: containernetworking-plugins)"));
    }
    if lacking.is_empty()
        && let Err(forbidden) = probe(Family::IPv4)
    {
        lacking.push(format!("what root may not do here: {forbidden}"));
    }
    lacking
}

/// Whether root may do what a node needs; else what was said.
fn probe(family: Family) -> Result<(), String> {
    let mut command = Command::new("bash");
    let probe = command.arg(script()).args(["-", "-", "probe"]).env("NODE_FAMILY", format!("{family:?}")).output().expect("bash");
    if probe.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&probe.stderr).trim().to_owned()) }
}

/// Not by `eprintln!`, whose output is hidden when the test passes.
fn warn(text: &str) {
    writeln!(std::io::stderr(), "\nWARNING: {text}").expect("stderr");
}

/// buildah, with its own storage, apart from the user's images.
pub fn buildah(command: &mut Command) -> &mut Command {
    let storage = Path::new(env!("CARGO_TARGET_TMPDIR")).join("images");
    fs::create_dir_all(&storage).expect("a directory for images");
    let configuration = storage.join("storage.conf");
    let place = |name: &str| storage.join(name).display().to_string();
    let text = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {:?}\nrunroot = {:?}\n", place("graph"), place("run"));
    fs::write(&configuration, text).expect("the configuration of buildah");
    command.env("CONTAINERS_STORAGE_CONF", configuration).env("BUILDAH_ISOLATION", "chroot")
}

/// The archive of the image that holds the namespaces of a pod.
fn pause_image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| scratch_image("localhost/pause:latest", &tool("pause")))
}

/// Builds an image that holds nothing but a static program, and returns its archive.
pub fn scratch_image(name: &str, program: &Path) -> PathBuf {
    let file = program.file_name().expect("a program").to_str().expect("its name");
    let context = log_file(file).with_extension("d");
    fs::create_dir_all(&context).expect("a directory for an image");
    fs::copy(program, context.join(file)).expect("the program");
    let build = format!("FROM scratch\nCOPY {file} /{file}\nENTRYPOINT [\"/{file}\"]\n");
    fs::write(context.join("Dockerfile"), build).expect("a Dockerfile");
    run(buildah(&mut Command::new("buildah")).args(["build", "--quiet", "--tag", name]).arg(&context));
    let archive = context.join("image.tar");
    run(buildah(&mut Command::new("buildah")).args(["push", "--quiet", name]).arg(format!("docker-archive:{}:{name}", archive.display())));
    archive
}

/// Runs a command to its end, and returns its output.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    said
}
