//! Releases on a real API server: a second one, two side by side, and the life of one with Rooms that must not be lost.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use roomkeeper::api::{Phase, Room, RoomClass};
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use super::install::rendered;
use crate::support::cluster::{Cluster, client};
use crate::support::helm::{chart, helm, said};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::stage::PATIENCE;
use crate::support::tools::tool;
use crate::support::{eventually, run};

/// A control plane on which nothing is installed.
pub async fn cluster() -> Cluster {
    Cluster::empty(&log_file("cluster").with_extension("d")).await
}

/// Runs helm with all rights; what it says, or its errors.
pub fn on(cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
    let output = helm(Some(&cluster.admin_kubeconfig()), arguments);
    if output.status.success() { Ok(said(&output)) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Installs the chart as the release `roomkeeper`.
pub fn install(cluster: &Cluster, namespace: &str, more: &[&str]) -> Result<String, String> {
    let chart = chart().display().to_string();
    on(cluster, &[&["install", "roomkeeper", &chart, "--namespace", namespace, "--create-namespace"], more].concat())
}

/// What kubectl says, with `input` as its standard input.
pub fn kubectl(cluster: &Cluster, arguments: &[&str], input: &str) -> String {
    let output = cluster.kubectl(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Types commands, as a page has them, in a directory of their own.
pub fn typed(cluster: &Cluster, commands: &str) {
    let place = log_file("typed").with_extension("d");
    fs::create_dir_all(&place).expect("a directory");
    let tools = tool("kubectl").parent().expect("a directory").display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = std::process::Command::new("bash");
    shell.args(["-euc", commands]).current_dir(place).env("PATH", path).env("KUBECONFIG", cluster.admin_kubeconfig());
    said(&shell.output().expect("bash"));
}

fn room(namespace: &str, name: &str) -> String {
    json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name, "namespace": namespace},
        "spec": {"duration": "1h", "participants": [{"name": "ada"}]}})
    .to_string()
}

#[test]
fn a_second_release_for_the_whole_cluster_is_refused_and_changes_nothing() {
    run(async {
        let cluster = cluster().await;
        let notes = install(&cluster, "first", &[]).expect("installed");
        assert!(notes.contains("kubectl apply -n first -f -"), "the notes do not say what to type next: {notes}");
        let before = kubectl(&cluster, &["get", "clusterroles,clusterrolebindings,crds", "-o", "jsonpath={.items[*].metadata.uid}"], "");
        for more in [&[][..], &["--set", "crds.enabled=false"]] {
            let refusal = install(&cluster, "second", more).expect_err("a second release is accepted");
            let line = refusal.lines().find(|line| line.contains("exists and cannot be imported into the current release"));
            let line = line.unwrap_or_else(|| panic!("no clear line: {refusal}"));
            assert!(line.contains("must equal \"second\": current value is \"first\""), "{line}");
        }
        let after = kubectl(&cluster, &["get", "clusterroles,clusterrolebindings,crds", "-o", "jsonpath={.items[*].metadata.uid}"], "");
        assert_eq!(before, after);
        assert_eq!(kubectl(&cluster, &["get", "deployments,roles,services", "-n", "second", "-o", "name"], ""), "");
        // What needs the software of others is refused as clearly where that is not installed.
        let monitor =
            ["upgrade", "roomkeeper", &chart().display().to_string(), "--namespace", "first", "--set", "serviceMonitor.enabled=true"];
        let refusal = on(&cluster, &monitor).expect_err("a monitor is accepted");
        assert!(refusal.contains("no matches for kind \"ServiceMonitor\""), "{refusal}");
        on(&cluster, &["status", "roomkeeper", "--namespace", "first"]).expect("the first release is as it was");
    });
}

/// A release whose two roles run here, with the arguments that its pods have.
struct Running {
    controller: Role,
    _gateway: Role,
}

/// The arguments of a role's container, but for those that name places in a pod.
fn arguments(objects: &[Value], role: &str) -> Vec<String> {
    let name = format!("roomkeeper-{role}");
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == name.as_str());
    let args = deployment.expect("the Deployment")["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
    let args: Vec<String> = args.iter().map(|arg| arg.as_str().expect("text").to_owned()).collect();
    assert_eq!(args[0], role);
    let of_pods = ["--room-class-file=", "--gateway-url="];
    args.into_iter().skip(1).filter(|arg| !of_pods.iter().any(|start| arg.starts_with(start))).collect()
}

/// The file that the controller's pod has of the class.
fn class_file(objects: &[Value]) -> PathBuf {
    let config = objects.iter().find(|object| object["kind"] == "ConfigMap" && object["data"]["roomclass.yaml"].is_string());
    let path = log_file("roomclass").with_extension("yaml");
    fs::write(&path, config.expect("the ConfigMap")["data"]["roomclass.yaml"].as_str().expect("a file")).expect("a file");
    path
}

impl Running {
    /// Stops both roles as Kubernetes does, and waits for the controller's end.
    async fn stop(mut self) {
        self.controller.process.signal("TERM");
        self.controller.process.ended(PATIENCE).await;
    }

    async fn start(cluster: &Cluster, namespace: &str, objects: &[Value]) -> Self {
        let port = free_port();
        let class = format!("--room-class-file={}", class_file(objects).display());
        let controller_args = [arguments(objects, "controller"), vec![class]].concat();
        let gateway_args = arguments(objects, "gateway");
        let accounts = [
            cluster.account_kubeconfig_in(namespace, "roomkeeper-controller").await,
            cluster.account_kubeconfig_in(namespace, "roomkeeper-gateway").await,
        ];
        let controller_args: Vec<&str> = controller_args.iter().map(String::as_str).collect();
        let gateway_args: Vec<&str> = gateway_args.iter().map(String::as_str).collect();
        let url = format!("http://127.0.0.1:{port}");
        let (controller, gateway) = tokio::join!(
            Role::controller_with(&accounts[0], &url, &controller_args),
            Role::gateway_with(&accounts[1], port, &gateway_args),
        );
        Self { controller, _gateway: gateway }
    }
}

/// Values for a LiveKit of one's own, whose credentials are put into the namespace of the release.
fn with_livekit(cluster: &Cluster, livekit: &LiveKitServer, namespace: &str) -> String {
    let Options { api_key, api_secret, .. } = &livekit.options;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "livekit", "namespace": namespace},
        "stringData": {"apiKey": api_key, "apiSecret": api_secret}});
    kubectl(cluster, &["apply", "-f", "-"], &secret.to_string());
    let backend = json!({"liveKit": {"url": livekit.url(), "credentialsSecretRef": {"name": "livekit"}}});
    format!("roomClass.spec.backend={backend}")
}

