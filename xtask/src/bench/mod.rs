//! `cargo xtask bench`: liveline against bun, deno and Node on one route, and against a floor.
//!
//! | module | owns |
//! |---|---|
//! | `contestants` | who takes part, and how each is installed and started |
//! | `server` | one running server: its port, its CPU time, its end |
//! | `client` | a keep-alive connection that asks for the route |
//! | `wrk` | the load generator and its report |
//! | `rounds`, `cold_start`, `reload` | the three measurements |
//! | `stats`, `report` | medians of ratios; the tables |
//! | `floor` | the bare epoll server |
//!
//! A figure is the median of per-round ratios: neighbours in one round share the machine's mood, and absolute rates
//! on a shared machine say little.

mod client;
mod cold_start;
mod contestants;
mod floor;
mod reload;
mod report;
mod rounds;
pub mod server;
mod stats;
mod wrk;

use std::time::Duration;

use crate::checkout::Checkout;
use crate::failure::{Outcome, While, fail};

/// What every contestant serves: the handler reads the path and one header, and answers with both.
const ROUTE: &str = "/hello";
const HEADER: (&str, &str) = ("x-name", "bench");
/// The scripts start with generation 0; the reload benchmark counts it up.
const BODY: &str = "0 /hello bench";

/// How much is measured.
struct Plan {
    rounds: usize,
    duration: Duration,
    warmup: Duration,
    /// Names of the contestants; empty means all.
    only: Vec<String>,
}

impl Plan {
    fn parse(arguments: &[&str]) -> Outcome<Self> {
        let (mut rounds, mut seconds, mut warmup, mut only) = (7, 8, 3, Vec::new());
        for pair in arguments.chunks(2) {
            let [option, value] = pair else { return fail(format!("{} needs a value", pair[0])) };
            let number = || value.parse::<u32>().while_doing(format_args!("{option} {value}"));
            match *option {
                "--rounds" => rounds = number()?.max(1),
                "--seconds" => seconds = number()?.max(1),
                "--warmup" => warmup = number()?,
                "--only" => only = value.split(',').map(str::to_owned).collect(),
                _ => return fail(format!("bench http: unknown option {option}")),
            }
        }
        let long = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(Self { rounds: rounds as usize, duration: long(seconds), warmup: long(warmup), only })
    }
}

/// Measures and prints the tables.
pub fn http(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let plan = Plan::parse(arguments)?;
    let wrk = wrk::Wrk::find()?;
    let contestants = contestants::gather(checkout, &plan.only)?;
    report::machine(&wrk, &contestants);
    let rounds = rounds::measure(&contestants, &wrk, &plan)?;
    let cold_starts = cold_start::measure(&contestants)?;
    let reloads = reload::measure(checkout, &contestants)?;
    report::rates(&rounds);
    report::figures(&rounds, &cold_starts, &reloads);
    Ok(())
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
