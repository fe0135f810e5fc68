//! `cargo xtask attack`: what one client can do to the others, against a liveline on loopback.
//!
//! | module | owns |
//! |---|---|
//! | `trips` | requests that run into the CPU limit, beside lines that are in use |
//! | `stuck` | code that V8 cannot stop |
//! | `memory` | buffers, unfinished uploads, results of a database |
//! | `channel` | thousands of members that come and go at once |
//! | `target` | the liveline that is attacked, what it occupies, when it answers again |
//! | `bystanders` | lines of ordinary visitors |
//! | `client` | one request, and how it ended |
//!
//! Each attack starts a liveline of its own, ends by itself, and has bounds: on lines that are closed, on memory, on
//! answers. Bounds on time only show that an attack ends at all.

mod bystanders;
mod channel;
mod client;
mod memory;
mod stuck;
mod target;
mod trips;

use std::time::{Duration, Instant};

use crate::bench::cores;
use crate::checkout::Checkout;
use crate::failure::{Outcome, fail};
use target::Target;

type Scenario = fn(&Target) -> Outcome;

const SCENARIOS: [(&str, Scenario); 4] =
    [("trips", trips::run), ("stuck", stuck::run), ("memory", memory::run), ("channel", channel::run)];

/// Within this a host answers again, whatever was done to it, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the attacks that are named, or all; fails where a bound is broken.
pub fn run(checkout: &Checkout, names: &[&str]) -> Outcome {
    let known = |name: &&str| SCENARIOS.iter().any(|(known, _)| known == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        return fail(format!("there is no attack `{unknown}`; there are {}", all.join(", ")));
    }
    cores::raise_file_limit()?;
    let target = Target::prepare(checkout)?;
    println!("{}", Report::head());
    for (name, scenario) in SCENARIOS {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        if let Err(failure) = scenario(&target) {
            target.fault(format!("{name}: {failure}"));
        }
    }
    match target.faults().as_slice() {
        [] => Ok(()),
        faults => fail(format!("bounds that did not hold:\n  {}", faults.join("\n  "))),
    }
}

/// What one attack came to: a row of the table.
#[derive(Debug, Default)]
struct Report {
    what: String,
    seconds: f64,
    /// Bytes that the host occupied: before, at most, and a while after.
    before: f64,
    peak: f64,
    after: f64,
    /// Lines of bystanders that were closed, and how many there were.
    closed: Option<(usize, usize)>,
    /// From the attack, or its end, until the host answered reliably; none if it did not.
    answered_after: Option<Duration>,
    note: String,
}

impl Report {
    fn head() -> String {
        let columns = ["s", "MiB before", "peak", "after", "lines closed", "next answer"];
        let [seconds, before, peak, after, closed, answer] = columns;
        format!(
            "{:38} {seconds:>7} {before:>10} {peak:>7} {after:>7} {closed:>13} {answer:>12}  notes",
            "attack"
        )
    }

    fn print(&self) {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let closed = self.closed.map_or("-".to_owned(), |(closed, of)| format!("{closed} of {of}"));
        let answer =
            self.answered_after.map_or("never".to_owned(), |after| format!("{} ms", after.as_millis()));
        println!(
            "{:38} {:>7.1} {:>10.0} {:>7.0} {:>7.0} {closed:>13} {answer:>12}  {}",
            self.what,
            self.seconds,
            mib(self.before),
            mib(self.peak),
            mib(self.after),
            self.note
        );
    }
}

/// Seconds since then.
fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
