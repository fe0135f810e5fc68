//! `liveline check`: load everything, report every error.

use super::args::Folder;
use super::{CliError, print, settings};
use crate::isolate::Pool;

pub async fn run(folder: Folder) -> Result<(), CliError> {
    let pool = Pool::new(settings::to_check(folder.layout()?));
    let loaded = pool.reload().await?;
    print(&format!("ok: {} handlers", loaded.handlers));
    Ok(())
}
