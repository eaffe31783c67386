//! The command line: `-- WORKLOAD SIZE... WORKLOAD SIZE... FLAGS`.

/// What is to be measured, and how.
// Each flag of the command line is one.
#[allow(clippy::struct_excessive_bools)]
pub struct Arguments {
    /// The workloads by name, each with its sizes, in the order in which they were asked for.
    pub workloads: Vec<(&'static Workload, Vec<usize>)>,
    /// How often the product and the floor are measured, by turns.
    pub runs: usize,
    /// Invited people of a Room.
    pub people: usize,
    /// How long an idle controller is looked at, in seconds.
    pub idle_seconds: u64,
    /// Whether the media server is a real one.
    pub livekit: bool,
    /// Whether the cluster sets the finalizer of the product's Rooms.
    pub finalizer_policy: bool,
    /// Whether figures of a run that was disturbed are printed, with a remark.
    pub tolerates_disturbance: bool,
    /// Whether the plots of the documentation are drawn anew.
    pub plots: bool,
}

/// A workload.
pub struct Workload {
    pub name: &'static str,
    /// Sizes that show within a minute or two that it works.
    short: &'static [usize],
    /// Sizes of the documentation.
    full: &'static [usize],
}

/// Every workload, in the order in which they run if none is named.
pub const WORKLOADS: [Workload; 7] = [
    Workload { name: "throughput", short: &[100], full: &[2_000] },
    Workload { name: "steady", short: &[100], full: &[2_000] },
    Workload { name: "burst", short: &[100], full: &[10_000] },
    Workload { name: "idle", short: &[200], full: &[1_000, 10_000, 100_000] },
    Workload { name: "ends", short: &[100], full: &[1_000, 10_000] },
    Workload { name: "openings", short: &[100], full: &[10_000] },
    Workload { name: "counts", short: &[20], full: &[1_000] },
];

impl Arguments {
    /// Reads the command line.
    pub fn read() -> Result<Self, String> {
        Self::of(std::env::args().skip(1))
    }

    fn of(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            workloads: Vec::new(),
            runs: 1,
            people: 10,
            idle_seconds: 15,
            livekit: false,
            finalizer_policy: false,
            tolerates_disturbance: false,
            plots: false,
        };
        let mut full = false;
        for word in words {
            let (flag, value) = word.split_once('=').unwrap_or((&word, ""));
            let number = || value.parse::<usize>().map_err(|_| format!("{flag} wants a number, as in {flag}=5"));
            match flag {
                // Cargo's own.
                "--bench" => {}
                "--runs" => arguments.runs = number()?.max(1),
                "--people" => arguments.people = number()?.clamp(1, 350),
                "--idle-seconds" => arguments.idle_seconds = number()?.max(1) as u64,
                "--livekit" => arguments.livekit = true,
                "--finalizer-policy" => arguments.finalizer_policy = true,
                "--tolerate-disturbance" => arguments.tolerates_disturbance = true,
                "--plots" => arguments.plots = true,
                "--full" => full = true,
                _ => arguments.add(&word)?,
            }
        }
        if arguments.workloads.is_empty() {
            arguments.workloads.extend(WORKLOADS.iter().map(|workload| (workload, Vec::new())));
        }
        for (workload, sizes) in &mut arguments.workloads {
            if sizes.is_empty() {
                sizes.extend(if full { workload.full } else { workload.short });
            }
        }
        Ok(arguments)
    }

    /// Takes the name of a workload, or a size of the one that was named last.
    fn add(&mut self, word: &str) -> Result<(), String> {
        if let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == word) {
            self.workloads.push((workload, Vec::new()));
            return Ok(());
        }
        let size = word.parse::<usize>().ok().filter(|size| *size > 0);
        if let (Some((_, sizes)), Some(size)) = (self.workloads.last_mut(), size) {
            sizes.push(size);
            return Ok(());
        }
        let names = WORKLOADS.map(|workload| workload.name).join(", ");
        Err(format!("{word} is no workload, which are {names}, and no size of one"))
    }
}
