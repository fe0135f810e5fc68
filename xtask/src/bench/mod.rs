//! `cargo xtask bench`: liveline against its peers, and against a baseline.
//!
//! | module | owns |
//! |---|---|
//! | `plan` | the arguments: which groups of metrics, how many rounds |
//! | `peers`, `setup`, `nchan` | the programs that are compared: how each is installed, started and connected to |
//! | `server`, `cores` | one running server, its CPU time and memory; which process runs on which core |
//! | `load` | the load generator: live lines, WebSockets, events, requests |
//! | `start` | C1 C2 C3: cold start, a new isolate, reload |
//! | `http`, `wrk`, `client` | H1 H2 H3 H4: rates and latencies of requests |
//! | `echo` | W1: messages that JavaScript sends back |
//! | `fanout` | W3 W4 W5: one sender, many receivers |
//! | `actors` | A1: actors against Durable Objects on workerd |
//! | `fastify` | F1 F2 F3 F4: one plugin tree on Fastify and on liveline |
//! | `events` | S1: the same as server-sent events |
//! | `topics` | T1 T2 T3 T4: topics against nginx with nchan |
//! | `connect` | L1 L2: how soon a line has its first message |
//! | `hostile` | R5 R6: delays of ordinary clients beside hostile ones |
//! | `resident`, `idle` | H5; M1 M2 M3: memory |
//! | `rounds` | interleaved rounds: each peer once in every round |
//! | `metric`, `stats`, `report` | values and their limits; medians of ratios; tables |
//! | `chart` | the same as pictures |
//! | `smoke` | a run that checks the load generator and measures nothing |
//! | `train` | the load for a build that is guided by what was counted, and for the order of functions |
//! | `baseline` | the bare epoll server |
//!
//! A figure is the median of the ratios of each round, because the load of the machine changes from round to round
//! and absolute rates on a shared machine mean little. The first figure is per CPU second of the server, which the
//! load generator cannot limit.

mod actors;
mod baseline;
mod chart;
pub mod client;
mod connect;
pub mod cores;
mod echo;
mod events;
mod fanout;
mod fastify;
mod hostile;
mod http;
mod idle;
pub mod load;
mod metric;
mod nchan;
mod peers;
mod plan;
mod report;
mod resident;
mod rounds;
pub mod server;
mod setup;
mod smoke;
mod start;
mod stats;
mod topics;
mod train;
mod wrk;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::checkout::Checkout;
use crate::failure::{Outcome, While, fail};
use metric::Metric;
use peers::{BASELINE, BUN, DENO, LIVELINE, RAW, UWS, WORKERD, WS};
use plan::Plan;
use setup::BenchSetup;
#[cfg(target_arch = "x86_64")]
pub use train::Observed;
use wrk::Wrk;

/// What every peer serves: the handler reads the path and one header, and answers with both.
const ROUTE: &str = "/hello";
const HEADER: (&str, &str) = ("x-name", "bench");
/// The scripts start with generation 0; the reload benchmark counts it up.
const BODY: &str = "0 /hello bench";

