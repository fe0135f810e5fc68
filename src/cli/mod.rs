//! The command line: parses arguments, runs a command, returns an exit code.
//!
//! | file | what it is |
//! |---|---|
//! | `args.rs` | the arguments as clap parses them |
//! | `config.rs` | makes a [`Config`](crate::config::Config) of the arguments |
//! | `serve.rs`, `dev.rs`, `check.rs`, `routes.rs`, `types.rs`, `snapshot.rs`, `top.rs` | one subcommand each |
//! | `scrape.rs`, `view.rs` | the metrics of another process, and how `top` shows them |
//! | `banner.rs` | the first lines that `dev` and `serve` print |
//! | `inspect.rs` | where debuggers attach |
//! | `browser.rs` | opens the browser |
//! | `keys.rs` | commands of single keys while `dev` runs |
//! | `paint.rs` | colours of messages |
//! | `log.rs` | the format and filter of the log |
//! | `signals.rs` | signals of the operating system that stop the server or reload the code |
//! | `trim.rs` | returns freed memory to the system |
//! | `watch.rs` | watches files for `dev` |

mod args;
mod banner;
mod browser;
mod check;
mod config;
mod dev;
mod examine;
mod inspect;
#[cfg(unix)]
mod keys;
mod log;
mod paint;
mod routes;
mod scrape;
mod serve;
mod signals;
mod snapshot;
mod top;
mod trim;
mod types;
mod view;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::metrics::colors;
use crate::metrics::output::{self, Stream};
use crate::script::Isolate;
use liveline_compiler::fit_excerpts;

/// How long the end of the process waits until its last lines are written.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// Runs the command line. Call it on the main thread, before any other thread starts.
pub fn main() -> ExitCode {
    let args = args::Args::parse();
    log::install(&args);
    if colors::is_terminal(Stream::Error)
        && let Ok((columns, _)) = crossterm::terminal::size()
        && columns > 0
    {
        fit_excerpts(columns.into());
    }
    Isolate::init_engine(args.max_heap());
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("liveline-io").build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&CliError::Runtime(error)),
        };
    let done = runtime.block_on(async {
        match args.command {
            args::Command::Serve(args) => serve::run(args).await,
            args::Command::Dev(args) => dev::run(args).await,
            args::Command::Routes(args) => routes::run(&args).await,
            args::Command::Check(args) => check::run(args).await,
            args::Command::Types(args) => types::run(&args),
            args::Command::Top(args) => top::run(args).await,
            args::Command::Snapshot => snapshot::run().await,
        }
    });
    // A thread that is still blocked must not keep the process running.
    runtime.shutdown_background();
    let done = match (done, output::failure()) {
        (Ok(()), Some(error)) => Err(CliError::Print(error)),
        (done, _) => done,
    };
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Stopped(code)) => ExitCode::from(code),
        Err(error) => fail(&error),
    };
    output::flush(FLUSH_TIME);
    code
}

fn fail(error: &CliError) -> ExitCode {
    let text = error.to_string();
    if !text.is_empty() {
        report(&format!("error: {text}"));
    }
    ExitCode::FAILURE
}

/// Why a command failed. Printed as one line, or as the diagnostics in it.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Layout(#[from] crate::router::LayoutError),
    #[error("there is no folder `{}`; did you mean `{}`?", .folder.display(), .near.display())]
    NoFolder { folder: std::path::PathBuf, near: std::path::PathBuf },
    #[error(transparent)]
    Scan(#[from] crate::router::ScanError),
    #[error(transparent)]
    Listen(#[from] crate::server::ListenError),
    #[error("the folder cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    #[error("cannot write `{}`: {source}", .path.display())]
    Write { path: std::path::PathBuf, source: std::io::Error },
    #[error("the database of liveline:sql cannot be opened: {0}")]
    Database(liveline_store::SqlError),
    #[error(
        "--database is the file of an SQLite database, and `{0}` looks like an address; handlers reach other databases \
         with packages from npm"
    )]
    DatabaseAddress(String),
    #[error("the sessions cannot be stored: {0}")]
    Sessions(#[from] liveline_store::SqlError),
    #[error(transparent)]
    Topics(#[from] crate::topics::TopicStoreError),
    #[error("the session key is too short: give 16 bytes at least, as `openssl rand -hex 32` does")]
    SessionKey,
    #[error(transparent)]
    Grant(#[from] crate::ext::GrantError),
    #[error("--env-file={}: {source}", .file.display())]
    EnvFile { file: std::path::PathBuf, source: std::io::Error },
    #[error("metrics cannot be served at {address}: {source}; choose another address with --metrics")]
    Metrics { address: std::net::SocketAddr, source: std::io::Error },
    #[error(
        "debuggers cannot attach at {address}: {source}; choose another address with --inspect=ADDR:PORT"
    )]
    Inspect { address: std::net::SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Scrape(#[from] scrape::ScrapeError),
    #[error("the process was stopped by a second signal")]
    Stopped(u8),
    #[error("cannot write to the standard output: {0}")]
    Print(std::io::Error),
    #[error("{0}")]
    Handlers(String),
    /// Problems that were printed already.
    #[error("")]
    Found,
    #[error(transparent)]
    Snapshot(#[from] crate::script::SnapshotError),
    #[error("the runtime cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

impl From<Vec<liveline_compiler::Diagnostic>> for CliError {
    fn from(diagnostics: Vec<liveline_compiler::Diagnostic>) -> Self {
        let texts: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        CliError::Handlers(texts.join("\n\nerror: "))
    }
}

/// Prints a message to standard error: as text for people, or as a line of a JSON log.
fn report(text: &str) {
    if log::is_for_programs() {
        tracing::info!("{text}");
    } else {
        let text = paint::visible(text);
        let text = if colors::are_on(Stream::Error) { paint::problems(&text) } else { text };
        output::print(Stream::Error, format!("{text}\n").as_bytes());
    }
}

/// Prints the result of a command to standard output.
fn print(text: &str) {
    output::print(Stream::Output, format!("{text}\n").as_bytes());
}
