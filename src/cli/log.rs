//! Logs go to standard error; standard output is for what was asked.

use std::fmt::{self, Debug, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

use super::args::{Args, LogFormat};
use super::paint;
use crate::metrics::colors;
use crate::metrics::output::{LogWriter, Stream};
use crate::metrics::{ACCESS, CONSOLE};

/// Whether the log is JSON.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Installs the log with the format and filter of the arguments. Call it once.
pub(super) fn install(args: &Args) {
    let json = args.log_format == LogFormat::Json;
    FOR_PROGRAMS.store(json, Ordering::Relaxed);
    if json {
        colors::turn_off();
    }
    // The filter does not apply to what handlers print, as it does not in the text format.
    let filter = EnvFilter::new(args.log.to_string())
        .add_directive(directive(ACCESS, if args.logs_access() { "info" } else { "off" }))
        .add_directive(directive(CONSOLE, if json { "debug" } else { "off" }));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogWriter);
    match args.log_format {
        LogFormat::Text => {
            let has_colors = colors::are_on(Stream::Error);
            log.with_ansi(has_colors).with_target(false).fmt_fields(Prose { has_colors }).init();
        }
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Whether the log is JSON: then everything on standard error has to be a line of it.
pub(super) fn is_for_programs() -> bool {
    FOR_PROGRAMS.load(Ordering::Relaxed)
}

fn directive(target: &str, level: &str) -> Directive {
    format!("{target}={level}").parse().expect("a target and a level")
}

/// Formats an event for people: the first line of the message, which contains the request already, then the other fields,
/// then the rest of the message.
struct Prose {
    has_colors: bool,
}

impl<'w> FormatFields<'w> for Prose {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut parts = Parts::default();
        fields.record(&mut parts);
        let (first, rest) = match parts.message.split_once('\n') {
            Some((first, rest)) => (first, Some(rest)),
            None => (parts.message.as_str(), None),
        };
        write!(writer, "{first}{}", parts.others)?;
        let Some(rest) = rest else { return Ok(()) };
        let rest = if self.has_colors { paint::details(rest) } else { rest.to_owned() };
        write!(writer, "\n{rest}")
    }
}

#[derive(Default)]
struct Parts {
    message: String,
    others: String,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write_visibly(&mut self.message, &format!("{value:?}")),
            "method" | "path" | "status" => Ok(()),
            name => write!(self.others, " {name}={value:?}"),
        };
    }
}

/// Writes text from clients and handlers with control characters escaped, so that it cannot control the terminal.
fn write_visibly(writer: &mut String, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\n' | '\t' => writer.write_char(character)?,
            character if character.is_control() => write!(writer, "{}", character.escape_unicode())?,
            character => writer.write_char(character)?,
        }
    }
    Ok(())
}