/// Measures and prints the tables.
pub fn bench(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let plan = Plan::parse(checkout, arguments)?;
    if cfg!(debug_assertions) && !plan.smoke {
        let optimised = peers::build_optimised(checkout)?;
        return Err(Command::new(optimised).arg("bench").args(arguments).exec())
            .while_doing("starting the bench");
    }
    cores::raise_file_limit()?;
    let setup = BenchSetup::open(checkout, &plan)?;
    if plan.smoke {
        return smoke::run(&setup);
    }
    println!("machine: {}", report::machine());
    if plan.quick {
        install(&setup)?;
    }
    let began = Instant::now();
    let (mut metrics, mut failed) = (Vec::new(), Vec::new());
    for (group, part) in
        plan.groups.iter().flat_map(|group| parts(group, plan.quick).iter().map(move |part| (group, part)))
    {
        match part(&setup) {
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
    if plan.wants(LIVELINE) {
        let lost =
            metrics.iter().filter(|metric| metric.ours == LIVELINE && metric.series(LIVELINE).is_none());
        failed.extend(lost.map(|metric| metric.id));
    }
    report::summary(&metrics);
    println!("\nmeasured in {:.0} s", began.elapsed().as_secs_f64());
    let versions = setup.versions();
    let shown = versions.iter().map(|(name, version)| format!("{name} {version}"));
    println!("versions: {}", shown.collect::<Vec<_>>().join(", "));
    if let Some(file) = &plan.json {
        let text = format!("{:#}\n", report::json(&metrics, &versions));
        fs::write(file, text).while_doing(format_args!("writing {}", file.display()))?;
    }
    if let Some(folder) = &plan.chart {
        draw(&metrics, folder)?;
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => fail(format!("not measured: {}", failed.join(", "))),
    }
}

/// Fails without what [`train()`] needs.
pub fn can_train() -> Outcome {
    wrk::Wrk::find().map(drop)
}

/// Puts a load like the benchmarks' on a program that counts what it does: see `dist`.
pub fn train(checkout: &Checkout, program: &Path) -> Outcome {
    cores::raise_file_limit()?;
    let plan = Plan::parse(checkout, &[])?;
    train::run(&BenchSetup::open(checkout, &plan)?, program).while_doing("training")
}

/// Puts the same load on a program, except for its starts, each part of it under the eyes of `observe`: see `order`.
#[cfg(target_arch = "x86_64")]
pub fn busy(
    checkout: &Checkout,
    program: &Path,
    observe: &mut dyn FnMut(Observed<'_>) -> Outcome,
) -> Outcome {
    cores::raise_file_limit()?;
    let plan = Plan::parse(checkout, &[])?;
    train::busy(&BenchSetup::open(checkout, &plan)?, program, observe).while_doing("under load")
}

/// How the program is started that `busy` puts the load on.
#[cfg(target_arch = "x86_64")]
pub fn launch(checkout: &Checkout, program: &Path) -> Outcome<server::Launch> {
    let plan = Plan::parse(checkout, &[])?;
    Ok(peers::of_program(&BenchSetup::open(checkout, &plan)?, LIVELINE, program)?.launch)
}

/// Writes `ID-N.svg` for each metric; ids come more than once.
fn draw(metrics: &[Metric], folder: &Path) -> Outcome {
    fs::create_dir_all(folder).while_doing(format_args!("creating {}", folder.display()))?;
    for (index, metric) in metrics.iter().enumerate() {
        let Some(svg) = chart::svg(metric) else { continue };
        let place = metrics[..index].iter().filter(|other| other.id == metric.id).count() + 1;
        let file = folder.join(format!("{}-{place}.svg", metric.id.to_lowercase().replace(' ', "-")));
        fs::write(&file, svg).while_doing(format_args!("writing {}", file.display()))?;
    }
    Ok(())
}

type Part = fn(&BenchSetup<'_>) -> Outcome<Vec<Metric>>;

/// Installs and builds what the headline figures need, so that it does not count as their time.
fn install(setup: &BenchSetup<'_>) -> Outcome {
    setup.gather(&[BASELINE, LIVELINE, RAW, BUN, DENO, UWS, WORKERD, WS])?;
    Wrk::find().map(drop)
}

/// The measurements of a group, which are independent of each other; with `quick` those of headline figures.
fn parts(group: &str, quick: bool) -> &'static [Part] {
    match group {
        "hostile" if quick => &[hostile::run_away],
        "start" => &[start::cold_starts, start::after_a_stop, start::reloads],
        "http" => &[http::measure],
        "echo" => &[echo::measure],
        "fanout" => &[fanout::saturated_room, fanout::large_room],
        "events" => &[events::measure],
        "connect" => &[connect::measure, connect::views],
        "hostile" => &[hostile::crowded, hostile::run_away],
        "resident" => &[resident::measure],
        "idle" => &[idle::measure],
        "actors" => &[actors::measure],
        "fastify" => &[fastify::measure],
        "topics" => &[topics::measure],
        _ => &[],
    }
}

/// Runs the baseline until it is killed.
pub fn baseline_server(arguments: &[&str]) -> Outcome {
    let port = match arguments {
        [] => 0,
        ["--port", port] => port.parse().while_doing(format_args!("--port {port}"))?,
        _ => return fail("bench baseline-server takes only --port N"),
    };
    baseline::serve(port).while_doing("the baseline server")
}
