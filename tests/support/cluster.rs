//! A real control plane: etcd, kube-apiserver and kube-controller-manager, with Roomkeeper's CRDs and accounts installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config, Resource, ResourceExt};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use roomkeeper::api::{Room, RoomClass, RoomGuest, RoomRemoval};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::forwarder::Forwarder;
use super::helm;
use super::process::{Leashed, free_port, log_file};
use super::tools::tool;

/// How long the control plane may take to start. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(3);
/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "roomkeeper-system";

/// Files of the key that signs the tokens of ServiceAccounts.
const PRIVATE_KEY: &str = "service-accounts.pem";
const PUBLIC_KEY: &str = "service-accounts.pub";

/// Names every request once, when it is answered.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
";

/// Whether the API server writes down its requests. Benchmarks of time go without: it costs the API server a part of what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// Each one, see [`Cluster::audit`].
    On,
    /// None.
    // By a benchmark alone.
    #[allow(dead_code)]
    Off,
}

/// A control plane of one API server.
pub struct Cluster {
    directory: PathBuf,
    audit: Audit,
    url: String,
    admin_kubeconfig: PathBuf,
    admin_token: String,
    ports: Ports,
    // In the order in which they end. All are there but while a backup is made or put back.
    controllers: Option<Leashed>,
    api_server: Option<Leashed>,
    etcd: Option<Leashed>,
}

/// Where etcd and the API server listen.
struct Ports {
    clients: u16,
    peers: u16,
    api_server: u16,
}

/// What etcd had at a moment.
pub struct Backup(PathBuf);

impl Cluster {
    /// Starts a control plane that keeps its data in `directory`, and installs Roomkeeper's CRDs and accounts.
    pub async fn start(directory: &Path) -> Self {
        Self::start_with(directory, Audit::On).await
    }

    /// The same, and says whether requests are written down.
    pub async fn start_with(directory: &Path, audit: Audit) -> Self {
        let cluster = Self::empty_with(directory, audit).await;
        install(&cluster.admin().await).await;
        cluster
    }

    /// Starts a control plane on which nothing of Roomkeeper is installed.
    pub async fn empty(directory: &Path) -> Self {
        Self::empty_with(directory, Audit::On).await
    }

    async fn empty_with(directory: &Path, audit: Audit) -> Self {
        fs::create_dir_all(directory).expect("a directory for the control plane");
        let directory = directory.canonicalize().expect("the directory of the control plane");
        let ports = Ports { clients: free_port(), peers: free_port(), api_server: free_port() };
        let etcd = start_etcd(&directory, &ports);
        let admin_token = random_hex();
        fs::write(directory.join("tokens.csv"), format!("{admin_token},admin,admin,system:masters\n")).expect("the token file");
        fs::write(directory.join("audit-policy.yaml"), AUDIT_POLICY).expect("the audit policy");
        make_signing_key(&directory);
        let (api_server, url) = start_api_server(&directory, &ports, &admin_token, audit).await;
        let admin_kubeconfig = write_kubeconfig(&directory, &url, "admin", &admin_token);
        let controllers = Some(start_controllers(&directory, &admin_kubeconfig));
        let (api_server, etcd) = (Some(api_server), Some(etcd));
        Self { directory, audit, url, admin_kubeconfig, admin_token, ports, controllers, api_server, etcd }
    }

    /// Copies the data of etcd, which is stopped meanwhile; everything else runs on.
    pub fn back_up(&mut self) -> Backup {
        let backup = self.directory.join(format!("backup-{}", random_hex()));
        self.etcd = None;
        copy(&self.etcd_data(), &backup);
        self.etcd = Some(start_etcd(&self.directory, &self.ports));
        Backup(backup)
    }

    /// Puts a backup back, as Kubernetes has it done: nothing of the control plane runs meanwhile.
    pub async fn restore(&mut self, backup: &Backup) {
        (self.controllers, self.api_server, self.etcd) = (None, None, None);
        fs::remove_dir_all(self.etcd_data()).expect("the data of etcd");
        copy(&backup.0, &self.etcd_data());
        self.etcd = Some(start_etcd(&self.directory, &self.ports));
        self.api_server = Some(start_api_server(&self.directory, &self.ports, &self.admin_token, self.audit).await.0);
        self.controllers = Some(start_controllers(&self.directory, &self.admin_kubeconfig));
    }

