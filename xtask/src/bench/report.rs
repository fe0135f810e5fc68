//! The tables.

use std::fs;
use std::thread;

use super::cold_start::ColdStarts;
use super::contestants::{BUN_NAME, Contestant, FLOOR, LIVELINE, is_peer};
use super::reload::Reloads;
use super::rounds::Rates;
use super::stats::{Spread, percentile, ratios, spread};
use super::wrk::Wrk;

/// The machine and everyone's version.
pub fn machine(wrk: &Wrk, contestants: &[Contestant]) {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "machine: {cores} cores, {}, Linux {}",
        model.map_or("unknown CPU", |(_, name)| name),
        kernel.trim()
    );
    let versions = contestants.iter().map(|one| format!("{} {}", one.name, one.version));
    println!("versions: wrk {}, {}\n", wrk.version(), versions.collect::<Vec<_>>().join(", "));
}

/// Everyone's rates.
pub fn rates(all: &[Rates]) {
    println!(
        "\n| contestant | requests/s, median (spread) | CPU us per request | to the floor | both cores free |"
    );
    println!("|---|---|---|---|---|");
    let floor = find(all, FLOOR);
    for one in all {
        let to_floor = floor.and_then(|floor| spread(&ratios(&one.per_second, &floor.per_second)));
        println!(
            "| {} | {} | {} | {} | {:.0} |",
            one.name,
            shown(spread(&one.per_second), 0),
            shown(spread(&one.cpu_micros), 2),
            shown(to_floor, 2),
            one.unpinned
        );
    }
}

/// The figures that have a gate. Ratios: of rates, more is better; of times, less.
pub fn figures(rounds: &[Rates], starts: &[ColdStarts], reloads: &[Reloads]) {
    println!("\n| figure | measured | gate | goal |");
    println!("|---|---|---|---|");
    let liveline = find(rounds, LIVELINE);
    let floor = find(rounds, FLOOR);
    for (kind, value) in KINDS {
        let h1 = liveline.zip(floor).and_then(|(us, floor)| over(&value(us), &value(floor)));
        row(
            &format!("H1: {kind}, our JS route / bare epoll floor (not our own native route)"),
            shown(h1, 2),
            "0.70",
            "0.90",
        );
    }
    for (kind, value) in KINDS {
        let peers = rounds.iter().filter(|one| is_peer(one.name));
        let best = peers.max_by(|a, b| by_median(&value(a), &value(b)));
        let h2 = liveline.zip(best).and_then(|(us, best)| over(&value(us), &value(best)));
        row(
            &format!("H2: {kind}, our JS route / best peer ({})", name(best.map(|b| b.name))),
            shown(h2, 2),
            "1.0",
            "1.25",
        );
    }

    let ours = starts.iter().find(|one| one.name == LIVELINE);
    let fastest =
        starts.iter().filter(|one| is_peer(one.name)).min_by(|a, b| by_median(&a.millis, &b.millis));
    for one in starts {
        row(&format!("C1: {}, exec to first 200, ms", one.name), shown(spread(&one.millis), 1), "", "");
    }
    let c1 = ours.zip(fastest).and_then(|(us, fastest)| over(&us.millis, &fastest.millis));
    row(&format!("C1: ours / fastest peer ({})", name(fastest.map(|f| f.name))), shown(c1, 2), "1.0", "0.5");

    for one in reloads {
        row(
            &format!("C3: {}, save to new code, median; p95, ms", one.name),
            median_and_p95(&one.millis),
            "",
            "",
        );
    }
    let p95 = |name: &str| percentile(&reloads.iter().find(|one| one.name == name)?.millis, 0.95);
    let c3 = p95(LIVELINE).zip(p95(BUN_NAME)).map(|(us, bun)| format!("{:.2}", us / bun));
    row("C3: our p95 / bun --hot", c3.unwrap_or_else(|| MISSING.to_owned()), "1.0", "0.4");
}

/// Both say how many requests are had: the rate, and what wrk cannot limit.
const KINDS: [(&str, PerRound); 2] = [("rate", rate), ("requests per CPU time", thrift)];

/// A value for each round.
type PerRound = fn(&Rates) -> Vec<f64>;

fn rate(one: &Rates) -> Vec<f64> {
    one.per_second.clone()
}

fn thrift(one: &Rates) -> Vec<f64> {
    one.cpu_micros.iter().map(|micros| 1.0 / micros).collect()
}

const MISSING: &str = "not measured";

fn row(figure: &str, measured: String, gate: &str, goal: &str) {
    println!("| {figure} | {measured} | {gate} | {goal} |");
}

fn find<'a>(all: &'a [Rates], name: &str) -> Option<&'a Rates> {
    all.iter().find(|one| one.name == name)
}

fn over(of: &[f64], to: &[f64]) -> Option<Spread> {
    spread(&ratios(of, to))
}

fn by_median(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    let median = |values| spread(values).map_or(f64::NAN, |spread| spread.median);
    median(a).total_cmp(&median(b))
}

fn name(peer: Option<&'static str>) -> &'static str {
    peer.unwrap_or("none")
}

fn shown(spread: Option<Spread>, digits: usize) -> String {
    match spread {
        Some(Spread { median, low, high }) => {
            format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
        }
        None => MISSING.to_owned(),
    }
}

fn median_and_p95(millis: &[f64]) -> String {
    match (spread(millis), percentile(millis, 0.95)) {
        (Some(Spread { median, .. }), Some(p95)) => format!("{median:.1}; {p95:.1}"),
        _ => MISSING.to_owned(),
    }
}
