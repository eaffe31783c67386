//! The node itself: nothing of it may outlive its test.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::node::{Family, Node};
use crate::support::process::log_file;
use crate::support::{eventually, run};

/// How long to wait for something. Generous, because only failures use it up.
const PATIENCE: Duration = Duration::from_mins(1);
/// Environment variable with the file in which the killed test leaves the marks of its node.
const HANDOVER: &str = "ROOMKEEPER_TEST_HANDOVER";

/// A pod that the Pod Security profile `restricted` admits, like the chart's.
const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pause"}, "spec": {
  "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
  "containers": [{"name": "pause", "image": "localhost/pause:latest", "imagePullPolicy": "Never", "securityContext": {
    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}}]}}"#;

/// Part of the next test, which kills the process that this runs in.
#[test]
#[ignore = "run by nothing_is_left_of_a_node_whose_test_was_killed"]
fn a_node_that_is_held_until_its_test_is_killed() {
    let Some(handover) = env::var_os(HANDOVER) else { return };
    run(async {
        let node = Node::start(Family::IPv4).await;
        let create = |arguments: &[&str], input| {
            let created = node.kubectl(arguments, input);
            if created.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&created.stderr).into_owned()) }
        };
        create(&["label", "namespace", "default", "pod-security.kubernetes.io/enforce=restricted"], "").expect("a label");
        // The default ServiceAccount is created a moment after the namespace.
        eventually(PATIENCE, async || create(&["create", "-f", "-"], POD)).await;
        create(&["wait", "--for=condition=Ready", "--timeout=60s", "pod/pause"], "").expect("a pod that runs");
        fs::write(handover, node.marks().join("\n")).expect("a file");
        std::future::pending::<()>().await;
    });
}

#[test]
fn nothing_is_left_of_a_node_whose_test_was_killed() {
    run(async {
        if !Node::possible() {
            return;
        }
        let handover = log_file("handover");
        let name = "node::harness::a_node_that_is_held_until_its_test_is_killed";
        let mut test = Command::new(env::current_exe().expect("this test"));
        test.args(["--exact", name, "--ignored", "--nocapture"]).env(HANDOVER, &handover);
        let mut test = test.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn().expect("a test");
        let node = eventually(PATIENCE * 3, async || match test.try_wait().expect("the state of a child") {
            Some(status) => panic!("it ended: {status}"),
            None => fs::read_to_string(&handover).ok().filter(|marks| !marks.is_empty()).ok_or("no pod yet"),
        })
        .await;
        let before = traces(&node);
        for kind in ["process", "mount", "cgroup", "interface"] {
            assert!(before.iter().any(|trace| trace.starts_with(kind)), "no {kind} of {node} is seen while it lives: {before:?}");
        }
        // Whoever ends the test ends what it has started too, some of it at once and some of it not.
        let ended = Command::new("kill").args(["-s", "TERM", "--", &format!("-{}", test.id())]).status().expect("kill");
        assert!(ended.success());
        test.wait().expect("its end");
        eventually(PATIENCE, async || {
            let left = traces(&node);
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        })
        .await;
    });
}

/// What of a node with these marks exists on this machine.
fn traces(marks: &str) -> Vec<String> {
    let marks: Vec<&str> = marks.lines().collect();
    let [directory, name, interface] = marks[..] else { panic!("not the marks of a node: {marks:?}") };
    let mut traces = Vec::new();
    let processes = fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
    for process in processes.filter(|path| path.join("cmdline").exists()) {
        let read = |file: &str| String::from_utf8_lossy(&fs::read(process.join(file)).unwrap_or_default()).replace('\0', " ");
        let (command, group, mounts) = (read("cmdline"), read("cgroup"), read("mountinfo"));
        if command.contains(directory) || group.contains(name) {
            traces.push(format!("process {}: {command}", process.display()));
        }
        traces
            .extend(mounts.lines().find(|mount| mount.contains(directory)).map(|mount| format!("mount of {}: {mount}", process.display())));
    }
    let groups = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(groups).into_iter().flatten().flatten().map(|entry| entry.path()).chain([groups.to_owned()]);
    traces.extend(hierarchies.map(|path| path.join(name)).filter(|path| path.exists()).map(|path| format!("cgroup {}", path.display())));
    let interface = Path::new("/sys/class/net").join(interface);
    traces.extend(interface.exists().then(|| format!("interface {}", interface.display())));
    traces
}
