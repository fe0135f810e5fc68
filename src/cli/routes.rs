//! `liveline routes`: prints the table of routes.

use std::path::Path;

use super::args::RoutesArgs;
use super::examine::{Examination, examine};
use super::{CliError, config, paint, print};
use crate::dialect;
use crate::ext::packages;
use crate::router::Layout;
use crate::script::provided::{self, Provided};

/// Runs the command. Fails where a handler does not load.
pub(super) async fn run(args: &RoutesArgs) -> Result<(), CliError> {
    let RoutesArgs { folder: args, why } = args;
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
    if *why {
        explain(&layout)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(CliError::from(failures)) }
}

/// Prints which dialect has each file, and which packages are the host's.
fn explain(layout: &Layout) -> Result<(), CliError> {
    let (routes, _) = dialect::read(layout).map_err(CliError::from)?;
    print("");
    for handler in routes.handlers() {
        let file = handler.path.strip_prefix(&layout.root).unwrap_or(&handler.path).display().to_string();
        let what = match handler.dialect {
            "fastify" => "an application of Fastify: its main export takes (fastify, opts), or it listens",
            _ => "a handler by its name",
        };
        print(paint::visible(&format!("{file} is {what} (dialect {})", handler.dialect)).trim_end());
    }
    if routes.handlers().iter().any(|handler| handler.dialect == "fastify") {
        let provided = Provided::of(&layout.project);
        for name in provided::NAMES {
            let version = packages::version_of(name, &layout.root);
            let source = match (provided.has(name), version) {
                (true, None) => "liveline's own".to_owned(),
                (true, Some(version)) => format!(
                    "liveline's own; version {version} in node_modules is not used, unless package.json has \
                     \"liveline\": {{ \"fastify\": \"npm\" }}"
                ),
                (false, Some(version)) => format!("npm's {version} in node_modules, as package.json chooses"),
                // Nobody installs the names that packages had before.
                (false, None) if name.starts_with("fastify-") && name != "fastify-plugin" => continue,
                (false, None) => "npm's, as package.json chooses, and is not installed".to_owned(),
            };
            print(&paint::visible(&format!("{name} is {source}")));
        }
    }
    Ok(())
}
