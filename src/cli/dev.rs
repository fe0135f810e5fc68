//! `liveline dev`: serve, and reload on every change.

use tokio::sync::Mutex;

use super::args::Server;
use super::serve::{Figures, until_stopped};
use super::watch::Watch;
use super::{CliError, report};
use crate::isolate::{Pool, Reloaded};
use crate::net::Listener;
use crate::ops::{Diagnostic, Mode};

pub async fn run(args: Server) -> Result<(), CliError> {
    let listener = Listener::bind(args.host, args.port, args.limits.write_timeout).await?;
    let settings = args.settings(Mode::Development, listener.address())?;
    let figures = Figures::bind(&args, &settings).await?;
    let folders = [Some(settings.layout.root.clone()), settings.layout.public.clone()];
    let pool = Pool::new(settings);
    // First the code as it is, then as it changes; the one watch goes from the one to the other.
    let watch = Mutex::new(Watch::begin(folders.into_iter().flatten())?);
    let load = async { first_load(&pool, &mut *watch.lock().await).await };
    let reload = async { reload_on_change(&pool, &mut *watch.lock().await).await };
    until_stopped(&args, &listener, &pool, load, figures.serve(reload)).await
}

/// Loads the code, as soon as it can be loaded.
async fn first_load(pool: &Pool, watch: &mut Watch) -> Result<(), CliError> {
    loop {
        let loaded = pool.reload().await;
        watch.also(pool.files());
        let Err(diagnostics) = loaded else { return Ok(()) };
        report(&format!("{}\nwaiting for a change", errors(&diagnostics)));
        watch.changed().await;
    }
}

async fn reload_on_change(pool: &Pool, watch: &mut Watch) -> Result<(), CliError> {
    loop {
        watch.changed().await;
        let mut reloaded = pool.reload_if(|has_empty| !has_empty && !watch.saw_more()).await;
        watch.also(pool.files());
        if reloaded.is_err() {
            if !watch.is_settled().await {
                // Somebody is still writing, and what is there between two files is nobody's error.
                continue;
            }
            reloaded = pool.reload().await;
            watch.also(pool.files());
        }
        match reloaded {
            Ok(Reloaded { took, handlers }) => {
                report(&format!("reloaded in {} ms ({handlers} handlers)", took.as_millis()));
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
