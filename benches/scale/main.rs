//! `make bench`: how the controller fares with many Rooms, beside a bare client that does only what nobody can spare.
//!
//! `cargo bench --bench scale -- throughput 500 --runs=5` runs one workload at one size; `docs/performance.md` says which there are and how
//! they are measured. Prints figures and judges nothing. A run that was disturbed, or whose servers do not answer, gives no figure.

// The benchmark talks to people, and ends with what surprised it. Its figures are far from where floating point ends.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, clippy::cast_precision_loss)]

mod arguments;
mod burst;
mod counts;
mod ends;
mod figures;
mod floor;
mod idle;
mod installation;
mod load;
mod machine;
mod media;
mod moment;
mod newcomers;
mod openings;
mod plot;
mod requests;
mod steady;
// A part of it is used.
#[allow(dead_code)]
#[path = "../../tests/support/mod.rs"]
mod support;
mod throughput;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    support::run(async {
        let mut failed = false;
        for (workload, sizes) in &arguments.workloads {
            if let Err(reason) = run(workload.name, sizes, &arguments).await {
                println!("  no figure: {reason}");
                failed = true;
            }
        }
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}

async fn run(workload: &str, sizes: &[usize], arguments: &Arguments) -> Result<(), String> {
    match workload {
        "idle" => return idle::idle(sizes, arguments).await,
        "ends" => return ends::ends(sizes, arguments).await,
        _ => {}
    }
    for size in sizes {
        match workload {
            "throughput" => throughput::throughput(*size, arguments).await?,
            "steady" => steady::steady(*size, arguments).await?,
            "burst" => burst::burst(*size, arguments).await?,
            "openings" => openings::openings(*size, arguments).await?,
            _ => counts::counts(*size, arguments).await?,
        }
    }
    Ok(())
}
