//! Command line: flags, each with an environment variable of the same name.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use kube::core::Duration;

use crate::api::DEFAULT_CONTROLLER;

/// Most shards: each watches all Rooms of the cluster, so that more only cost the API server.
const MOST_SHARDS: u32 = 16;
/// Longest duration that is read, in characters.
const LONGEST_DURATION: usize = 15;

/// Declarative call rooms for Kubernetes.
#[derive(Parser, Debug)]
// The last one wins, so that arguments added to those of the chart can replace them.
#[command(name = "roomkeeper", version, args_override_self = true)]
pub struct Cli {
    /// The role to run.
    #[command(subcommand)]
    pub command: Command,

    /// Log filter: a level such as info, or directives such as roomkeeper=debug,kube=warn.
    #[arg(long, global = true, env = "ROOMKEEPER_LOG", default_value = "info")]
    pub log: String,

    /// Receiver of traces, by OTLP over HTTP, for example http://collector.monitoring:4318. Default: none are sent.
    #[arg(long, global = true, env = "ROOMKEEPER_OTLP_ENDPOINT", value_name = "URL", value_parser = base_url)]
    pub otlp_endpoint: Option<String>,

    /// Form of the log lines.
    #[arg(long, global = true, env = "ROOMKEEPER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Keeps sessions and invites equal to what the Rooms say.
    Controller(ControllerArgs),
    /// Lets invited people in.
    Gateway(GatewayArgs),
    /// Prints the CustomResourceDefinitions as YAML.
    Crds,
    /// Takes Roomkeeper's finalizer off all Rooms, at the end of an uninstallation.
    Release(ReleaseArgs),
    /// Tests an installation: makes a short Room, joins it through the gateway, and deletes it.
    Selftest(SelftestArgs),
}

impl Command {
    #[must_use]
    pub fn role(&self) -> &'static str {
        match self {
            Self::Controller(_) => "controller",
            Self::Gateway(_) => "gateway",
            Self::Crds => "crds",
            Self::Release(_) => "release",
            Self::Selftest(_) => "selftest",
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Args, Debug)]
pub struct ControllerArgs {
    /// Namespace that Roomkeeper runs in; holds the invite signing keys and the credentials of media servers.
    #[arg(long, env = "ROOMKEEPER_OPERATOR_NAMESPACE", default_value = "roomkeeper-system")]
    pub operator_namespace: String,

    /// Address of the gateway as people reach it, for example https://meet.example.org: the base of join links. It may have a
    /// path.
    #[arg(long, env = "ROOMKEEPER_GATEWAY_URL", value_parser = base_url)]
    pub gateway_url: String,

    /// Address that serves /metrics, /healthz and /readyz.
    #[arg(long, env = "ROOMKEEPER_METRICS_ADDR", default_value = "0.0.0.0:9090")]
    pub metrics_addr: SocketAddr,

    /// Namespaces whose Rooms are looked after, with commas between. Default: all.
    #[arg(long, env = "ROOMKEEPER_WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,

    /// Which RoomClasses are looked after: those with this controllerName.
    #[arg(long, env = "ROOMKEEPER_CONTROLLER_NAME", default_value = DEFAULT_CONTROLLER)]
    pub controller_name: String,

    /// Of several controllers one works, by a Lease in the operator's namespace, and the others stand by.
    #[arg(long, env = "ROOMKEEPER_LEADER_ELECT", default_value_t = true, action = ArgAction::Set,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: bool,

    /// How many controllers work at the same time, each on the Rooms of some of the namespaces. Those beyond stand by.
    #[arg(long, env = "ROOMKEEPER_SHARDS", default_value = "1", value_parser = shards)]
    pub shards: NonZeroU32,

    /// UID of the Pod it runs in. A container that is started again in the same Pod leads on at once, instead of waiting until the Lease of
    /// the one before it ends.
    #[arg(long, env = "ROOMKEEPER_POD_UID", value_name = "UID")]
    pub pod_uid: Option<String>,

    /// File with a RoomClass that is applied at the start.
    #[arg(long, env = "ROOMKEEPER_ROOM_CLASS_FILE", value_name = "PATH")]
    pub room_class_file: Option<PathBuf>,

    /// Secret in the operator's namespace with the keys of a LiveKit server that is installed along; made at the start if it
    /// is missing.
    #[arg(long, env = "ROOMKEEPER_LIVEKIT_KEYS_SECRET", value_name = "NAME")]
    pub livekit_keys_secret: Option<String>,

