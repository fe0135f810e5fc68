//! `liveline snapshot`: makes later starts faster.

use super::{CliError, config, print};
use crate::script;

/// Runs the command.
pub(super) async fn run() -> Result<(), CliError> {
    let path = script::keep_snapshot(&config::to_rehearse()?).await?;
    print(&format!("isolates start from {}", path.display()));
    Ok(())
}
