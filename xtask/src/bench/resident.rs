//! H5: what a process occupies after a million requests.

use std::time::Duration;

use super::ROUTE;
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{BUN, DENO, LIVELINE, NODE};
use super::server::Server;
use super::setup::BenchSetup;
use super::wrk::{Request, Wrk};
use crate::failure::{Outcome, While};

const REQUESTS: u64 = 1_000_000;
const STRETCH: Duration = Duration::from_secs(4);

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    println!("\nresident: after {REQUESTS} requests");
    let wrk = Wrk::find()?;
    let hello = Request { path: ROUTE, script: None };
    let (mut series, mut notes) = (Vec::new(), Vec::new());
    for peer in setup.gather(&[LIVELINE, BUN, DENO, NODE])? {
        let server = Server::start(&peer.launch, None)?;
        server.first_answer()?;
        let first = server.memory()?;
        let mut answered = 0;
        while answered < REQUESTS {
            answered += wrk.load(server.port, &hello, STRETCH, false).while_doing(peer.name)?.requests;
        }
        let memory = server.memory()?;
        let [before, resident, pss] =
            [first.resident, memory.resident, memory.proportional].map(|bytes| bytes / 1e6);
        println!("  {}: {resident:.1} MB after {answered} requests", peer.name);
        notes.push(format!(
            "{}: {before:.1} MB after the first request, Pss {pss:.1} MB at the end",
            peer.name
        ));
        series.push(Series { name: peer.name, values: vec![resident] });
    }
    Ok(vec![Metric {
        id: "H5",
        title: "RSS with one route after a million requests".to_owned(),
        unit: "MB",
        better: Better::Less,
        ours: LIVELINE,
        series,
        bar: Some(Bar { against: Against::One(BUN), gate: 1.0, goal: 0.5 }),
        notes,
    }])
}
