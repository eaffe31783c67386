//! Servers as child processes that never outlive the test process.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{eventually, within};

/// Lines of the log that a failure shows.
const TAIL: usize = 25;

/// A server that ends when this is dropped, and when the test process ends in any way, SIGKILL included.
pub struct Leashed {
    name: String,
    leash: Child,
    hold: Option<ChildStdin>,
    log: PathBuf,
}

impl Leashed {
    /// Starts `command` with an empty stdin and its output in the log called `name`.
    pub fn spawn(name: &str, command: &Command) -> Self {
        let mut leash = Command::new("sh");
        leash.arg("-c").arg(include_str!("leash.sh")).arg("leash").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leash.env(name, value),
                None => leash.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            leash.current_dir(directory);
        }
        Self::hold(name, leash)
    }

    /// Starts a command that itself ends at the end of its stdin, with its output in the log called `name`.
    pub fn hold(name: &str, mut leash: Command) -> Self {
        let log = log_file(name);
        let output = File::create(&log).expect("a log file");
        let errors = output.try_clone().expect("a second handle of the log file");
        let mut leash = leash.stdin(Stdio::piped()).stdout(output).stderr(errors).spawn().expect("sh");
        Self { name: name.to_owned(), hold: leash.stdin.take(), leash, log }
    }

    /// Sends the server a signal, such as `TERM`, `KILL` or `STOP`.
    pub fn signal(&mut self, signal: &str) {
        let hold = self.hold.as_mut().expect("held until dropped");
        // Who has ended gets no signal.
        let _ = writeln!(hold, "{signal}");
    }

    /// The exit status of a server that has ended by itself or by a signal.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.leash.try_wait().expect("the state of a child")
    }

    /// Waits until the server has ended, by itself or by a signal.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        eventually(deadline, async || self.exited().ok_or_else(|| format!("{} still runs", self.name))).await
    }

    /// Waits until `check` is content, or says why it never will be: time is up, or the server ended.
    pub async fn ready<E: Display>(&mut self, deadline: Duration, mut check: impl AsyncFnMut() -> Result<(), E>) -> Result<(), String> {
        let outcome = within(deadline, async || match self.exited() {
            Some(status) => Ok(Err(format!("it ended: {status}"))),
            None => check().await.map(Ok),
        });
        let failure = match outcome.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(last) => format!("not within {deadline:?}; last seen: {last}"),
        };
        Err(format!("{} did not start: {failure}\n{}", self.name, self.log_tail()))
    }

    /// The pid of what ends the server.
    pub fn id(&self) -> u32 {
        self.leash.id()
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Resident memory of the server, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.server().map_or(0, |(kilobytes, _)| kilobytes * 1024)
    }

    /// How many descriptors the server has open.
    pub fn descriptors(&self) -> usize {
        self.server().and_then(|(_, pid)| fs::read_dir(format!("/proc/{pid}/fd")).ok()).map_or(0, Iterator::count)
    }

    /// The server: its resident memory in KiB, and its pid.
    fn server(&self) -> Option<(u64, String)> {
        let leash = self.leash.id();
        let children = fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).expect("a leash that runs");
        let resident = |pid: &str| -> Option<u64> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse().ok()
        };
        // The leash's other child is a shell that waits; the server is the larger one.
        children.split_whitespace().filter_map(|pid| Some((resident(pid)?, pid.to_owned()))).max()
    }

    /// Processor time that the server has used.
    // By a benchmark alone.
    #[allow(dead_code)]
    pub fn processor_time(&self) -> Duration {
        let leash = self.leash.id();
        let children = fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).expect("a leash that runs");
        let stats = children.split_whitespace().map(|child| fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default());
        // User and system time, in hundredths of a second, as Linux has them on every machine that people use.
        let used = |stat: String| -> Option<u64> {
            let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
            Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
        };
        Duration::from_millis(stats.filter_map(used).max().unwrap_or_default() * 10)
    }

    /// Where the log is, and how it ends.
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("{} ends with:\n{tail}", self.log.display())
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.hold.take());
        // Only a kill is waited for, so this is short.
        let _ = self.leash.wait();
    }
}

/// A new file `target/test-logs/<binary>-<pid>/<name>-<n>.log`. What ended runs of the same binary left goes first, but for
/// the last of them: the data of a control plane is hundreds of megabytes.
pub fn log_file(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static TIDY: Once = Once::new();
    let all = target().join("test-logs");
    let binary = concat!(env!("CARGO_CRATE_NAME"), "-");
    TIDY.call_once(|| tidy(&all, binary));
    let directory = all.join(format!("{binary}{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for logs");
    directory.join(format!("{name}-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// The directory `target` of the repository, where people look, wherever Cargo builds.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// Removes the logs of ended runs of a binary, all but the last one's.
fn tidy(all: &Path, binary: &str) {
    let is_ended = |path: &PathBuf| {
        let pid = path.file_name().and_then(|name| name.to_str()?.strip_prefix(binary)?.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    let entries = fs::read_dir(all).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut ended: Vec<PathBuf> = entries.filter(is_ended).collect();
    ended.sort_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
    ended.pop();
    for path in ended {
        // Another run of the same binary may be at it, too.
        let _ = fs::remove_dir_all(path);
    }
}

/// A port on loopback that nobody uses, for TCP and for UDP.
///
/// Below the range from which systems take ports for outgoing connections: a port stays free while its server restarts.
/// Test processes that run side by side begin far from each other.
pub fn free_port() -> u16 {
    const FIRST: usize = 20_000;
    const COUNT: usize = 12_000;
    static OFFERED: AtomicUsize = AtomicUsize::new(0);
    let start = std::process::id() as usize * 7417;
    loop {
        let offered = OFFERED.fetch_add(1, Ordering::Relaxed);
        assert!(offered < COUNT, "no port is free");
        let port = u16::try_from(FIRST + (start + offered) % COUNT).expect("a port");
        let address = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
}
