//! H5: what a process occupies after a million requests.

use std::time::Duration;

use super::ROUTE;
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{BUN, DENO, LIVELINE, NODE};
use super::report::number;
use super::rounds::interleaved;
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::spread;
use super::wrk::{Request, Wrk};
use crate::failure::Outcome;

/// How many requests each process answers, in how many rounds, and for how long each run of the load generator lasts.
struct Extent {
    requests: u64,
    rounds: usize,
    stretch: Duration,
}

const FULL: Extent = Extent { requests: 1_000_000, rounds: 1, stretch: Duration::from_secs(4) };
const QUICK: Extent = Extent { requests: 150_000, rounds: 2, stretch: Duration::from_secs(1) };

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let Extent { requests, rounds, stretch } = if setup.plan.quick { QUICK } else { FULL };
    println!("\nresident: after {requests} requests");
    let wrk = Wrk::find()?;
    let hello = Request { path: ROUTE, script: None };
    let peers = setup.gather_headline(&[LIVELINE, BUN, DENO, NODE], &[LIVELINE, BUN])?;
    let figures = ["MB at the end", "MB after the first request", "MB of Pss at the end"];
    let [series, first, pss] = interleaved(rounds, &peers, figures, |peer| {
        let server = Server::start(&peer.launch, None)?;
        server.first_answer()?;
        let first = server.memory()?;
        let mut answered = 0;
        while answered < requests {
            answered += wrk.load(server.port, &hello, stretch, false)?.requests;
        }
        let memory = server.memory()?;
        Ok([memory.resident, first.resident, memory.proportional].map(|bytes| bytes / 1e6))
    });
    let notes = first.iter().zip(&pss).filter_map(|(first, pss)| {
        let (before, pss_at_end) = (spread(&first.values)?.median, spread(&pss.values)?.median);
        Some(format!(
            "{}: {before:.1} MB after the first request, Pss {pss_at_end:.1} MB at the end",
            first.name
        ))
    });
    let notes = notes.collect();
    Ok(vec![Metric {
        id: "H5",
        title: format!("RSS with one route after {} requests", number(requests as f64)),
        unit: "MB",
        better: Better::Less,
        ours: LIVELINE,
        series,
        bar: Some(Bar { against: Against::One(BUN), gate: 1.0, goal: 0.5 }),
        notes,
    }])
}
