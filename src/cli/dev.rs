//! `liveline dev`: serve, and reload on every change.

use std::sync::Arc;

use super::args::Server;
use super::serve::until_stopped;
use super::watch::Watch;
use super::{CliError, report};
use crate::isolate::Pool;
use crate::net::Listener;
use crate::ops::{Diagnostic, Mode};

pub async fn run(args: Server) -> Result<(), CliError> {
    let listener = Listener::bind(args.host, args.port).await?;
    let layout = args.folder.layout()?;
    let mut watch = Watch::begin([Some(layout.root), layout.public].into_iter().flatten())?;
    let pool = loop {
        match Pool::start(args.settings(Mode::Development)?).await {
            Ok(pool) => break pool,
            Err(diagnostics) => {
                report(&format!("{}\nwaiting for a change", errors(&diagnostics)));
                watch.changed().await;
            }
        }
    };
    watch.also(pool.files());
    until_stopped(&args, &listener, &pool, reload_on_change(&pool, watch)).await
}

async fn reload_on_change(pool: &Arc<Pool>, mut watch: Watch) -> Result<(), CliError> {
    loop {
        watch.changed().await;
        match pool.reload().await {
            Ok(reloaded) => {
                watch.also(pool.files());
                report(&format!(
                    "reloaded in {} ms ({} handlers)",
                    reloaded.took.as_millis(),
                    reloaded.handlers
                ));
            }
            Err(diagnostics) => {
                report(&format!("reload failed, the old code goes on serving\n{}", errors(&diagnostics)));
            }
        }
    }
}

fn errors(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<_> = diagnostics.iter().map(|diagnostic| format!("error: {diagnostic}")).collect();
    texts.join("\n")
}
