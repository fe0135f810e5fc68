//! `cargo xtask bench`: liveline against its peers, and against a floor.
//!
//! | module | owns |
//! |---|---|
//! | `plan` | the arguments: which groups of metrics, how many rounds |
//! | `contestants`, `workshop` | who takes part; how each is installed, started and spoken to |
//! | `server`, `cores` | one running server, its CPU time and memory; who runs on which core |
//! | `load` | our own loader: live lines, WebSockets, events, requests |
//! | `idle` | M1 M2 M3 |
//! | `metric`, `stats`, `report` | values and what they are held against; medians of ratios; tables |
//! | `floor` | the bare epoll server |
//!
//! A figure is the median of per-round ratios: neighbours in one round share the machine's mood, and absolute rates
//! on a shared machine say little. The first figure is what the server's CPU time buys, which a loader cannot limit.

mod client;
mod contestants;
mod cores;
mod echo;
mod events;
mod fanout;
mod floor;
mod idle;
mod load;
mod metric;
mod plan;
mod report;
mod rounds;
mod server;
mod stats;
mod workshop;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::checkout::Checkout;
use crate::failure::{Outcome, While, fail};
use metric::Metric;
use plan::Plan;
use workshop::Workshop;

/// What every contestant serves: the handler reads the path and one header, and answers with both.
const ROUTE: &str = "/hello";
const HEADER: (&str, &str) = ("x-name", "bench");
/// The scripts start with generation 0; the reload benchmark counts it up.
const BODY: &str = "0 /hello bench";

/// Measures and prints the tables.
pub fn bench(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let plan = Plan::parse(checkout, arguments)?;
    if cfg!(debug_assertions) && !plan.smoke {
        let optimised = contestants::build_optimised(checkout)?;
        return Err(Command::new(optimised).arg("bench").args(arguments).exec())
            .while_doing("starting the bench");
    }
    cores::raise_file_limit()?;
    let workshop = Workshop::open(checkout, &plan)?;
    println!("machine: {}", report::machine());
    let (mut metrics, mut failed) = (Vec::new(), Vec::new());
    for group in &plan.groups {
        match measure(group, &workshop) {
            Ok(measured) => {
                measured.iter().for_each(report::print);
                metrics.extend(measured);
            }
            Err(failure) => {
                println!("\n{group}: not measured: {failure}");
                failed.push(*group);
            }
        }
    }
    let versions = workshop.versions();
    let shown = versions.iter().map(|(name, version)| format!("{name} {version}"));
    println!("\nversions: {}", shown.collect::<Vec<_>>().join(", "));
    if let Some(file) = &plan.json {
        let text = format!("{:#}\n", report::json(&metrics, &versions));
        fs::write(file, text).while_doing(format_args!("writing {}", file.display()))?;
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => fail(format!("not measured: {}", failed.join(", "))),
    }
}

fn measure(group: &str, workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    match group {
        "echo" => echo::measure(workshop),
        "fanout" => fanout::measure(workshop),
        "events" => events::measure(workshop),
        "idle" => idle::measure(workshop),
        other => fail(format!("there is no group {other}")),
    }
}

/// Runs the floor until it is killed.
pub fn floor_server(arguments: &[&str]) -> Outcome {
    let port = match arguments {
        [] => 0,
        ["--port", port] => port.parse().while_doing(format_args!("--port {port}"))?,
        _ => return fail("bench floor-server takes only --port N"),
    };
    floor::serve(port).while_doing("the floor server")
}
