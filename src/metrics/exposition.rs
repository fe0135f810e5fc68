//! The text format of metrics: OpenMetrics 1.0, and Prometheus' older format for clients that ask for it.
//!
//! Written by hand: the libraries for it also store the metrics, behind locks and in maps of labels, which costs more
//! than the format itself.

use std::fmt::{Display, Write};

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Plain,
}

impl Format {
    /// The format that an `Accept` header asks for.
    pub(super) fn accepted(accept: &str) -> Format {
        let mut kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let known = ["application/openmetrics-text", "text/plain", "text/html"];
        match kinds.find(|kind| known.contains(kind)) {
            // Browsers show this one.
            Some("text/plain" | "text/html") => Format::Plain,
            _ => Format::OpenMetrics,
        }
    }

    /// The value of `Content-Type`.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A text of metrics while it is written.
pub(super) struct Exposition {
    text: String,
    format: Format,
}

/// The samples of one metric.
pub(super) struct Family<'a> {
    exposition: &'a mut Exposition,
    name: &'static str,
    suffix: &'static str,
}

/// The name and the value of a label.
pub(super) type Label<'a> = (&'static str, &'a dyn Display);

impl Exposition {
    /// An empty text.
    pub(super) fn new(format: Format) -> Exposition {
        Exposition { text: String::with_capacity(8 * 1024), format }
    }

    /// Begins a metric that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family("gauge", name, "", help)
    }

    /// Begins a metric that only goes up. The samples' names end with `_total`, which is not part of `name`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family("counter", name, "_total", help)
    }

    /// Begins a metric whose labels are facts. The sample's name ends with `_info`, which is not part of `name`.
    pub(super) fn info(&mut self, name: &'static str, help: &str) -> Family<'_> {
        let kind = if self.format == Format::OpenMetrics { "info" } else { "gauge" };
        self.family(kind, name, "_info", help)
    }

    /// Writes a histogram. `counts` has the number of values between each bound and the one before, and one more number
    /// for values above all bounds.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &str,
        bounds: &[f64],
        counts: &[u64],
        sum: impl Display,
    ) {
        let family = self.family("histogram", name, "", help);
        let text = &mut family.exposition.text;
        let bounds = bounds.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
        let mut total = 0;
        for (bound, count) in bounds.zip(counts) {
            total += count;
            put(text, format_args!("{name}_bucket{{le=\"{bound}\"}} {total}\n"));
        }
        put(text, format_args!("{name}_sum {sum}\n{name}_count {total}\n"));
    }

    fn family(&mut self, kind: &str, name: &'static str, suffix: &'static str, help: &str) -> Family<'_> {
        // The older format knows families by the names of their samples.
        let known_by = if self.format == Format::OpenMetrics { "" } else { suffix };
        put(&mut self.text, format_args!("# TYPE {name}{known_by} {kind}\n"));
        let unit = name.rsplit('_').next().filter(|unit| ["bytes", "seconds"].contains(unit));
        if let Some(unit) = unit.filter(|_| self.format == Format::OpenMetrics) {
            put(&mut self.text, format_args!("# UNIT {name} {unit}\n"));
        }
        put(&mut self.text, format_args!("# HELP {name}{known_by} {help}\n"));
        Family { exposition: self, name, suffix }
    }

    /// The whole text.
    pub(super) fn end(mut self) -> String {
        // To the older format it is a comment.
        self.text.push_str("# EOF\n");
        self.text
    }
}

impl Family<'_> {
    /// Writes one value with its labels.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) -> &mut Self {
        let text = &mut self.exposition.text;
        put(text, format_args!("{}{}", self.name, self.suffix));
        for (index, (name, value)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            put(text, format_args!("{open}{name}=\"{}\"", escaped(&value.to_string())));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        put(text, format_args!("{close} {value}\n"));
        self
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments) {
    text.write_fmt(arguments).expect("a string can be written to");
}

/// The value of a label, as both formats want it.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_name_families_their_way() {
        let write = |format| {
            let mut exposition = Exposition::new(format);
            exposition.counter("sent_bytes", "Bytes sent.").sample(&[("to", &"a\"b\\c\nd")], 7);
            exposition.info("build", "What runs.").sample(&[("version", &"1")], 1);
            exposition.histogram("took_seconds", "Time.", &[0.5, 1.0], &[1, 2, 3], 4.5);
            exposition.end()
        };
        assert_eq!(
            write(Format::OpenMetrics),
            "# TYPE sent_bytes counter\n# UNIT sent_bytes bytes\n# HELP sent_bytes Bytes sent.\n\
             sent_bytes_total{to=\"a\\\"b\\\\c\\nd\"} 7\n\
             # TYPE build info\n# HELP build What runs.\nbuild_info{version=\"1\"} 1\n\
             # TYPE took_seconds histogram\n# UNIT took_seconds seconds\n# HELP took_seconds Time.\n\
             took_seconds_bucket{le=\"0.5\"} 1\ntook_seconds_bucket{le=\"1.0\"} 3\n\
             took_seconds_bucket{le=\"+Inf\"} 6\ntook_seconds_sum 4.5\ntook_seconds_count 6\n# EOF\n"
        );
        let plain = write(Format::Plain);
        assert!(plain.starts_with("# TYPE sent_bytes_total counter\n# HELP sent_bytes_total Bytes sent.\n"));
        assert!(plain.contains("# TYPE build_info gauge\n"));
    }

    #[test]
    fn accept_chooses_the_first_format_it_names() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for accept in [prometheus, "*/*", ""] {
            assert_eq!(Format::accepted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in ["text/plain;version=0.0.4", "text/html,application/xml;q=0.9,*/*;q=0.8"] {
            assert_eq!(Format::accepted(accept), Format::Plain, "{accept}");
        }
    }
}
