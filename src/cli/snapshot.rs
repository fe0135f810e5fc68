//! `liveline snapshot`: makes later starts faster.

use super::{CliError, print};
use crate::script;

/// Runs the command.
pub(super) fn run() -> Result<(), CliError> {
    let path = script::keep_snapshot()?;
    print(&format!("isolates start from {}", path.display()));
    Ok(())
}
