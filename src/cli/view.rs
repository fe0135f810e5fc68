//! What `top` shows: metrics in sections, with rates and units that people read.

use std::fmt::Display;
use std::time::Duration;

use bytesize::ByteSize;

use super::scrape::{Sample, ScrapedMetrics};
use crate::clock::unix_time;

/// ScrapedMetrics, and those of a moment before to tell rates from.
pub(super) struct Reading<'a> {
    /// The newest metrics.
    pub now: &'a ScrapedMetrics,
    /// Older metrics, and the time between the two.
    pub before: Option<(&'a ScrapedMetrics, Duration)>,
}

/// Rows that belong together.
pub(super) struct Section {
    /// The heading.
    pub title: &'static str,
    /// The rows in order.
    pub rows: Vec<Row>,
}

/// One metric.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// What is measured.
    pub name: String,
    /// The value with its unit.
    pub value: String,
    /// How much it grows per second.
    pub rate: Option<String>,
    /// Whether it is shown as a problem.
    pub alarming: bool,
}

/// An event loop that is later than this is shown as a problem.
const LATE: Duration = Duration::from_millis(100);

/// A heap that takes more than this part of its limit is shown as a problem.
const NEARLY_FULL: f64 = 0.9;

/// How many characters are shown of a name that applications choose.
const NAME: usize = 24;

/// The first line: version, engine, address and uptime.
pub(super) fn heading(address: impl Display, metrics: &ScrapedMetrics) -> String {
    let build = metrics.all("liveline_build_info").next();
    let [version, engine] = ["version", "engine"].map(|label| build.map_or("", |build| build.label(label)));
    let now = unix_time().as_secs();
    let up = now.saturating_sub(metrics.sum("process_start_time_seconds") as u64);
    let up = humantime::format_duration(Duration::from_secs(up));
    format!("liveline {} ({}) at {address}, up {up}", visible(version), visible(engine))
}

