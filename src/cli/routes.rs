//! `liveline routes`: prints the table of routes.

use std::path::Path;

use super::args::Folder;
use super::examine::{Examination, examine};
use super::{CliError, config, paint, print};
use crate::dialect;

/// Runs the command. Fails where a handler does not load.
pub(super) async fn run(args: &Folder) -> Result<(), CliError> {
    let layout = args.layout()?;
    let Examination { handlers, pages, failures, .. } = examine(config::to_check(args)?).await;
    let shown = |path: &Path| path.strip_prefix(&layout.root).unwrap_or(path).display().to_string();
    let mut rows = vec![["METHOD", "PATH", "FILE", "LAYER"].map(str::to_owned)];
    rows.extend(handlers.iter().map(|handler| {
        let methods = handler.answers.as_ref().map_or_else(|| "?".to_owned(), |answers| answers.join(","));
        let methods = if methods.is_empty() { "-".to_owned() } else { methods };
        [methods, handler.pattern.clone(), shown(&handler.path), handler.layer.to_string()]
    }));
    rows.extend(
        pages
            .iter()
            .map(|(pattern, path)| ["GET".to_owned(), pattern.clone(), shown(path), "page".to_owned()]),
    );
    let widths: [usize; 4] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        print(paint::visible(&cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
    let listing = dialect::listing(&layout);
    if !listing.is_empty() {
        print("");
    }
    for line in listing {
        print(&paint::visible(&line));
    }
    if handlers.is_empty() {
        print(&format!("no handlers below {}", layout.routes.display()));
    }
    if failures.is_empty() { Ok(()) } else { Err(CliError::from(failures)) }
}
