//! Logs go to standard error; standard output is for what was asked.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Installs the log with a filter like `info` or `liveline=debug`.
pub fn install(filter: &EnvFilter) {
    let filter = EnvFilter::new(filter.to_string());
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .with_target(false)
        .init();
}