    fn etcd_data(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    /// The control plane that the tests of one binary share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(|| async { Self::start(&log_file("cluster").with_extension("d")).await }).await
    }

    /// Takes away what an installation and its Rooms have left, as if nobody had used this control plane but for the CRDs and accounts.
    /// Nothing of Roomkeeper may run on it any more.
    pub async fn clear(&self) {
        let admin = self.admin().await;
        let (all, delete) = (ListParams::default(), DeleteParams::default());
        delete_all::<Room>(&admin).await;
        delete_all::<RoomGuest>(&admin).await;
        delete_all::<RoomRemoval>(&admin).await;
        let classes = Api::<RoomClass>::all(admin.clone());
        classes.delete_collection(&delete, &all).await.expect("the classes are deleted");
        let (secrets, leases) =
            (Api::<Secret>::namespaced(admin.clone(), OPERATOR_NAMESPACE), Api::<Lease>::namespaced(admin.clone(), OPERATOR_NAMESPACE));
        secrets.delete_collection(&delete, &all).await.expect("the Secrets are deleted");
        leases.delete_collection(&delete, &all).await.expect("the Leases are deleted");
        install(&admin).await;
    }

    /// A new namespace, so that tests do not meet each other.
    pub async fn namespace(&self) -> String {
        let metadata = ObjectMeta { generate_name: Some("test-".into()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(self.admin().await).create(&PostParams::default(), &namespace).await.expect("a namespace").name_any()
    }

    /// A client with all rights.
    pub async fn admin(&self) -> Client {
        client(&self.admin_kubeconfig()).await
    }

    /// Kubeconfig with all rights.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.admin_kubeconfig.clone()
    }

    /// Kubeconfig with the rights of one of Roomkeeper's ServiceAccounts.
    pub async fn account_kubeconfig(&self, account: &str) -> PathBuf {
        self.account_kubeconfig_in(OPERATOR_NAMESPACE, account).await
    }

    /// Kubeconfig with the rights of any ServiceAccount.
    pub async fn account_kubeconfig_in(&self, namespace: &str, account: &str) -> PathBuf {
        let token = account_token(&self.admin().await, namespace, account).await;
        write_kubeconfig(&self.directory, &self.url, &format!("{namespace}-{account}"), &token)
    }

    /// Passes connections on to the API server.
    pub async fn forwarder(&self) -> Forwarder {
        let port = self.url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Forwarder::to(port.expect("the port of the API server")).await
    }

    /// Kubeconfig with the rights of one of Roomkeeper's ServiceAccounts, whose requests go by way of this forwarder.
    pub async fn account_kubeconfig_by(&self, forwarder: &Forwarder, account: &str) -> PathBuf {
        let token = account_token(&self.admin().await, OPERATOR_NAMESPACE, account).await;
        let url = format!("https://127.0.0.1:{}", forwarder.port);
        write_kubeconfig(&self.directory, &url, &format!("{account}-{}", forwarder.port), &token)
    }

    /// Sends the API server a signal, such as `STOP`.
    pub fn signal_api_server(&mut self, signal: &str) {
        self.api_server.as_mut().expect("an API server").signal(signal);
    }

    /// Runs kubectl with all rights, with `input` as its standard input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        kubectl(&self.admin_kubeconfig(), arguments, input)
    }

    /// The API server, for what it uses of the machine.
    // By a benchmark alone, as the next one.
    #[allow(dead_code)]
    pub fn api_server(&self) -> &Leashed {
        self.api_server.as_ref().expect("an API server")
    }

    /// etcd, for the same.
    #[allow(dead_code)]
    pub fn etcd(&self) -> &Leashed {
        self.etcd.as_ref().expect("etcd")
    }