    /// Deployment in the operator's namespace of that LiveKit server. It is told the address of its load balancer by a ConfigMap of the same name, and
    /// started anew when it is another one.
    #[arg(long, env = "ROOMKEEPER_LIVEKIT_DEPLOYMENT", value_name = "NAME", requires = "livekit_media_services")]
    pub livekit_deployment: Option<String>,

    /// Services of the type LoadBalancer that lead to the media of that LiveKit server, with commas between.
    #[arg(long, env = "ROOMKEEPER_LIVEKIT_MEDIA_SERVICES", value_name = "NAMES", value_delimiter = ',', requires = "livekit_deployment")]
    pub livekit_media_services: Vec<String>,

    /// How often the invite Secrets of every Room are looked at, so that deleted ones come back.
    #[arg(long, env = "ROOMKEEPER_RESYNC", default_value = "1h", value_parser = resync)]
    pub resync: Duration,

    #[command(flatten)]
    pub azure: AzureArgs,
}

/// The workload identity of the pod on Azure, in the variables that its webhook for workload identities sets.
#[derive(Args, Debug)]
pub struct AzureArgs {
    /// Client id of the workload identity by which RoomClasses without a credentialsSecretRef use Azure Communication Services.
    #[arg(long, env = "AZURE_CLIENT_ID", value_name = "ID")]
    pub azure_client_id: Option<String>,

    /// Tenant of that identity.
    #[arg(long, env = "AZURE_TENANT_ID", value_name = "ID")]
    pub azure_tenant_id: Option<String>,

    /// File with the token that Kubernetes projects for that identity.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE", value_name = "PATH")]
    pub azure_federated_token_file: Option<PathBuf>,

    /// Address of Microsoft Entra, which gives a token for that one.
    #[arg(long, env = "AZURE_AUTHORITY_HOST", value_name = "URL", default_value = "https://login.microsoftonline.com", value_parser = base_url)]
    pub azure_authority_host: String,
}

impl AzureArgs {
    /// Authority, tenant, client and file, if all of them are known.
    #[must_use]
    pub fn identity(&self) -> Option<(&str, &str, &str, &PathBuf)> {
        let Self { azure_client_id: client, azure_tenant_id: tenant, azure_federated_token_file: file, azure_authority_host } = self;
        Some((azure_authority_host, tenant.as_deref()?, client.as_deref()?, file.as_ref()?))
    }
}

#[derive(Args, Debug)]
pub struct GatewayArgs {
    /// Address to listen on.
    #[arg(long, env = "ROOMKEEPER_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Address of the gateway as people reach it, for example https://meet.example.org: where applications find the signalling
    /// that goes through it, and the base of guests' join links. Without it, the host that each request names. A path that it
    /// has may be part of requests. The join page itself connects to where it came from.
    #[arg(long, env = "ROOMKEEPER_GATEWAY_URL", value_parser = base_url)]
    pub gateway_url: Option<String>,

    /// Networks of the proxies before the gateway, for example 10.244.0.0/16: their X-Forwarded-For and X-Forwarded-Proto are
    /// believed, nobody else's.
    #[arg(long, env = "ROOMKEEPER_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,

    /// Origins that may show the page in a frame, for example https://portal.example.org; none of others, none by default.
    #[arg(long, env = "ROOMKEEPER_FRAME_ANCESTORS", value_delimiter = ',', value_parser = origin)]
    pub frame_ancestors: Vec<String>,

    /// Namespaces whose Rooms people may join, with commas between. Default: all.
    #[arg(long, env = "ROOMKEEPER_WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,

    /// Which RoomClasses are used: those with this controllerName.
    #[arg(long, env = "ROOMKEEPER_CONTROLLER_NAME", default_value = DEFAULT_CONTROLLER)]
    pub controller_name: String,

    /// Requests a second from one address; ten times as many may come at once.
    #[arg(long, env = "ROOMKEEPER_RATE_LIMIT_PER_ADDRESS", default_value = "200")]
    pub rate_limit_per_address: NonZeroU32,

    /// Namespace that Roomkeeper runs in; holds the invite signing keys and the credentials of media servers.
    #[arg(long, env = "ROOMKEEPER_OPERATOR_NAMESPACE", default_value = "roomkeeper-system")]
    pub operator_namespace: String,

