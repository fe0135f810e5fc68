//! One picture for each metric: a bar for each peer, its spread as a whisker, gate and goal as lines.
//!
//! The colours follow the reader's light or dark mode, also where a README shows the file as an image.

use std::fmt::Write;

use super::metric::{Against, Better, Metric};
use super::peers::is_ours;
use super::report::number;
use super::stats::{Spread, spread};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 58.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;

const NAMESPACE: &str = "http://www.w3.org/2000/svg";
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#24292f}\
.title{font-weight:600;font-size:15px}\
.faint{fill:#57606a;font-size:12px}\
.bar{fill:#8c959f}\
.ours{fill:#0969da}\
.whisker{stroke:#24292f;stroke-width:1.5}\
.limit{stroke-width:1.5;stroke-dasharray:4 3}\
.gate{stroke:#9a6700}\
.goal{stroke:#1a7f37}\
@media(prefers-color-scheme:dark){\
text{fill:#e6edf3}\
.faint{fill:#9198a1}\
.bar{fill:#6e7681}\
.ours{fill:#4493f8}\
.whisker{stroke:#e6edf3}\
.gate{stroke:#d29922}\
.goal{stroke:#3fb950}}";

/// The picture as SVG; none where nothing was measured.
pub fn svg(metric: &Metric) -> Option<String> {
    let rows: Vec<(&str, Spread)> =
        metric.series.iter().filter_map(|series| Some((series.name, spread(&series.values)?))).collect();
    let limits = limits(metric);
    let largest = rows.iter().map(|(_, spread)| spread.high).fold(0.0, f64::max);
    // A limit far outside would make everything else small.
    let limits: Vec<_> = limits.into_iter().filter(|(_, _, value)| *value <= largest * 1.6).collect();
    let largest = limits.iter().map(|(_, _, value)| *value).fold(largest, f64::max);
    if rows.is_empty() || largest <= 0.0 {
        return None;
    }
    let x = |value: f64| LEFT + value / largest * (WIDTH - LEFT - RIGHT);
    let bottom = TOP + rows.len() as f64 * ROW;
    let height = bottom + if limits.is_empty() { 12.0 } else { 26.0 };
    let label = escape(&format!("{}: {}", metric.id, metric.title));
    let mut svg = format!(
        r#"<svg xmlns="{NAMESPACE}" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">"#
    );
    // Writing into a string cannot fail, here and below.
    let _ = write!(svg, "<style>{STYLE}</style>");
    let better = if metric.better == Better::More { "more is better" } else { "less is better" };
    let subtitle = format!("{}; {better}", metric.unit);
    text(&mut svg, "title", 12.0, 22.0, &format!("{}  {}", metric.id, metric.title));
    text(&mut svg, "faint", 12.0, 41.0, &subtitle);
    for (index, (name, spread)) in rows.iter().enumerate() {
        let y = TOP + index as f64 * ROW;
        let middle = y + BAR / 2.0;
        let class = if is_ours(name) || *name == metric.ours { "bar ours" } else { "bar" };
        let (end, low, high) = (x(spread.median), x(spread.low), x(spread.high));
        let length = end - LEFT;
        let _ = write!(
            svg,
            r#"<rect class="{class}" x="{LEFT}" y="{y}" width="{length:.1}" height="{BAR}" rx="2"/>"#
        );
        if spread.low < spread.high {
            let _ = write!(svg, r#"<path class="whisker" d="M{low:.1} {middle}H{high:.1}"/>"#);
        }
        text(&mut svg, "", 12.0, middle + 4.5, name);
        text(&mut svg, "", high.max(end) + 8.0, middle + 4.5, &number(spread.median));
    }
    for (class, name, value) in limits {
        let at = x(value);
        let (top, end) = (TOP - 6.0, bottom);
        let _ = write!(svg, r#"<path class="limit {class}" d="M{at:.1} {top}V{end}"/>"#);
        text(&mut svg, "faint", at - 12.0, bottom + 14.0, name);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Gate and goal as values of the picture's own scale.
fn limits(metric: &Metric) -> Vec<(&'static str, &'static str, f64)> {
    let Some(bar) = &metric.bar else { return Vec::new() };
    let scale = match bar.against {
        Against::Absolute => Some(1.0),
        _ => metric.rival().and_then(|rival| Some(spread(&rival.values)?.median)),
    };
    match scale {
        Some(scale) if bar.gate == bar.goal => vec![("gate", "gate", bar.gate * scale)],
        Some(scale) => vec![("gate", "gate", bar.gate * scale), ("goal", "goal", bar.goal * scale)],
        None => Vec::new(),
    }
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = write!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(text));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::metric::{Bar, Series};
    use super::*;

    fn metric(values: &[f64]) -> Metric {
        Metric {
            id: "X0",
            title: "a < b".to_owned(),
            unit: "things",
            better: Better::More,
            ours: "liveline",
            series: vec![
                Series { name: "liveline", values: values.to_vec() },
                Series { name: "bun", values: vec![100.0] },
            ],
            bar: Some(Bar { against: Against::One("bun"), gate: 1.0, goal: 50.0 }),
            notes: Vec::new(),
        }
    }

    #[test]
    fn svg_has_everyone_and_leaves_out_what_is_far_away() {
        let svg = svg(&metric(&[90.0, 110.0, 120.0])).expect("a picture");
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert_eq!(svg.matches("whisker\" d").count(), 1, "{svg}");
        assert_eq!((svg.contains(">gate<"), svg.contains(">goal<")), (true, false), "{svg}");
        assert!(svg.contains("a &lt; b") && !svg.contains("a < b"), "{svg}");
    }

    #[test]
    fn svg_of_nothing_is_none() {
        let mut nothing = metric(&[]);
        nothing.series.truncate(1);
        assert_eq!(svg(&nothing), None);
    }
}
