//! `liveline snapshot`: makes later starts faster.

use super::{CliError, print};
use crate::isolate;

pub fn run() -> Result<(), CliError> {
    let path = isolate::keep_snapshot()?;
    print(&format!("isolates start from {}", path.display()));
    Ok(())
}