    /// Address that serves /metrics, /healthz and /readyz.
    #[arg(long, env = "ROOMKEEPER_METRICS_ADDR", default_value = "0.0.0.0:9090")]
    pub metrics_addr: SocketAddr,

    #[command(flatten)]
    pub azure: AzureArgs,
}

#[derive(Args, Debug)]
pub struct ReleaseArgs {
    /// Namespace that Roomkeeper ran in.
    #[arg(long, env = "ROOMKEEPER_OPERATOR_NAMESPACE", default_value = "roomkeeper-system")]
    pub operator_namespace: String,

    /// Namespaces whose Rooms were looked after, with commas between. Default: all.
    #[arg(long, env = "ROOMKEEPER_WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,

    /// Which RoomClasses were looked after: those with this controllerName. Rooms of others are left alone.
    #[arg(long, env = "ROOMKEEPER_CONTROLLER_NAME", default_value = DEFAULT_CONTROLLER)]
    pub controller_name: String,

    /// How many controllers worked at the same time.
    #[arg(long, env = "ROOMKEEPER_SHARDS", default_value = "1", value_parser = shards)]
    pub shards: NonZeroU32,

    /// First deletes the Rooms, while there is a controller that ends their calls.
    #[arg(long)]
    pub delete_rooms: bool,
}

#[derive(Args, Debug)]
pub struct SelftestArgs {
    /// Namespace of the Room.
    #[arg(long)]
    pub namespace: String,

    /// Name of the Room.
    #[arg(long)]
    pub name: String,

    /// Address of the gateway.
    #[arg(long, value_parser = base_url)]
    pub gateway: String,

    /// RoomClass of the Room. Default: the default class.
    #[arg(long)]
    pub room_class: Option<String>,

    /// Clients reach the media server themselves: signalling through the gateway is not tested.
    #[arg(long)]
    pub direct: bool,

    /// Fails when media reach this process by no way, or a relay (TURN) is set up wrong. Without it, what was found is told and no more.
    #[arg(long)]
    pub require_media: bool,
}

/// A namespace's name: a DNS label.
fn namespace(value: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = (1..=63).contains(&value.len()) && value.chars().all(fits) && !value.starts_with('-') && !value.ends_with('-');
    if label { Ok(value.to_owned()) } else { Err("must be the name of a namespace, or several with commas between".into()) }
}

/// The part of an address before its path, or a path too.
fn base_url(value: &str) -> Result<String, String> {
    let scheme = value.starts_with("https://") || value.starts_with("http://");
    if scheme && !value.contains(['?', '#', ' ']) {
        return Ok(value.to_owned());
    }
    Err("must be a URL such as https://meet.example.org, without query and fragment".into())
}

/// An origin: scheme, host, and perhaps a port. Anything else could change the meaning of the header that it goes into.
fn origin(value: &str) -> Result<String, String> {
    let host = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or_default();
    let bare = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    if bare { Ok(value.to_owned()) } else { Err("must be an origin such as https://portal.example.org".into()) }
}

/// A number of shards.
fn shards(value: &str) -> Result<NonZeroU32, String> {
    let number = value.parse().ok().filter(|number: &NonZeroU32| number.get() <= MOST_SHARDS);
    number.ok_or_else(|| format!("must be a number from 1 to {MOST_SHARDS}"))
}

fn resync(value: &str) -> Result<Duration, String> {
    // With more digits kube's reader panics, in place of saying that there are too many.
    if value.len() > LONGEST_DURATION {
        return Err(format!("must have at most {LONGEST_DURATION} characters"));
    }
    let duration: Duration = value.parse().map_err(|error| format!("{error}"))?;
    let at_least = std::time::Duration::from_secs(10);
    if duration.is_negative() || std::time::Duration::from(duration) < at_least {
        return Err("must be at least 10s".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_of_too_many_digits_or_too_few_seconds_is_refused_and_no_panic() {
        assert!(resync("1h30m").is_ok() && resync("100000000000h").is_ok());
        for bad in ["99999999999999999999h", "9999999999999999s", "9s", "-1h", "", "hourly"] {
            assert!(resync(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for good in ["https://portal.example.org", "http://localhost:8080", "https://[2001:db8::1]:8443"] {
            assert_eq!(origin(good), Ok(good.to_owned()));
        }
        let bad = ["", "portal.example.org", "https://", "https://a/", "https://a b", "https://a;script-src *", "https://*", "'self'"];
        for bad in bad {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
