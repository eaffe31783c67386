//! Somebody who types what the pages say.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::pages::{Needs, Page, in_repository};
use crate::support::process::{Leashed, log_file};
use crate::support::tools::tool;
use crate::support::within;

/// How long a page may take. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(8);

/// What of the repository the reader has at hand.
const AT_HAND: [&str; 4] = ["charts", "crds", "examples", "gitops"];

/// Where somebody types what the pages say.
pub struct Reader {
    pub kubeconfig: PathBuf,
    /// Where kubectl is when no namespace is named.
    pub namespace: String,
}

impl Reader {
    /// Runs the blocks of a page whose needs are `wanted`, in one shell, or tells where it came to an end.
    pub async fn follow(&self, page: &Page, wanted: impl Fn(&Needs) -> bool) -> Result<(), String> {
        let place = log_file("page").with_extension("d");
        let script = self.prepare(page, &place, wanted);
        let mut command = Command::new("bash");
        command.arg("script").current_dir(&place).env("KUBECONFIG", place.join(".kubeconfig")).env("PATH", path()).env("HOME", &place);
        let mut shell = Leashed::spawn("page", &command);
        let ended = within(PATIENCE, async || shell.exited().ok_or("it runs")).await;
        let answers = script.iter().filter_map(|(at, shown)| disagreement(&place, at, shown));
        match ended {
            Ok(status) if status.success() => {
                let wrong: Vec<String> = answers.map(|wrong| format!("{}: {wrong}", page.path)).collect();
                if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
            }
            ended => Err(format!("{} ends with {ended:?}: {}", page.path, shell.log_tail())),
        }
    }

    /// Lays out the directory in which a page is followed, and gives the answers that it shows, by where they are shown.
    fn prepare(&self, page: &Page, place: &Path, wanted: impl Fn(&Needs) -> bool) -> Vec<(String, String)> {
        fs::create_dir_all(place).expect("a directory");
        // kubectl follows no links.
        let copied = Command::new("cp").arg("-r").args(AT_HAND.map(in_repository)).arg(place).status().expect("cp");
        assert!(copied.success());
        let config = fs::read_to_string(&self.kubeconfig).expect("the kubeconfig");
        let mut config: serde_json::Value = serde_yaml::from_str(&config).expect("a kubeconfig");
        config["contexts"][0]["context"]["namespace"] = self.namespace.as_str().into();
        fs::write(place.join(".kubeconfig"), config.to_string()).expect("a kubeconfig");
        let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
        let mut shown = Vec::new();
        for (number, block) in page.blocks.iter().enumerate() {
            if let Some(file) = block.file() {
                fs::write(place.join(format!(".block-{number}")), &block.text).expect("a file");
                let _ = writeln!(script, "mkdir -p \"$(dirname {file})\"; cp .block-{number} {file}");
            }
            if !block.is_commands() || !wanted(&block.needs()) {
                continue;
            }
            for (command, answer) in block.commands() {
                let at = format!("{}-{}", block.line, shown.len());
                let _ = writeln!(script, "echo '##### {}:{}'", page.path, block.line);
                if answer.is_empty() {
                    let _ = writeln!(script, "{command}");
                } else {
                    let _ = writeln!(script, "{{ {command}\n}} > .answer-{at}");
                }
                shown.push((at, answer));
            }
        }
        fs::write(place.join("script"), script).expect("a script");
        shown
    }
}

/// What is wrong with an answer that a page shows: what kubectl's columns are called has to be so, and each word of a line that
/// does not change from day to day has to be in the answer.
fn disagreement(place: &Path, at: &str, shown: &str) -> Option<String> {
    let header = shown.lines().next().filter(|line| line.starts_with("NAME"))?;
    let answer = fs::read_to_string(place.join(format!(".answer-{at}"))).unwrap_or_default();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let really = answer.lines().next().unwrap_or_default();
    if words(really) != words(header) {
        return Some(format!("line {at}: the answer begins with {really:?}, not with {header:?}"));
    }
    let first = |text: &str| text.lines().skip(1).filter_map(|line| words(line).first().cloned()).collect::<Vec<_>>();
    let missing: Vec<String> = first(shown).into_iter().filter(|name| !first(&answer).contains(name)).collect();
    (!missing.is_empty()).then(|| format!("line {at}: {missing:?} are not in the answer: {answer}"))
}

/// Where the tools are found: the pinned ones first.
fn path() -> String {
    let tools = tool("kubectl").parent().expect("a directory").display().to_string();
    format!("{tools}:{}", env::var("PATH").unwrap_or_default())
}
