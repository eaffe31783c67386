//! What goes wrong with requests, by script.

use super::request::Received;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not carried out, and refused in this way.
    Status {
        /// The HTTP status.
        status: u16,
        /// The code of the error.
        code: &'static str,
        /// Seconds for `Retry-After`.
        retry_after: Option<u64>,
    },
    /// The connection is closed before it is carried out.
    Lost,
    /// It is carried out, then the connection is closed.
    Unanswered,
    /// It is carried out, and a success is told in JSON of another shape.
    Malformed,
    /// It is carried out, and the answer is a web page.
    NotJson,
    /// It is not carried out, and the connection stays open without an answer until the faults are cleared or the double is dropped.
    Silent,
}

/// The faults to come.
#[derive(Default)]
pub struct Faults(Vec<Rule>);

struct Rule {
    method: String,
    path_contains: String,
    times: usize,
    fault: Fault,
}

impl Faults {
    /// The next requests of a kind go wrong.
    pub fn add(&mut self, method: &str, path_contains: &str, times: usize, fault: Fault) {
        self.0.push(Rule { method: method.to_owned(), path_contains: path_contains.to_owned(), times, fault });
    }

    /// What goes wrong with a request, which uses that up.
    pub fn take(&mut self, request: &Received) -> Option<Fault> {
        let paths = [request.plain_path(), request.path_without_ids()];
        let meets = |rule: &&mut Rule| rule.method == request.method && paths.iter().any(|path| path.contains(&rule.path_contains));
        let rule = self.0.iter_mut().filter(|rule| rule.times > 0).find(meets)?;
        rule.times -= 1;
        Some(rule.fault)
    }
}
