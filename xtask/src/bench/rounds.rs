//! The rates: interleaved rounds of every contestant, and one round without pinning.

use std::time::Duration;

use super::Plan;
use super::contestants::Contestant;
use super::server::Server;
use super::wrk::Wrk;
use crate::failure::{Outcome, While};

const SERVER_CORE: u32 = 0;
const WRK_CORE: u32 = 1;

/// Everything measured about one contestant; one value per round.
pub struct Rates {
    pub name: &'static str,
    pub per_second: Vec<f64>,
    /// CPU time of the server per request, in microseconds.
    pub cpu_micros: Vec<f64>,
    /// One round with both cores free for all.
    pub unpinned: f64,
}

pub fn measure(contestants: &[Contestant], wrk: &Wrk, plan: &Plan) -> Outcome<Vec<Rates>> {
    let blank =
        |one: &Contestant| Rates { name: one.name, per_second: vec![], cpu_micros: vec![], unpinned: 0.0 };
    let mut rates: Vec<Rates> = contestants.iter().map(blank).collect();
    for round in 1..=plan.rounds {
        for (contestant, rates) in contestants.iter().zip(&mut rates) {
            let sample = sample(contestant, wrk, plan, true)?;
            println!(
                "round {round}: {:<8} {:>8.0} requests/s, {:>5.2} us CPU per request",
                contestant.name, sample.per_second, sample.cpu_micros
            );
            rates.per_second.push(sample.per_second);
            rates.cpu_micros.push(sample.cpu_micros);
        }
    }
    for (contestant, rates) in contestants.iter().zip(&mut rates) {
        rates.unpinned = sample(contestant, wrk, plan, false)?.per_second;
        println!("unpinned: {:<8} {:>7.0} requests/s", contestant.name, rates.unpinned);
    }
    Ok(rates)
}

struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

/// A fresh process each time: how it happens to lie in memory is part of the noise to average out.
fn sample(contestant: &Contestant, wrk: &Wrk, plan: &Plan, pin: bool) -> Outcome<Sample> {
    let core = |core| pin.then_some(core);
    let server = Server::start(&contestant.launch, core(SERVER_CORE))?;
    let load = |duration| wrk.load(server.port, duration, core(WRK_CORE)).while_doing(contestant.name);
    if plan.warmup > Duration::ZERO {
        load(plan.warmup)?;
    }
    let before = server.cpu()?;
    let load = load(plan.duration)?;
    let cpu = server.cpu()?.saturating_sub(before);
    Ok(Sample { per_second: load.per_second, cpu_micros: cpu.as_secs_f64() * 1e6 / load.requests as f64 })
}