async fn until_open(cluster: &Cluster, namespace: &str, name: &str) {
    let rooms = Api::<Room>::namespaced(cluster.admin().await, namespace);
    eventually(PATIENCE, async || {
        let room = rooms.get(name).await.map_err(|error| error.to_string())?;
        let status = room.status.unwrap_or_default();
        let ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if status.phase == Phase::Open && ready { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

#[test]
fn releases_for_different_namespaces_stand_side_by_side_with_roles_there_alone() {
    run(async {
        let (cluster, livekit) = tokio::join!(cluster(), LiveKitServer::start(Options::default()));
        let mut running = Vec::new();
        for (release, tenant, crds) in [("ops-a", "team-a", "true"), ("ops-b", "team-b", "false")] {
            kubectl(&cluster, &["create", "namespace", release], "");
            kubectl(&cluster, &["create", "namespace", tenant], "");
            let class = with_livekit(&cluster, &livekit, release);
            let crds = format!("crds.enabled={crds}");
            let tenants = format!("watchNamespaces={{{tenant}}}");
            let values = ["--set", &crds, "--set", "livekit.enabled=false", "--set-json", &class, "--set", &tenants];
            install(&cluster, release, &values).expect("installed");
            let objects = rendered(release, &values);
            for kind in ["Role", "RoleBinding"] {
                let there = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["namespace"] == tenant);
                assert_eq!(there.count(), 4, "{kind}: for controller, gateway, the test, and the end");
            }
            running.push(Running::start(&cluster, release, &objects).await);
            kubectl(&cluster, &["apply", "-f", "-"], &room(tenant, "call"));
        }
        for tenant in ["team-a", "team-b"] {
            until_open(&cluster, tenant, "call").await;
        }
        // Of a namespace that nobody watches nothing is known.
        kubectl(&cluster, &["apply", "-n", "default", "-f", "-"], &room("default", "call"));
        kubectl(&cluster, &["apply", "-f", "-"], &room("team-b", "later"));
        until_open(&cluster, "team-b", "later").await;
        let untouched = Api::<Room>::namespaced(cluster.admin().await, "default").get("call").await.expect("the Room");
        assert!(untouched.finalizers().is_empty(), "{untouched:?}");
        // Neither can reach into what is the other's.
        let of_b = client(&cluster.account_kubeconfig_in("ops-b", "roomkeeper-controller").await).await;
        let foreign = Api::<Room>::namespaced(of_b.clone(), "team-a").list(&ListParams::default()).await;
        assert!(matches!(foreign, Err(kube::Error::Api(status)) if status.is_forbidden()));
        let classes: Vec<String> = Api::<RoomClass>::all(cluster.admin().await)
            .list(&ListParams::default())
            .await
            .expect("the classes")
            .items
            .iter()
            .map(|class| format!("{} {}", class.name_any(), class.controller()))
            .collect();
        assert_eq!(
            classes,
            ["ops-a-roomkeeper-livekit roomkeeper.io/ops-a-roomkeeper", "ops-b-roomkeeper-livekit roomkeeper.io/ops-b-roomkeeper"]
        );
        let refused = cluster.audit().into_iter().filter(|event| {
            let user = event["user"]["username"].as_str().unwrap_or_default();
            user.starts_with("system:serviceaccount:ops-") && event["responseStatus"]["code"] == 403
        });
        let refused: Vec<Value> = refused.filter(|event| event["objectRef"]["namespace"] != "team-a").collect();
        assert!(refused.is_empty(), "refused requests: {refused:?}");
        drop(running);
    });
}

/// A Room that another installation looks after, with its class.
const OF_ANOTHER: &str = r"
apiVersion: roomkeeper.io/v1alpha1
kind: RoomClass
metadata:
  name: theirs
spec:
  controllerName: example.org/theirs
  backend:
    liveKit:
      url: http://livekit.example.org
      credentialsSecretRef:
        name: theirs
---
apiVersion: roomkeeper.io/v1alpha1
kind: Room
metadata:
  name: theirs
  namespace: default
  finalizers: [roomkeeper.io/session]
spec:
  roomClassName: theirs
";

/// Copies the chart with another version, as one that was released before.
fn older_chart(to: &Path) -> String {
    let output = std::process::Command::new("cp").arg("-a").arg(chart()).arg(to).output().expect("cp");
    assert!(output.status.success());
    let (file, crd) = (to.join("Chart.yaml"), to.join("templates/crds/roomkeeper.io_rooms.yaml"));
    let text = fs::read_to_string(&file).expect("Chart.yaml");
    assert!(text.contains("\nversion: 0.1.0\n"), "the version of the chart");
    fs::write(&file, text.replace("\nversion: 0.1.0\n", "\nversion: 0.0.9\n")).expect("a chart");
    // One field less, so that the upgrade has something to bring.
    let text = fs::read_to_string(&crd).expect("the CRD").replace("    categories:\n    - roomkeeper\n", "");
    fs::write(&crd, text).expect("a chart");
    to.display().to_string()
}

#[test]
fn install_upgrade_uninstall_and_reinstall_lose_no_room() {
    run(async {
        let (cluster, livekit) = tokio::join!(cluster(), LiveKitServer::start(Options::default()));
        let namespace = "roomkeeper-system";
        kubectl(&cluster, &["create", "namespace", namespace], "");
        let class = with_livekit(&cluster, &livekit, namespace);
        let values = ["--set", "livekit.enabled=false", "--set-json", &class];
        let old = older_chart(&log_file("chart").with_extension("d"));
        let flags = ["--namespace", namespace];
        on(&cluster, &[&["install", "roomkeeper", &old], &flags[..], &values].concat()).expect("installed");
        let objects = rendered(namespace, &values);
        let running = Running::start(&cluster, namespace, &objects).await;
        kubectl(&cluster, &["apply", "-f", "-"], &room("default", "call"));
        kubectl(&cluster, &["apply", "-f", "-"], &room("default", "other"));
        until_open(&cluster, "default", "call").await;
        until_open(&cluster, "default", "other").await;
        let admin = cluster.admin().await;
        let rooms = Api::<Room>::namespaced(admin.clone(), "default");
        let before = rooms.get("call").await.expect("the Room");
        let crds = Api::<CustomResourceDefinition>::all(admin.clone());
        let categories = async || crds.get("rooms.roomkeeper.io").await.expect("the CRD").spec.names.categories.unwrap_or_default();
        assert!(categories().await.is_empty());

        on(&cluster, &[&["upgrade", "roomkeeper", &chart().display().to_string()], &flags[..], &values].concat()).expect("upgraded");
        assert_eq!(categories().await, ["roomkeeper"], "the CRDs are upgraded, too");
        let same = async |what: &str| {
            let now = rooms.get("call").await.expect("the Room");
            assert_eq!(now.uid(), before.uid(), "{what}");
            assert_eq!(
                now.status.as_ref().and_then(|status| status.session.clone()),
                before.status.clone().and_then(|status| status.session)
            );
            assert!(now.metadata.deletion_timestamp.is_none(), "{what}");
        };
        same("after the upgrade").await;

        // Nobody runs the hook's pod here.
        on(&cluster, &["uninstall", "roomkeeper", "--namespace", namespace, "--no-hooks"]).expect("uninstalled");
        running.stop().await;
        kubectl(&cluster, &["apply", "-f", "-"], OF_ANOTHER);
        same("after the uninstallation").await;
        assert_eq!(categories().await, ["roomkeeper"], "the CRDs stay");
        nothing_is_left(&cluster, namespace);
        run_hook(&cluster, namespace, &objects).await;
        same("after the hook").await;
        let finalizers = kubectl(&cluster, &["get", "rooms", "-n", "default", "-o", "jsonpath={.items[*].metadata.finalizers}"], "");
        assert_eq!(finalizers, r#"["roomkeeper.io/session"]"#, "that of the Room of another installation");
        kubectl(&cluster, &["patch", "room", "theirs", "-n", "default", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#], "");
        kubectl(&cluster, &["delete", "room/theirs", "roomclass/theirs", "-n", "default", "--timeout=30s"], "");
        kubectl(&cluster, &["delete", "room", "other", "-n", "default", "--timeout=30s"], "");

        on(&cluster, &[&["install", "roomkeeper", &chart().display().to_string()], &flags[..], &values].concat()).expect("installed again");
        same("after the second installation").await;
        let running = Running::start(&cluster, namespace, &objects).await;
        kubectl(&cluster, &["apply", "-f", "-"], &room("default", "next"));
        until_open(&cluster, "default", "next").await;
        same("after the second start").await;
        kubectl(&cluster, &["delete", "room", "call", "next", "-n", "default", "--timeout=30s"], "");
        assert_eq!(terminating(&cluster), Vec::<String>::new());
        drop(running.controller);
    });
}

/// Of an uninstalled release there is nothing left in its namespace and of what belongs to no namespace, and nothing waits for its end.
fn nothing_is_left(cluster: &Cluster, namespace: &str) {
    let kinds = "deployments,services,serviceaccounts,roles,networkpolicies";
    let left = kubectl(cluster, &["get", kinds, "-n", namespace, "-o", "name"], "");
    assert_eq!(left, "serviceaccount/default\n");
    let left = kubectl(cluster, &["get", "clusterroles,clusterrolebindings", "-o", "name"], "");
    assert!(!left.contains("roomkeeper"), "{left}");
    assert_eq!(terminating(cluster), Vec::<String>::new());
}

/// Does what the hook of an uninstallation does, under the accounts that it has for that.
async fn run_hook(cluster: &Cluster, namespace: &str, objects: &[Value]) {
    let (mut hook, accounts) = start_hook(cluster, namespace, objects).await;
    let status = hook.ended(PATIENCE).await;
    assert!(status.success(), "{}", hook.log_tail());
    kubectl(cluster, &["delete", "-f", "-"], &accounts);
}

/// Starts it; also gives the accounts that were made for it.
async fn start_hook(cluster: &Cluster, namespace: &str, objects: &[Value]) -> (Leashed, String) {
    let is_hook = |object: &&Value| {
        let hook = object["metadata"]["annotations"]["helm.sh/hook"].as_str();
        hook == Some("pre-delete") || hook == Some("post-delete")
    };
    let (jobs, accounts): (Vec<&Value>, Vec<&Value>) = objects.iter().filter(is_hook).partition(|object| object["kind"] == "Job");
    let accounts = json!({"apiVersion": "v1", "kind": "List", "items": accounts}).to_string();
    kubectl(cluster, &["apply", "-f", "-"], &accounts);
    let kubeconfig = cluster.account_kubeconfig_in(namespace, "roomkeeper-release").await;
    let args = jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_roomkeeper"));
    command.args(args.iter().map(|arg| arg.as_str().expect("text"))).env("KUBECONFIG", kubeconfig);
    (Leashed::spawn("release", &command), accounts)
}

/// Namespace of the release that ends.
const OPS: &str = "ops";

/// A release with an open call, in a cluster of its own.
struct InCall {
    cluster: Cluster,
    livekit: LiveKitServer,
    /// As `--set` and `--set-json`.
    values: [String; 4],
    running: Running,
}

impl InCall {
    /// With more values, as `--set` takes them; the Room `call` is in `namespace`.
    async fn start(more: &str, namespace: &str) -> Self {
        let (cluster, livekit) = tokio::join!(cluster(), LiveKitServer::start(Options::default()));
        for name in [OPS, namespace].iter().filter(|name| **name != "default") {
            kubectl(&cluster, &["create", "namespace", name], "");
        }
        let class = with_livekit(&cluster, &livekit, OPS);
        let values = ["--set".to_owned(), format!("livekit.enabled=false,{more}"), "--set-json".to_owned(), class];
        install(&cluster, OPS, &values.each_ref().map(String::as_str)).expect("installed");
        let objects = rendered(OPS, &values.each_ref().map(String::as_str));
        let running = Running::start(&cluster, OPS, &objects).await;
        kubectl(&cluster, &["apply", "-f", "-"], &room(namespace, "call"));
        until_open(&cluster, namespace, "call").await;
        Self { cluster, livekit, values, running }
    }

    /// What is rendered, with more arguments.
    fn objects(&self, more: &[&str]) -> Vec<Value> {
        rendered(OPS, &[&self.values.each_ref().map(String::as_str)[..], more].concat())
    }
}

/// Uninstalls the release. Nobody runs the pods of hooks here.
fn uninstall(cluster: &Cluster, more: &[&str]) {
    on(cluster, &[&["uninstall", "roomkeeper", "--namespace", OPS, "--no-hooks"], more].concat()).expect("uninstalled");
}

#[test]
fn rooms_that_go_along_with_the_release_have_their_calls_ended_before() {
    run(async {
        let release = InCall::start("crds.keep=false", "default").await;
        let InCall { cluster, livekit, .. } = &release;
        assert_eq!(livekit.backend().list_sessions("rk-").await.expect("LiveKit answers").len(), 1);
        // While the controller works: before the deletion of anything.
        run_hook(cluster, OPS, &release.objects(&[])).await;
        assert_eq!(livekit.backend().list_sessions("rk-").await, Ok(vec![]), "the call was ended");
        assert_eq!(kubectl(cluster, &["get", "rooms,secrets", "-n", "default", "-o", "name"], ""), "");
        uninstall(cluster, &["--wait", "--timeout=30s"]);
        assert_eq!(kubectl(cluster, &["get", "crds", "-o", "name"], ""), "");
    });
}

#[test]
fn rooms_are_not_released_while_a_controller_looks_after_them() {
    run(async {
        let release = InCall::start("crds.keep=true", "default").await;
        // As where the manifests of the chart were applied without Helm, with those of its hooks among them.
        let mut hook = start_hook(&release.cluster, OPS, &release.objects(&[])).await.0;
        let status = hook.ended(2 * PATIENCE).await;
        assert!(!status.success());
        assert!(hook.log_tail().contains("a controller still works"), "{}", hook.log_tail());
        let finalizers = ["get", "room", "call", "-n", "default", "-o", "jsonpath={.metadata.finalizers}"];
        assert_eq!(kubectl(&release.cluster, &finalizers, ""), r#"["roomkeeper.io/session"]"#);
    });
}

#[test]
fn an_uninstallation_that_keeps_no_crds_leaves_nothing_that_waits_for_its_end() {
    run(async {
        let release = InCall::start("crds.keep=false,watchNamespaces={team}", "team").await;
        // What there is for Rooms that stay frees those that are on their way out, too.
        let for_those_that_stay = release.objects(&["--set", "crds.keep=true"]);
        let InCall { cluster, running, .. } = release;
        // The controller is gone before it could do anything about the Room.
        running.stop().await;
        uninstall(&cluster, &[]);
        let deleted = kubectl(&cluster, &["get", "room", "call", "-n", "team", "-o", "jsonpath={.metadata.deletionTimestamp}"], "");
        assert!(!deleted.is_empty(), "the Room does not wait for its finalizer");
        run_hook(&cluster, OPS, &for_those_that_stay).await;
        kubectl(&cluster, &["wait", "--for=delete", "crd/rooms.roomkeeper.io", "--timeout=30s"], "");
        kubectl(&cluster, &["delete", "namespace", "team", OPS, "--timeout=60s"], "");
    });
}

/// What waits for its end, of all that Roomkeeper knows.
fn terminating(cluster: &Cluster) -> Vec<String> {
    let kinds = "namespaces,crds,rooms,roomclasses,roomguests,roomremovals,secrets,serviceaccounts";
    let list: Value = serde_json::from_str(&kubectl(cluster, &["get", kinds, "-A", "-o", "json"], "")).expect("JSON");
    let items = list["items"].as_array().expect("a list").iter();
    items.filter(|item| item["metadata"]["deletionTimestamp"].is_string()).map(|item| item["metadata"]["name"].to_string()).collect()
}
