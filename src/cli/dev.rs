//! `liveline dev`: serve, and reload on every change.

use std::sync::Arc;

use super::args::Server;
use super::serve::until_stopped;
use super::watch::Watch;
use super::{CliError, report};
use crate::isolate::Pool;
use crate::net::Listener;
use crate::ops::Mode;

pub async fn run(args: Server) -> Result<(), CliError> {
    let listener = Listener::bind(args.host, args.port).await?;
    let settings = args.settings(Mode::Development)?;
    let folders = [Some(settings.layout.root.clone()), settings.layout.public.clone()];
    let mut watch = Watch::begin(folders.into_iter().flatten())?;
    let pool = Pool::start(settings).await?;
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
                let texts: Vec<_> =
                    diagnostics.iter().map(|diagnostic| format!("error: {diagnostic}")).collect();
                report(&format!("reload failed, the old code goes on serving\n{}", texts.join("\n")));
            }
        }
    }
}
