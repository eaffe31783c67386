//! The network of people outside of a cluster, with a firewall of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::node::{Family, Node, run};
use super::process::{Leashed, log_file};
use super::tls::Authority;

/// How long it may take to be there. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(1);

/// A network that leads to a node and nowhere else.
pub struct Outside {
    pid: String,
    _process: Leashed,
}

impl Outside {
    /// One beside a node, where these names lead to these addresses and this authority is trusted.
    pub async fn of(node: &Node, names: &[(&str, &str)], authority: &Authority) -> Self {
        let directory = log_file("outside").with_extension("d");
        fs::create_dir_all(&directory).expect("a directory");
        let directory = directory.canonicalize().expect("the directory");
        fs::copy(authority.certificate(), directory.join("authority.crt")).expect("the certificate of the authority");
        let hosts: Vec<String> =
            [("localhost", "127.0.0.1")].iter().chain(names).map(|(name, address)| format!("{address} {name}")).collect();
        fs::write(directory.join("hosts"), hosts.join("\n") + "\n").expect("a file");
        let number = node.number();
        let network = match node.family() {
            Family::IPv4 => [format!("198.19.{number}."), "24".to_owned()],
            Family::IPv6 => [format!("fd00:198:19:{number}::"), "64".to_owned()],
        };
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "bash"]).arg(script()).arg(&directory);
        command.arg(node.pid()).args(network);
        let mut process = Leashed::hold("outside", command);
        let ready = directory.join("ready");
        let answer = process.ready(PATIENCE, async || if ready.exists() { Ok(()) } else { Err(format!("no {}", ready.display())) });
        answer.await.unwrap_or_else(|failure| panic!("{failure}"));
        let pid = fs::read_to_string(ready).expect("a pid").trim().to_owned();
        Self { pid, _process: process }
    }

    /// The arguments of `nsenter` that have a program run there.
    pub fn enter(&self) -> [String; 2] {
        ["net", "mnt"].map(|kind| format!("--{}=/proc/{}/ns/{kind}", if kind == "net" { "net" } else { "mount" }, self.pid))
    }

    /// Lets only this out, each as arguments of `iptables`, for IPv4; everything if there is nothing.
    pub fn let_out(&self, rules: &[&str]) {
        let iptables = |arguments: &[&str]| {
            let mut command = Command::new("nsenter");
            run(command.args(self.enter()).args(["iptables", "--wait"]).args(arguments));
        };
        iptables(&["-F", "OUTPUT"]);
        for rule in rules {
            iptables(&[&["-A", "OUTPUT"], &rule.split(' ').collect::<Vec<_>>()[..], &["-j", "ACCEPT"]].concat());
        }
        if !rules.is_empty() {
            iptables(&["-A", "OUTPUT", "-o", "lo", "-j", "ACCEPT"]);
            iptables(&["-A", "OUTPUT", "-j", "DROP"]);
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/outside.sh")
}