    /// Every answered request so far, as audit events.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.directory.join("audit.log")).expect("the audit log");
        // The last line may be half written.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

fn start_etcd(directory: &Path, ports: &Ports) -> Leashed {
    let (clients, peers) = (format!("http://127.0.0.1:{}", ports.clients), format!("http://127.0.0.1:{}", ports.peers));
    let mut command = Command::new(tool("etcd"));
    command.arg("--data-dir").arg(directory.join("etcd")).args(["--unsafe-no-fsync", "--log-level=error"]);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients, "--listen-peer-urls", &peers]);
    command.args(["--initial-advertise-peer-urls", &peers, "--initial-cluster", &format!("default={peers}")]);
    Leashed::spawn("etcd", &command)
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(copied.success(), "{} cannot be copied", from.display());
}

async fn start_api_server(directory: &Path, ports: &Ports, admin_token: &str, audit: Audit) -> (Leashed, String) {
    let port = ports.api_server;
    let url = format!("https://127.0.0.1:{port}");
    let kubeconfig = &write_kubeconfig(directory, &url, "admin", admin_token);
    let path = |flag: &str, file: &Path| format!("--{flag}={}", file.display());
    let mut command = Command::new(tool("kube-apiserver"));
    command.args([
        format!("--etcd-servers=http://127.0.0.1:{}", ports.clients),
        path("cert-dir", &directory.join("certificates")),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        path("service-account-key-file", &directory.join(PUBLIC_KEY)),
        path("service-account-signing-key-file", &directory.join(PRIVATE_KEY)),
        "--authorization-mode=RBAC".into(),
        // As on OpenShift: who changes the owners of an object must be allowed to delete it.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".into(),
        path("token-auth-file", &directory.join("tokens.csv")),
    ]);
    if audit == Audit::On {
        command.arg(path("audit-policy-file", &directory.join("audit-policy.yaml")));
        command.arg(path("audit-log-path", &directory.join("audit.log")));
    }
    let mut server = Leashed::spawn("kube-apiserver", &command);
    let answer = server.ready(PATIENCE, async || answers(kubeconfig).await);
    answer.await.unwrap_or_else(|failure| panic!("{failure}"));
    (server, url)
}

/// Whether the API server is ready.
async fn answers(kubeconfig: &Path) -> Result<(), String> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    // The server makes its certificate when it starts, and without it there can be no client.
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(|error| error.to_string())?;
    let client = Client::try_from(config).map_err(|error| error.to_string())?;
    let request = Request::get("/readyz").body(Vec::new()).expect("a request");
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}

fn start_controllers(directory: &Path, kubeconfig: &Path) -> Leashed {
    let mut command = Command::new(tool("kube-controller-manager"));
    command.arg(format!("--kubeconfig={}", kubeconfig.display()));
    command.arg(format!("--service-account-private-key-file={}", directory.join(PRIVATE_KEY).display()));
    command.args(["--use-service-account-credentials", "--leader-elect=false", "--secure-port=0"]);
    command.arg(
        "--controllers=clusterrole-aggregation-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller",
    );
    Leashed::spawn("kube-controller-manager", &command)
}

/// The accounts of the chart as Helm renders them with its defaults, so that the demo needs no Helm. `make chart` writes them anew.
pub const ACCOUNTS: &str = include_str!("accounts.yaml");

/// Installs CRDs and accounts as a user would, and waits until they can be used.
pub async fn install(admin: &Client) {
    install_manifests(admin, ACCOUNTS).await;
}

/// The same with arguments for the chart, such as `--set`.
pub async fn install_with(admin: &Client, arguments: &[&str]) {
    install_manifests(admin, &helm::accounts(arguments)).await;
}

async fn install_manifests(admin: &Client, accounts: &str) {
    let crds = roomkeeper::api::crds();
    join_all(crds.iter().map(|crd| install_crd(admin, crd))).await;
    let namespace =
        Namespace { metadata: ObjectMeta { name: Some(OPERATOR_NAMESPACE.into()), ..ObjectMeta::default() }, ..Namespace::default() };
    match Api::all(admin.clone()).create(&PostParams::default(), &namespace).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        other => drop(other.expect("the operator's namespace")),
    }
    join_all(helm::objects(accounts).into_iter().map(|object| apply(admin, object))).await;
}

