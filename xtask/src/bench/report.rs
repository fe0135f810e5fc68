//! The tables for people, and the same for machines.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use super::metric::{Against, Better, Metric};
use super::peers::is_ours;
use super::stats::{Spread, spread};

/// The machine, in one line; where others use it, too, figures are noisy.
pub fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = model.map_or("unknown CPU", |(_, name)| name);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{cores} cores, {model}, Linux {}, load average {load}", kernel.trim())
}

/// One metric as a table.
pub fn print(metric: &Metric) {
    let better = match metric.better {
        Better::More => "more is better",
        Better::Less => "less is better",
    };
    println!("\n{}: {} ({}; {better})\n", metric.id, metric.title, metric.unit);
    println!("| peer | median (spread) | {} / it |", metric.ours);
    println!("|---|---|---|");
    for series in &metric.series {
        let ratio = match series.name == metric.ours {
            true => String::new(),
            false => shown(metric.ratio(series)),
        };
        println!("| {} | {} | {ratio} |", series.name, shown(spread(&series.values)));
    }
    if let Some(bar) = &metric.bar {
        let against = match (bar.against, metric.rival()) {
            (Against::Absolute, _) => "as it is".to_owned(),
            (_, Some(rival)) => format!("against {}", rival.name),
            (Against::One(name), None) => format!("against {name}"),
            (Against::Best, None) => "against the best peer".to_owned(),
        };
        let judged = |limit: f64| match metric.verdict() {
            Some(Spread { median, .. }) if metric.meets(median, limit) => "met",
            Some(_) => "missed",
            None => "not judged",
        };
        println!(
            "\n{against}: {}; gate {} {}, goal {} {}",
            shown(metric.verdict()),
            number(bar.gate),
            judged(bar.gate),
            number(bar.goal),
            judged(bar.goal)
        );
    }
    metric.notes.iter().for_each(|note| println!("{note}"));
}

/// The figures that have limits, one in a line.
pub fn summary(metrics: &[Metric]) {
    println!("\n| | figure | against | ours / it (spread) | gate | goal |\n|---|---|---|---|---|---|");
    for (metric, bar) in metrics.iter().filter_map(|metric| Some((metric, metric.bar.as_ref()?))) {
        let verdict = metric.verdict();
        let against = match (bar.against, metric.rival()) {
            (Against::Absolute, _) => metric.unit,
            (_, Some(rival)) => rival.name,
            (Against::One(name), None) => name,
            (Against::Best, None) => "the best peer",
        };
        let limit = |limit: f64| {
            let met = verdict
                .map_or("?", |spread| if metric.meets(spread.median, limit) { "met" } else { "missed" });
            format!("{} {met}", number(limit))
        };
        let (id, title) = (metric.id, &metric.title);
        println!(
            "| {id} | {title}, {} | {against} | {} | {} | {} |",
            metric.unit,
            shown(verdict),
            limit(bar.gate),
            limit(bar.goal)
        );
    }
}

/// Everything for machines.
pub fn json(metrics: &[Metric], versions: &[(&'static str, String)]) -> Value {
    let versions: serde_json::Map<_, _> =
        versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
    let metrics: Vec<_> = metrics.iter().map(metric).collect();
    json!({ "machine": machine(), "versions": versions, "metrics": metrics })
}

fn metric(metric: &Metric) -> Value {
    let series = metric.series.iter().map(|series| {
        let ratio = metric.ratio(series).filter(|_| !is_ours(series.name));
        json!({
            "name": series.name,
            "values": series.values,
            "median": spread(&series.values).map(|spread| spread.median),
            "ratio": ratio.map(|ratio| json!([ratio.low, ratio.median, ratio.high])),
        })
    });
    let verdict = metric.verdict().map(|spread| spread.median);
    let bar = metric.bar.as_ref().map(|bar| {
        json!({
            "against": metric.rival().map(|rival| rival.name),
            "gate": bar.gate,
            "goal": bar.goal,
            "measured": verdict,
            "gate_met": verdict.map(|value| metric.meets(value, bar.gate)),
            "goal_met": verdict.map(|value| metric.meets(value, bar.goal)),
        })
    });
    json!({
        "id": metric.id,
        "title": metric.title,
        "unit": metric.unit,
        "better": if metric.better == Better::More { "more" } else { "less" },
        "ours": metric.ours,
        "series": series.collect::<Vec<_>>(),
        "bar": bar,
        "notes": metric.notes,
    })
}

fn shown(spread: Option<Spread>) -> String {
    match spread {
        Some(Spread { median, low, high }) if low == high => number(median),
        Some(Spread { median, low, high }) => {
            format!("{} ({} to {})", number(median), number(low), number(high))
        }
        None => "not measured".to_owned(),
    }
}

/// Three digits that matter, and thousands apart.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.095 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_shows_what_matters() {
        assert_eq!(number(1_234_567.8), "1,234,568");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(1.2), "1.20");
        assert_eq!(number(0.0123), "0.012");
        assert_eq!(number(-123.0), "-123");
    }
}
