//! What a client prefers (RFC 9110 section 12.5.1).

use hyper::HeaderMap;
use hyper::header::ACCEPT;

use liveline_proto::Format;

/// Whether a client prefers HTML to JSON. `*/*` alone does not mean HTML.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    // Most programs accept anything, or say nothing.
    let names_text = |accept: &[u8]| accept.windows(5).any(|window| window.eq_ignore_ascii_case(b"text/"));
    if !headers.get_all(ACCEPT).iter().any(|value| names_text(value.as_bytes())) {
        return false;
    }
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = values.flat_map(|value| value.split(',')).map(Range::parse).collect();
    let html = best(&ranges, &["text/html", "text/*"]);
    let json = best(&ranges, &["application/json", "application/*", "*/*"]);
    match (html, json) {
        (Some(html), _) if html.quality <= 0.0 => false,
        (Some(html), Some(json)) => html.beats(&json),
        (html, _) => html.is_some(),
    }
}

/// Whether a client prefers JSON to text: the first that it names of these.
pub(crate) fn prefers_json(headers: &HeaderMap) -> bool {
    let is_either = |kind: &&str| kind.ends_with("/json") || kind.starts_with("text/");
    accepted(headers).find(is_either).is_some_and(|kind| kind == "application/json")
}

pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// The first format of streams that a client names. Browsers' navigations name none.
pub(crate) fn stream_format(headers: &HeaderMap) -> Option<Format> {
    const LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
    accepted(headers).find_map(|kind| match kind {
        kind if kind.eq_ignore_ascii_case(EVENT_STREAM) => Some(Format::Events),
        kind if LINES.iter().any(|lines| kind.eq_ignore_ascii_case(lines)) => Some(Format::Lines),
        _ => None,
    })
}

/// Whether a client names a media type.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    accepted(headers).any(|kind| kind.eq_ignore_ascii_case(media_type))
}

/// The media types and wildcards that a client accepts, in its order, without their parameters.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges
        .filter(|range| !range.contains(';') || Range::parse(range).quality > 0.0)
        .map(|range| range.split(';').next().unwrap_or_default().trim())
}

/// A media range with its weight.
struct Range<'a> {
    name: &'a str,
    quality: f32,
}

impl Range<'_> {
    fn parse(text: &str) -> Range<'_> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let valid = |weight: &str| weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
        Range { name, quality: weight.map_or(1.0, |weight| valid(weight).unwrap_or(0.0)) }
    }
}

/// The range that counts for a type.
struct Match {
    quality: f32,
    /// 0 for the type itself, more for wildcards.
    vagueness: usize,
    place: usize,
}

impl Match {
    /// Whether it has the higher quality; of equals, whether it is more exact, then whether it comes first.
    fn beats(&self, other: &Match) -> bool {
        match self.quality.total_cmp(&other.quality) {
            std::cmp::Ordering::Equal => (self.vagueness, self.place) < (other.vagueness, other.place),
            order => order.is_gt(),
        }
    }
}

/// The most exact range that covers a type; `names` are those that do, the exact one first.
fn best(ranges: &[Range<'_>], names: &[&str]) -> Option<Match> {
    names.iter().enumerate().find_map(|(vagueness, name)| {
        let place = ranges.iter().position(|range| range.name.eq_ignore_ascii_case(name))?;
        Some(Match { quality: ranges[place].quality, vagueness, place })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        assert_eq!(prefers_html(&headers), expected, "{accept}");
    }

    #[test]
    fn prefers_html_browsers_do() {
        check("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true);
        check("text/html, */*", true);
        check("*/*, TEXT/HTML", true);
        check("text/*", true);
    }

    #[test]
    fn prefers_html_programs_do_not() {
        assert!(!prefers_html(&HeaderMap::new()));
        check("*/*", false);
        check("application/json", false);
        check("text/event-stream", false);
        check("application/x-ndjson", false);
        check("text/plain", false);
    }

    #[test]
    fn streams_are_named_in_any_of_the_fields() {
        let format = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(ACCEPT, value.parse().unwrap()));
            stream_format(&headers)
        };
        assert_eq!(format(&["text/html", "application/json, Text/Event-Stream;q=0.5"]), Some(Format::Events));
        assert_eq!(format(&["application/jsonl, text/event-stream"]), Some(Format::Lines));
        assert_eq!(format(&["text/event-stream;q=0, */*"]), None);
        assert_eq!(format(&["*/*"]), None);
    }

    #[test]
    fn prefers_html_weights_decide_then_order() {
        check("text/html;q=0.5, application/json", false);
        check("application/json;q=0.5, text/html;q=0.6", true);
        check("text/html, application/json", true);
        check("application/json, text/html", false);
        check("text/html;q=0, */*", false);
        check("text/html;q=0", false);
        check("text/html;level=1;q=0.2, application/json;q=0.1", true);
        check("text/html;q=much", false);
        check("text/html;q=nan, application/json;q=0.1", false);
        check("application/json;q=0, text/html;q=0.1", true);
    }
}