/// Every section that has rows.
pub(super) fn sections(reading: &Reading) -> Vec<Section> {
    let all = vec![
        Section { title: "lines", rows: lines(reading) },
        Section { title: "requests", rows: requests(reading) },
        Section { title: "frames", rows: frames(reading) },
        Section { title: "process", rows: process(reading) },
        Section { title: "closed", rows: closed(reading) },
        Section { title: "channels", rows: channels(reading) },
        Section { title: "actors", rows: actors(reading) },
        Section { title: "topics", rows: topics(reading) },
        Section { title: "isolates", rows: isolates(reading) },
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn lines(reading: &Reading) -> Vec<Row> {
    let state = |state| reading.now.with("liveline_lines", "state", state);
    vec![
        Row::new("open", state("open")),
        Row::new("joining", state("joining")),
        Row::new("away", state("away")),
        reading.counter("opened", "liveline_lines_opened_total", None),
        reading.counter("resumed", "liveline_lines_resumed_total", None),
    ]
}

fn requests(reading: &Reading) -> Vec<Row> {
    const NAME: &str = "liveline_http_requests_total";
    let mut rows = vec![reading.counter("answered", NAME, None)];
    rows.extend(["4xx", "5xx"].map(|class| {
        let row = reading.counter(class, NAME, Some(("class", class)));
        Row { alarming: class == "5xx" && reading.rises(NAME, Some(("class", class))), ..row }
    }));
    rows.extend([("p50", 0.5), ("p99", 0.99)].map(|(name, part)| {
        let quantile = quantile(&reading.times(), part);
        Row::new(name, quantile.map_or("-".to_owned(), time))
    }));
    rows
}

fn frames(reading: &Reading) -> Vec<Row> {
    let mut rows = Vec::new();
    for direction in ["in", "out"] {
        let label = Some(("direction", direction));
        rows.push(reading.counter(direction, "liveline_frames_total", label));
        rows.push(reading.bytes(&format!("bytes {direction}"), "liveline_frame_bytes_total", label));
    }
    rows.push(Row::new("queued", size(reading.now.sum("liveline_queued_bytes"))));
    let dropped = "liveline_frames_dropped_total";
    rows.push(Row { alarming: reading.rises(dropped, None), ..reading.counter("dropped", dropped, None) });
    rows.push(reading.counter("coalesced", "liveline_frames_coalesced_total", None));
    rows.push(reading.counter("pings", "liveline_pings_total", None));
    rows
}

fn topics(reading: &Reading) -> Vec<Row> {
    let count = |name| reading.now.sum(name);
    if count("liveline_topics") == 0.0 && count("liveline_topic_messages_total") == 0.0 {
        return Vec::new();
    }
    let missed = "liveline_topic_messages_missed_total";
    vec![
        Row::new("topics", count("liveline_topics")),
        Row::new("subscribers", count("liveline_topic_subscribers")),
        Row::new("pages", count("liveline_hub_pages")),
        reading.counter("messages", "liveline_topic_messages_total", None),
        reading.counter("delivered", "liveline_topic_deliveries_total", None),
        Row { alarming: reading.rises(missed, None), ..reading.counter("missed", missed, None) },
        Row::new("kept", size(count("liveline_topic_bytes"))),
    ]
}

fn process(reading: &Reading) -> Vec<Row> {
    let failed = Some(("result", "failed"));
    let reloads = "liveline_reloads_total";
    vec![
        Row::new("memory", size(reading.now.sum("process_resident_memory_bytes"))),
        Row::new("open files", reading.now.sum("process_open_fds")),
        reading.counter("reloads", reloads, Some(("result", "ok"))),
        Row { alarming: reading.rises(reloads, failed), ..reading.counter("failed", reloads, failed) },
        Row::new("generations", reading.now.sum("liveline_generations")),
    ]
}

fn closed(reading: &Reading) -> Vec<Row> {
    const NAME: &str = "liveline_lines_closed_total";
    let codes = reading.now.all(NAME).map(|sample| sample.label("code"));
    codes.map(|code| reading.counter(&visible(code), NAME, Some(("code", code)))).collect()
}

fn channels(reading: &Reading) -> Vec<Row> {
    let mut rows = vec![
        Row::new("channels", reading.now.sum("liveline_channels")),
        Row::new("members", reading.now.sum("liveline_members")),
    ];
    let named = reading.now.all("liveline_channel_members");
    rows.extend(named.map(|sample| Row::new(visible(sample.label("channel")), sample.value)));
    rows
}

/// Nothing for sites without actors.
fn actors(reading: &Reading) -> Vec<Row> {
    let state = |state| reading.now.with("liveline_actors", "state", state);
    let alarms = |state| reading.now.with("liveline_actor_alarms", "state", state);
    let waiting = reading.now.sum("liveline_actor_events_waiting");
    let counts = [state("alive"), state("hibernating"), waiting, alarms("set"), alarms("due")];
    if counts.iter().all(|count| *count == 0.0) {
        return Vec::new();
    }
    let names = ["alive", "hibernating", "waiting events", "alarms set", "alarms due"];
    names.into_iter().zip(counts).map(|(name, count)| Row::new(name, count)).collect()
}

fn isolates(reading: &Reading) -> Vec<Row> {
    let mut rows = Vec::new();
    for used in reading.now.all("liveline_isolate_heap_used_bytes") {
        let same = |other: &&Sample| other.labels == used.labels;
        let of = |name| reading.now.all(name).find(same).map_or(0.0, |sample| sample.value);
        let (limit, external) =
            (of("liveline_isolate_heap_limit_bytes"), of("liveline_isolate_external_bytes"));
        let lag = of("liveline_event_loop_lag_seconds");
        let place = format!("{}, gen. {}", visible(used.label("worker")), visible(used.label("generation")));
        rows.push(Row {
            alarming: used.value > NEARLY_FULL * limit,
            rate: Some(format!("of {}", size(limit))),
            ..Row::new(place, size(used.value))
        });
        rows.push(Row::new("  external", size(external)));
        rows.push(Row { alarming: lag > LATE.as_secs_f64(), ..Row::new("  lag", time(lag)) });
    }
    rows
}

impl Row {
    fn new(name: impl Into<String>, value: impl Display) -> Row {
        Row { name: name.into(), value: value.to_string(), rate: None, alarming: false }
    }
}

impl Reading<'_> {
    /// A metric that only grows, with its rate.
    fn counter(&self, name: &str, metric: &str, label: Option<(&str, &str)>) -> Row {
        let rate = self.rate(metric, label).map(|rate| format!("{rate:.1}/s"));
        Row { rate, ..Row::new(name, sum(self.now, metric, label)) }
    }

    fn bytes(&self, name: &str, metric: &str, label: Option<(&str, &str)>) -> Row {
        let rate = self.rate(metric, label).map(|rate| format!("{}/s", size(rate)));
        Row { rate, ..Row::new(name, size(sum(self.now, metric, label))) }
    }

    fn rate(&self, metric: &str, label: Option<(&str, &str)>) -> Option<f64> {
        let (before, passed) = self.before?;
        let more = sum(self.now, metric, label) - sum(before, metric, label);
        // It is less than before where the server was restarted.
        Some(more.max(0.0) / passed.as_secs_f64().max(0.001))
    }

    fn rises(&self, metric: &str, label: Option<(&str, &str)>) -> bool {
        self.rate(metric, label).is_some_and(|rate| rate > 0.0)
    }

    /// The histogram of the time to answer: since the older metrics if there are any, else since the start.
    fn times(&self) -> Vec<(f64, f64)> {
        let name = "liveline_http_answer_seconds_bucket";
        let buckets = self.now.all(name).filter_map(|bucket| {
            let bound = bucket.label("le");
            let before = self.before.map_or(0.0, |(before, _)| before.with(name, "le", bound));
            Some((bound.parse().ok()?, (bucket.value - before).max(0.0)))
        });
        buckets.collect()
    }
}

fn sum(metrics: &ScrapedMetrics, metric: &str, label: Option<(&str, &str)>) -> f64 {
    label.map_or_else(|| metrics.sum(metric), |(label, value)| metrics.with(metric, label, value))
}

/// A quantile of a histogram, whose buckets are pairs of an upper bound and the number of values up to it.
fn quantile(buckets: &[(f64, f64)], part: f64) -> Option<f64> {
    let wanted = part * buckets.last().filter(|(_, count)| *count > 0.0)?.1;
    let at = buckets.iter().position(|(_, count)| *count >= wanted)?;
    let (low, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (high, count) = buckets[at];
    // Values above all bounds count as the largest bound.
    Some(if high.is_finite() {
        low + (high - low) * (wanted - below) / (count - below).max(1.0)
    } else {
        low
    })
}

fn size(bytes: f64) -> String {
    ByteSize(bytes as u64).display().iec().to_string()
}

fn time(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// A name that an application chose, without control characters and shortened.
fn visible(name: &str) -> String {
    let turns_around = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |character: char| {
        if character.is_control() || turns_around(character) { '\u{fffd}' } else { character }
    };
    name.chars().take(NAME).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_calculated_from_two_readings() {
        let before = ScrapedMetrics::parse("liveline_lines_opened_total 10\n");
        let now = ScrapedMetrics::parse("liveline_lines_opened_total 30\n");
        let reading = Reading { now: &now, before: Some((&before, Duration::from_secs(4))) };
        let row = reading.counter("opened", "liveline_lines_opened_total", None);
        assert_eq!((&*row.value, row.rate.as_deref()), ("30", Some("5.0/s")));
        let restarted = Reading { now: &before, before: Some((&now, Duration::from_secs(4))) };
        assert_eq!(restarted.rate("liveline_lines_opened_total", None), Some(0.0));
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = [(0.001, 0.0), (0.01, 90.0), (0.1, 100.0), (f64::INFINITY, 100.0)];
        let p50 = quantile(&buckets, 0.5).unwrap();
        let p99 = quantile(&buckets, 0.99).unwrap();
        assert!((0.001..0.01).contains(&p50) && (0.01..=0.1).contains(&p99), "{p50} {p99}");
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 2.0)], 0.5), Some(1.0));
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        assert_eq!(visible("a\u{1b}[2J\u{202e}b"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(visible(&"x".repeat(99)).len(), NAME);
    }
}
