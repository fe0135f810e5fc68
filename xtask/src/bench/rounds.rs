//! Interleaved rounds: everyone once, and again.

use super::contestants::{Contestant, LIVELINE};
use super::metric::Series;
use super::report::number;
use crate::failure::{Outcome, While};

/// Takes `N` figures of every contestant in every round. A contestant that fails is out from then on; without
/// ourselves there is nothing to compare.
pub fn interleaved<const N: usize>(
    rounds: usize,
    contestants: &[Contestant],
    figures: [&str; N],
    sample: impl Fn(&Contestant) -> Outcome<[f64; N]>,
) -> Outcome<[Vec<Series>; N]> {
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
                Err(failure) if contestant.name == LIVELINE => return Err(failure).while_doing(LIVELINE),
                Err(failure) => {
                    println!("  {}: not available: {failure}", contestant.name);
                    all.iter_mut().for_each(|series| series[index].values.clear());
                    out[index] = true;
                }
            }
        }
    }
    Ok(all)
}

/// The best of our own ways that was measured.
pub fn ours(series: &[Series], first: &'static str) -> &'static str {
    match series.iter().find(|one| one.name == first) {
        Some(one) if !one.values.is_empty() => first,
        _ => LIVELINE,
    }
}
