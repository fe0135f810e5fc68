//! `liveline dev`: serve, and reload on every change, or when told to.

use tokio::sync::Mutex;

use super::args::Server;
use super::serve::{Figures, begin, until_stopped};
use super::signals::ReloadSignals;
use super::watch::Watch;
use super::{CliError, report};
use crate::isolate::{Pool, Reloaded};
use crate::ops::{Diagnostic, Mode};

pub async fn run(args: Server) -> Result<(), CliError> {
    let (stop, told_to_reload) = begin()?;
    let listener = args.listen().await?;
    let settings = args.settings(Mode::Development, listener.addresses())?;
    let figures = Figures::bind(&args, &settings).await?;
    let folders = [Some(settings.layout.root.clone()), settings.layout.public.clone()];
    let pool = Pool::new(settings);
    // First the code as it is, then as it changes; the one watch goes from the one to the other.
    let watch = Mutex::new((Watch::begin(folders.into_iter().flatten())?, told_to_reload));
    let load = async { first_load(&pool, &mut *watch.lock().await).await };
    let reload = async { reload_on_change(&pool, &mut *watch.lock().await).await };
    until_stopped(&args, stop, listener, &figures, &pool, load, reload).await
}

/// Loads the code, as soon as it can be loaded.
async fn first_load(pool: &Pool, (watch, signals): &mut (Watch, ReloadSignals)) -> Result<(), CliError> {
    loop {
        let Some(loaded) = unless_changed(pool, watch, pool.reload()).await else { continue };
        let Err(diagnostics) = loaded else { return Ok(()) };
        report(&format!("{}\nwaiting for a change", errors(&diagnostics)));
        tokio::select! {
            () = watch.changed() => {}
            () = signals.next() => {}
        }
    }
}

async fn reload_on_change(
    pool: &Pool,
    (watch, signals): &mut (Watch, ReloadSignals),
) -> Result<(), CliError> {
    let seen = watch.seen();
    let (mut is_known, mut is_told) = (false, false);
    loop {
        if !is_known {
            is_told = tokio::select! {
                () = watch.changed() => false,
                () = signals.next() => true,
            };
        }
        let is_meant = |has_empty: bool| is_told || (!has_empty && !seen.saw_more());
        let reloaded = unless_changed(pool, watch, pool.reload_if(is_meant)).await;
        is_known = reloaded.is_none();
        let Some(mut reloaded) = reloaded else { continue };
        if reloaded.is_err() && !pool.is_stuck() {
            if !watch.is_settled().await {
                // Somebody is still writing, and what is there between two files is nobody's error.
                continue;
            }
            let again = unless_changed(pool, watch, pool.reload()).await;
            is_known = again.is_none();
            let Some(again) = again else { continue };
            reloaded = again;
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

/// How a load ends; None where it was given up for a change that came meanwhile.
async fn unless_changed<T>(pool: &Pool, watch: &mut Watch, load: impl Future<Output = T>) -> Option<T> {
    let mut load = std::pin::pin!(load);
    loop {
        let loaded = tokio::select! {
            biased;
            loaded = &mut load => Some(loaded),
            () = pool.stalled() => {
                watch.also(pool.files());
                continue;
            }
            () = watch.changed() => None,
        };
        watch.also(pool.files());
        return loaded;
    }
}

fn errors(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<_> = diagnostics.iter().map(|diagnostic| format!("error: {diagnostic}")).collect();
    texts.join("\n")
}
