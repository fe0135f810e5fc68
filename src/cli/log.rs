//! Logs go to standard error; standard output is for what was asked.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::format::{self, FormatFields};

use super::args::{Args, LogFormat};
use crate::observe::output::LogWriter;
use crate::observe::{ACCESS, CONSOLE};

/// Whether programs read the log.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Installs the log as the arguments say. Call it once.
pub fn install(args: &Args) {
    let json = args.log_format == LogFormat::Json;
    FOR_PROGRAMS.store(json, Ordering::Relaxed);
    // What handlers print is no more filtered than where it is printed as it is.
    let filter = EnvFilter::new(args.log.to_string())
        .add_directive(directive(ACCESS, if args.logs_access() { "info" } else { "off" }))
        .add_directive(directive(CONSOLE, if json { "debug" } else { "off" }));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogWriter);
    match args.log_format {
        LogFormat::Text => {
            let terminal = std::io::stderr().is_terminal();
            log.with_ansi(terminal).with_target(false).fmt_fields(prose()).init();
        }
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Whether programs read the log: then everything on standard error has to be a line of it.
pub fn is_for_programs() -> bool {
    FOR_PROGRAMS.load(Ordering::Relaxed)
}

fn directive(target: &str, level: &str) -> Directive {
    format!("{target}={level}").parse().expect("a target and a level")
}

/// Fields as people read them: the message, which says the request already, then what else there is.
fn prose() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write_visibly(writer, &format!("{value:?}")),
        "method" | "path" | "status" => Ok(()),
        name => write!(writer, " {name}={value:?}"),
    })
}

/// Writes text of whoever it may be so that it cannot command the terminal.
fn write_visibly(writer: &mut format::Writer<'_>, text: &str) -> std::fmt::Result {
    for character in text.chars() {
        match character {
            '\n' | '\t' => writer.write_char(character)?,
            character if character.is_control() => write!(writer, "{}", character.escape_unicode())?,
            character => writer.write_char(character)?,
        }
    }
    Ok(())
}