async fn install_crd(admin: &Client, crd: &CustomResourceDefinition) {
    let (crds, name) = (Api::all(admin.clone()), crd.name_any());
    crds.patch(&name, &PatchParams::apply("installer").force(), &Patch::Apply(crd)).await.expect("the CRD is accepted");
    let established = await_condition(crds.clone(), &name, is_crd_established());
    tokio::time::timeout(PATIENCE, established).await.expect("the CRD is established in time").expect("the CRD can be watched");
}

async fn apply(admin: &Client, object: Value) {
    let object: DynamicObject = serde_json::from_value(object).expect("an object of Kubernetes");
    let (name, types) = (object.name_any(), object.types.as_ref().expect("a kind"));
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).expect("a kind"));
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(admin.clone(), &namespace, &resource),
        None => Api::all_with(admin.clone(), &resource),
    };
    let applied = api.patch(&name, &PatchParams::apply("installer").force(), &Patch::Apply(&object)).await;
    applied.unwrap_or_else(|error| panic!("{} {name} is refused: {error}", types.kind));
}

/// Deletes all objects of a kind, in all namespaces, whatever their finalizers wait for.
async fn delete_all<K: Resource<DynamicType = ()>>(admin: &Client) {
    // Tests make objects that are none of the kind's own type.
    let resource = ApiResource::erase::<K>(&());
    let all = Api::<DynamicObject>::all_with(admin.clone(), &resource);
    let free = Patch::Merge(serde_json::json!({"metadata": {"finalizers": null}}));
    for object in all.list(&ListParams::default()).await.expect("the objects") {
        let api = Api::<DynamicObject>::namespaced_with(admin.clone(), &object.namespace().expect("a namespace"), &resource);
        let deleted = api.delete(&object.name_any(), &DeleteParams::background()).await.map(drop);
        let freed = api.patch(&object.name_any(), &PatchParams::default(), &free).await.map(drop);
        for done in [deleted, freed] {
            // An object without finalizers is gone by then.
            assert!(matches!(&done, Ok(()) | Err(kube::Error::Api(_))), "{done:?}");
        }
    }
    let left = all.list(&ListParams::default()).await.expect("the objects");
    assert!(left.items.is_empty(), "{left:?}");
}

/// A token of a ServiceAccount.
pub async fn account_token(admin: &Client, namespace: &str, account: &str) -> String {
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(36_000), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), namespace);
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.expect("a token of the account");
    answer.status.expect("an answered request").token
}

/// Runs kubectl with a kubeconfig, and with `input` as its standard input.
pub fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = Command::new(tool("kubectl"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl");
    // What kubectl does not read it does not need.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("kubectl ends")
}

/// A client for a kubeconfig.
pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a usable kubeconfig");
    Client::try_from(config).expect("a client")
}

fn write_kubeconfig(directory: &Path, url: &str, user: &str, token: &str) -> PathBuf {
    let certificate = directory.join("certificates/apiserver.crt");
    let kubeconfig = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "roomkeeper", "cluster": {"server": url, "certificate-authority": certificate}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": user, "context": {"cluster": "roomkeeper", "user": user}}],
        "current-context": user,
    });
    let path = directory.join(format!("kubeconfig-{user}"));
    // As a whole: tests that share the cluster write the same one, while another reads it.
    let written = path.with_extension(random_hex());
    fs::write(&written, kubeconfig.to_string()).expect("a kubeconfig");
    fs::rename(&written, &path).expect("a kubeconfig");
    path
}

fn random_hex() -> String {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).expect("randomness");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Makes a key for the tokens of ServiceAccounts: private and public half, each as PEM.
pub fn make_signing_key(directory: &Path) {
    /// What comes before the point in the DER of a public P-256 key (RFC 5480).
    const PUBLIC_HEADER: [u8; 26] = [48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0];
    let random = SystemRandom::new();
    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_ref(), &random).expect("the same key");
    let public = [PUBLIC_HEADER.as_slice(), pair.public_key().as_ref()].concat();
    for (file, kind, der) in [(PRIVATE_KEY, "PRIVATE", private.as_ref()), (PUBLIC_KEY, "PUBLIC", public.as_slice())] {
        let pem = format!("-----BEGIN {kind} KEY-----\n{}\n-----END {kind} KEY-----\n", STANDARD.encode(der));
        fs::write(directory.join(file), pem).expect("the signing key of ServiceAccounts");
    }
}
