//! Interleaved rounds: each peer once in every round.

use std::time::{Duration, Instant};

use super::cores;
use super::metric::Series;
use super::peers::{LIVELINE, Peer};
use super::report::number;
use super::server::Server;
use super::stats::spread;
use crate::failure::Outcome;

/// Takes `N` figures of every peer in every round. A peer that fails is left out of the later rounds.
pub fn interleaved<const N: usize>(
    rounds: usize,
    peers: &[Peer],
    figures: [&str; N],
    sample: impl Fn(&Peer) -> Outcome<[f64; N]>,
) -> [Vec<Series>; N] {
    let blank = || peers.iter().map(|one| Series { name: one.name, values: Vec::new() }).collect();
    let mut all: [Vec<Series>; N] = std::array::from_fn(|_| blank());
    let mut out = vec![false; peers.len()];
    for round in 1..=rounds {
        for (index, peer) in peers.iter().enumerate() {
            if out[index] {
                continue;
            }
            match sample(peer) {
                Ok(values) => {
                    let shown =
                        figures.iter().zip(values).map(|(name, value)| format!("{} {name}", number(value)));
                    println!("  round {round}: {:<12} {}", peer.name, shown.collect::<Vec<_>>().join(", "));
                    all.iter_mut().zip(values).for_each(|(series, value)| series[index].values.push(value));
                }
                Err(failure) => {
                    println!("  {} is left out: {failure}", peer.name);
                    all.iter_mut().for_each(|series| series[index].values.clear());
                    out[index] = true;
                }
            }
        }
    }
    all
}

/// The figures of a server under full load.
pub const SATURATED: [&str; 3] = ["per CPU second", "per second", "% of a core for the load generator"];

/// Runs a load for `duration`. `run` returns the number of operations since the beginning.
pub fn saturated(
    server: &Server,
    duration: Duration,
    mut run: impl FnMut(Duration) -> Outcome<u64>,
) -> Outcome<[f64; 3]> {
    let seen = run(Duration::ZERO)?;
    let (before, own, start) = (server.cpu()?, cores::own_cpu(), Instant::now());
    let count = (run(duration)? - seen) as f64;
    let (cpu, own) = (server.cpu()?.saturating_sub(before), cores::own_cpu().saturating_sub(own));
    let took = start.elapsed().as_secs_f64();
    Ok([count / cpu.as_secs_f64(), count / took, own.as_secs_f64() / took * 100.0])
}

/// The load of the generator's own core. At 100 % the generator was the limit, not the server.
pub fn business(loader: &[Series]) -> Vec<String> {
    let shown =
        loader.iter().filter_map(|one| Some(format!("{} {:.0} %", one.name, spread(&one.values)?.median)));
    vec![format!("the load generator used of its core: {}", shown.collect::<Vec<_>>().join(", "))]
}

/// The first series of liveline if it was measured, else that of live lines.
pub fn ours(series: &[Series], first: &'static str) -> &'static str {
    match series.iter().find(|one| one.name == first) {
        Some(one) if !one.values.is_empty() => first,
        _ => LIVELINE,
    }
}
