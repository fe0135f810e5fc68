//! The table of docs/permissions.md.

use std::fs;
use std::path::Path;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Works,
    Refused,
}

/// One row: a call of a handler, its outcome, and its outcome with flags.
#[derive(Debug)]
pub(super) struct Row {
    pub call: String,
    pub by_default: Outcome,
    pub with: Option<(Vec<String>, Outcome)>,
}

/// The rows of the table.
pub(super) fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/permissions.md");
    let text = fs::read_to_string(path).expect("the document");
    let table = text.split("| a handler calls |").nth(1).expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(row).collect();
    assert!(rows.len() > 50, "the table has lost rows: {}", rows.len());
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [call, by_default, flags, then] = cells[..] else { panic!("four cells are expected: {line}") };
    let outcome = |cell: &str| match cell {
        "works" => Outcome::Works,
        "refused" => Outcome::Refused,
        _ => panic!("{cell:?} is no outcome: {line}"),
    };
    let code =
        |cell: &str| cell.split('`').nth(1).unwrap_or_else(|| panic!("no code in {cell:?}")).to_owned();
    let with =
        (!flags.is_empty()).then(|| (code(flags).split(' ').map(str::to_owned).collect(), outcome(then)));
    Row { call: code(call), by_default: outcome(by_default), with }
}
