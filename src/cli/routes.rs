//! `liveline routes`: a table of what answers where.

use std::path::Path;

use super::args::Folder;
use super::{CliError, print};
use crate::router::Routes;

pub fn run(args: &Folder) -> Result<(), CliError> {
    let layout = args.layout()?;
    let routes = Routes::scan(&layout)?;
    let mut rows = vec![["METHOD", "PATH", "FILE", "LAYER"].map(str::to_owned)];
    rows.extend(routes.handlers().iter().map(|handler| {
        let file = handler.path.strip_prefix(&layout.root).unwrap_or(&handler.path);
        [
            methods(&handler.path),
            handler.pattern.clone(),
            file.display().to_string(),
            handler.layer.to_string(),
        ]
    }));
    let widths: [usize; 4] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        print(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    if routes.handlers().is_empty() {
        print(&format!("no handlers below {}", layout.routes.display()));
    }
    Ok(())
}

/// The methods that a file exports by name, `*` for a default export, in the order of the file. Read from the
/// source, so that listing routes runs nobody's code.
fn methods(path: &Path) -> String {
    let Ok(source) = std::fs::read_to_string(path) else { return "?".to_owned() };
    let mut found: Vec<&str> = Vec::new();
    for export in source.split("export ").skip(1).map(str::trim_start) {
        let names: Vec<&str> = match export.strip_prefix('{') {
            // `export { handle as GET, other as default }`: what follows `as`, or the name itself.
            Some(list) => {
                let items = list.split('}').next().unwrap_or_default().split(',');
                items.map(|item| item.rsplit(" as ").next().unwrap_or(item).trim()).collect()
            }
            None => {
                let mut words = export.split(|c: char| !c.is_alphanumeric() && c != '_');
                let keywords = ["", "async", "function", "const", "let"];
                words.find(|word| !keywords.contains(word)).into_iter().collect()
            }
        };
        let methods = names.into_iter().filter_map(|name| match name {
            "default" => Some("*"),
            name if !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()) => Some(name),
            _ => None,
        });
        for method in methods {
            if !found.contains(&method) {
                found.push(method);
            }
        }
    }
    if found.is_empty() { "-".to_owned() } else { found.join(",") }
}
