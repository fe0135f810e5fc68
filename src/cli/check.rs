//! `liveline check`: load everything, report every error.

use clap::Parser;

use super::args::{Args, Command, Folder};
use super::{CliError, print};
use crate::isolate::Pool;
use crate::ops::Mode;

pub async fn run(folder: Folder) -> Result<(), CliError> {
    // The limits of a server with default settings.
    let Command::Serve(mut server) = Args::parse_from(["liveline", "serve", "."]).command else {
        unreachable!("that is the serve command");
    };
    server.folder = folder;
    let pool = Pool::start(server.settings(Mode::Production)?).await?;
    print(&format!("ok: {} handlers", pool.handlers()));
    Ok(())
}
