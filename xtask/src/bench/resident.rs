//! H5: what a process occupies after a million requests.

use std::time::Duration;

use super::ROUTE;
use super::contestants::{BUN, DENO, LIVELINE, NODE};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::server::Server;
use super::workshop::Workshop;
use super::wrk::{Request, Wrk};
use crate::failure::{Outcome, While};

const REQUESTS: u64 = 1_000_000;
const STRETCH: Duration = Duration::from_secs(4);

pub fn measure(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    println!("\nresident: after {REQUESTS} requests");
    let wrk = Wrk::find()?;
    let hello = Request { path: ROUTE, script: None };
    let (mut series, mut notes) = (Vec::new(), Vec::new());
    for contestant in workshop.gather(&[LIVELINE, BUN, DENO, NODE])? {
        let server = Server::start(&contestant.launch, None)?;
        server.first_answer()?;
        let first = server.memory()?;
        let mut answered = 0;
        while answered < REQUESTS {
            answered += wrk.load(server.port, &hello, STRETCH, false).while_doing(contestant.name)?.requests;
        }
        let memory = server.memory()?;
        let [before, resident, pss] =
            [first.resident, memory.resident, memory.proportional].map(|bytes| bytes / 1e6);
        println!("  {}: {resident:.1} MB after {answered} requests", contestant.name);
        notes.push(format!(
            "{}: {before:.1} MB after the first request, Pss {pss:.1} MB at the end",
            contestant.name
        ));
        series.push(Series { name: contestant.name, values: vec![resident] });
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
