//! Interleaved rounds: everyone once, and again.

use std::time::{Duration, Instant};

use super::contestants::{Contestant, LIVELINE};
use super::cores;
use super::metric::Series;
use super::report::number;
use super::server::Server;
use super::stats::spread;
use crate::failure::Outcome;

/// Takes `N` figures of every contestant in every round. A contestant that fails is out from then on.
pub fn interleaved<const N: usize>(
    rounds: usize,
    contestants: &[Contestant],
    figures: [&str; N],
    sample: impl Fn(&Contestant) -> Outcome<[f64; N]>,
) -> [Vec<Series>; N] {
    let blank = || contestants.iter().map(|one| Series { name: one.name, values: Vec::new() }).collect();
    let mut all: [Vec<Series>; N] = std::array::from_fn(|_| blank());
    let mut out = vec![false; contestants.len()];
    for round in 1..=rounds {
        for (index, contestant) in contestants.iter().enumerate() {
            if out[index] {
                continue;
            }
            match sample(contestant) {
                Ok(values) => {
                    let shown =
                        figures.iter().zip(values).map(|(name, value)| format!("{} {name}", number(value)));
                    println!(
                        "  round {round}: {:<12} {}",
                        contestant.name,
                        shown.collect::<Vec<_>>().join(", ")
                    );
                    all.iter_mut().zip(values).for_each(|(series, value)| series[index].values.push(value));
                }
                Err(failure) => {
                    println!("  {}: out: {failure}", contestant.name);
                    all.iter_mut().for_each(|series| series[index].values.clear());
                    out[index] = true;
                }
            }
        }
    }
    all
}

/// What a stretch under full load comes to.
pub const SATURATED: [&str; 3] = ["per CPU second", "per second", "% of a core for the loader"];

/// Runs a load for a while; `run` returns how many operations it has seen in all.
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

/// Says how busy the loader was: where it had its core full, it was the limit, and not the server.
pub fn business(loader: &[Series]) -> Vec<String> {
    let shown =
        loader.iter().filter_map(|one| Some(format!("{} {:.0} %", one.name, spread(&one.values)?.median)));
    vec![format!("the loader's share of its core: {}", shown.collect::<Vec<_>>().join(", "))]
}

/// The best of our own ways that was measured.
pub fn ours(series: &[Series], first: &'static str) -> &'static str {
    match series.iter().find(|one| one.name == first) {
        Some(one) if !one.values.is_empty() => first,
        _ => LIVELINE,
    }
}
