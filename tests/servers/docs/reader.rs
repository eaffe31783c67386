//! Somebody who types what the pages say.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;

use super::pages::{Needs, Page};
use crate::support::dates::Checkout;
use crate::support::process::{Leashed, log_file};
use crate::support::tools::tool;
use crate::support::within;

/// How long a page may take. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(8);

/// What of the repository the reader has at hand.
const AT_HAND: [&str; 4] = ["charts", "crds", "examples", "gitops"];

/// Where somebody types what the pages say.
pub struct Reader<'a> {
    /// Where the pages come from.
    pub checkout: &'a Checkout,
    pub kubeconfig: PathBuf,
    /// Where kubectl is when no namespace is named.
    pub namespace: String,
}

impl Reader<'_> {
    /// Runs the blocks of a page whose needs are `wanted`, in one shell, or tells where it came to an end.
    pub async fn follow(&self, page: &Page, wanted: impl Fn(&Needs) -> bool) -> Result<(), String> {
        self.follow_in(Command::new("bash"), page, wanted).await
    }

    /// The same in a shell of the caller's.
    pub async fn follow_in(&self, mut shell: Command, page: &Page, wanted: impl Fn(&Needs) -> bool) -> Result<(), String> {
        let place = log_file("page").with_extension("d");
        let script = self.prepare(&page.moved(self.checkout.dates), &place, wanted);
        shell.arg("script").current_dir(&place).env("KUBECONFIG", place.join(".kubeconfig")).env("PATH", path()).env("HOME", &place);
        let mut shell = Leashed::spawn("page", &shell);
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
        for name in AT_HAND {
            self.checkout.copy(name, &place.join(name));
        }
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
                let command = insisting(&command);
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

/// Commands of which those of the form `! command` end the script when the command does not fail: of a success that was negated
/// `set -e` takes no notice.
fn insisting(commands: &str) -> String {
    let (mut negated, mut goes_on) = (false, false);
    let lines = commands.lines().map(|line| {
        let inner = if goes_on { None } else { line.strip_prefix("! ") };
        let begin = if inner.is_some() { "if " } else { "" };
        negated = inner.is_some() || goes_on && negated;
        goes_on = line.ends_with('\\');
        let end = if negated && !goes_on { "; then echo 'this was expected to fail'; exit 1; fi" } else { "" };
        format!("{begin}{}{end}", inner.unwrap_or(line))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is wrong with the answer to a command of which a page shows this.
fn disagreement(place: &Path, at: &str, shown: &str) -> Option<String> {
    let answer = fs::read_to_string(place.join(format!(".answer-{at}"))).unwrap_or_default();
    difference(shown, &answer).map(|wrong| format!("line {at}: {wrong}"))
}

/// What is wrong with an answer that a page shows: what kubectl's columns are called has to be so, and each word of a line that
/// does not change from day to day has to be in the answer, in the line that begins with the same word.
fn difference(shown: &str, answer: &str) -> Option<String> {
    let header = shown.lines().next().filter(|line| line.starts_with("NAME"))?;
    let really = answer.lines().next().unwrap_or_default();
    if !really.split_whitespace().eq(header.split_whitespace()) {
        return Some(format!("the answer begins with {really:?}, not with {header:?}"));
    }
    let rows = shown.lines().skip(1).filter(|row| !row.trim().is_empty());
    let missing: Vec<&str> = rows.filter(|row| !answer.lines().skip(1).any(|line| says(line, row))).collect();
    (!missing.is_empty()).then(|| format!("{missing:?} are not in the answer: {answer}"))
}

/// Whether a line begins with the same word as one that is shown, and has all of its lasting words in the same order.
fn says(line: &str, shown: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == shown.split_whitespace().next() && lasting(shown).all(|word| words.any(|known| known == word))
}

/// The words after the first that are the same for everybody: no ages and numbers, and times only where a call is still to come, because
/// these are in its manifest.
fn lasting(line: &str) -> impl Iterator<Item = &str> {
    let is_passing =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| "0123456789smhdyTZ:-/.".contains(c));
    let is_scheduled = line.split_whitespace().any(|word| word == "Scheduled");
    line.split_whitespace().skip(1).filter(move |word| !is_passing(word) || is_scheduled && word.parse::<Timestamp>().is_ok())
}

/// Where the tools are found: the pinned ones first.
pub fn path() -> String {
    let tools = tool("kubectl").parent().expect("a directory").display().to_string();
    format!("{tools}:{}", env::var("PATH").unwrap_or_default())
}

#[test]
fn a_command_that_is_to_fail_ends_the_script_when_it_does_not() {
    let end = "; then echo 'this was expected to fail'; exit 1; fi";
    let commands = "a\n! b c\n! d \\\n  e\nf \\\n! g\n[ ! h ]\n";
    assert_eq!(insisting(commands), format!("a\nif b c{end}\nif d \\\n  e{end}\nf \\\n! g\n[ ! h ]"));
    for (commands, ends_well) in [("! false\ntrue", true), ("! true\ntrue", false), ("! true |\\\n true\ntrue", false)] {
        let script = format!("set -euo pipefail\n{}", insisting(commands));
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
        assert_eq!(output.status.success(), ends_well, "{script}");
    }
}

#[test]
fn an_answer_disagrees_with_a_page_by_any_word_that_lasts() {
    let columns = |name: &str| format!("{name}   PHASE   READY   OPENS   JOINED   AGE\n");
    let shown = |row: &str| columns("NAME") + row;
    let agrees = |row: &str, answer: &str| {
        let answer = format!("{}other   Open   False   2030-11-01T09:00:00Z   3   25h\n{answer}\n", columns("NAME "));
        difference(&shown(row), &answer).is_none()
    };
    let scheduled = "call   Scheduled   True    2030-01-15T09:00:00Z   0        5s";
    for (row, wanted) in [
        ("call   Scheduled   True    2030-01-15T09:00:00Z   12   2m10s", true),
        ("call   Scheduled   True    2030-01-16T09:00:00Z   0    5s", false),
        ("call   Open        True    2030-01-15T09:00:00Z   0    5s", false),
        ("call   Scheduled   False   2030-01-15T09:00:00Z   0    5s", false),
        ("calls  Scheduled   True    2030-01-15T09:00:00Z   0    5s", false),
    ] {
        assert_eq!(agrees(scheduled, row), wanted, "{row}");
    }
    // A call without a start opens when it is made.
    let open = "call   Open   True   2030-01-01T09:00:00Z   0   5s";
    assert!(agrees(open, "call   Open   True   2030-01-15T10:30:00Z   0   5s"));
    assert!(!agrees(open, "call   Scheduled   True   2030-01-01T09:00:00Z   0   5s"));
    assert!(difference(&shown(scheduled), "NAME   PHASE\ncall   Scheduled   True").is_some(), "other columns");
    assert!(difference("what is no table", "anything").is_none());
    let words: Vec<&str> = lasting("a   2/2   roomkeeper.io/invite   v4   3d4h   1.5   2030-01-15   b2").collect();
    assert_eq!(words, ["roomkeeper.io/invite", "v4", "b2"]);
}
