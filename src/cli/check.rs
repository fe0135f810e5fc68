//! `liveline check`: loads everything in a folder and lists all errors.

use serde_json::json;

use super::args::Check;
use super::examine::{Examination, examine};
use super::{CliError, config, print, report};
use crate::router::Layer;
use liveline_compiler::Diagnostic;

/// Runs the command. Fails where a problem was found.
pub(super) async fn run(args: Check) -> Result<(), CliError> {
    let examination = examine(config::to_check(&args.folder)?).await;
    let Examination { handlers, pages, problems, .. } = &examination;
    let count = handlers.iter().filter(|handler| handler.layer == Layer::Server).count();
    if args.json {
        let problems: Vec<_> = problems.iter().map(Diagnostic::to_json).collect();
        let found = json!({
            "ok": problems.is_empty(),
            "handlers": handlers.len(),
            "pages": pages.len(),
            "problems": problems,
        });
        print(&format!("{found:#}"));
        return if problems.is_empty() { Ok(()) } else { Err(CliError::Found) };
    }
    if problems.is_empty() {
        print(&format!("ok: {count} handlers"));
        return Ok(());
    }
    let count = problems.len();
    report(&format!("error: {}\n", CliError::from(examination.problems)));
    report(&format!("{count} {}", if count == 1 { "problem" } else { "problems" }));
    Err(CliError::Found)
}
