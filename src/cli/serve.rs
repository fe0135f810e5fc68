//! `liveline serve`, and what `liveline dev` shares with it.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::args::Server;
use super::signals::{self, ReloadSignals, StopSignals};
use super::{CliError, banner, browser, print, trim};
use crate::config::Settings;
use crate::ext::Mode;
use crate::metrics::{self, Endpoint, Observer, output};
use crate::server::{Listener, Pool, Reloaded, Trigger};
use crate::trust::Proxies;

pub(super) async fn run(args: Server) -> Result<(), CliError> {
    let (stop, mut told_to_reload) = begin()?;
    let listener = args.listen().await?;
    let settings = args.settings(Mode::Production, listener.addresses())?;
    let figures = Figures::bind(&args, &settings).await?;
    let pool = Pool::new(settings);
    let load = async { Ok(pool.reload(Trigger::Request).await.map(drop)?) };
    let reload = async {
        loop {
            told_to_reload.next().await;
            match pool.reload(Trigger::Request).await {
                Ok(Reloaded { took, handlers, .. }) => {
                    tracing::info!("reloaded in {} ms ({handlers} handlers)", took.as_millis());
                }
                Err(diagnostics) => {
                    let errors = CliError::from(diagnostics);
                    tracing::error!("reload failed, the old code goes on serving\nerror: {errors}");
                }
            }
        }
    };
    until_stopped(&args, stop, listener, &figures, &pool, load, reload).await
}

/// What comes before everything else: signals are heard, and nothing waits for whoever reads what is printed.
pub(super) fn begin() -> Result<(StopSignals, ReloadSignals), CliError> {
    let signals = signals::listen()?;
    output::print_in_background()?;
    Ok(signals)
}

/// The address of the figures, if one was asked for.
pub(super) struct Figures(Option<(Endpoint, Observer)>);

impl Figures {
    pub(super) async fn bind(args: &Server, settings: &Settings) -> Result<Figures, CliError> {
        let (Some(address), Some(observer)) = (args.metrics, &settings.observer) else {
            return Ok(Figures(None));
        };
        let failed = |source| CliError::Metrics { address, source };
        let endpoint = Endpoint::bind(address).await.map_err(failed)?;
        Ok(Figures(Some((endpoint, observer.clone()))))
    }

    /// Serves them, and says where, for as long as the future is polled.
    async fn serve(&self) -> Infallible {
        let Some((endpoint, observer)) = &self.0 else { return std::future::pending().await };
        print(&format!("figures on http://{}{}", endpoint.address(), metrics::PATH));
        endpoint.serve(observer).await
    }
}

/// Loads the code, then serves until the process is told to stop, then drains; told again, it ends at once. `meanwhile`
/// runs alongside.
pub(super) async fn until_stopped(
    args: &Server,
    mut stop: StopSignals,
    listener: Listener,
    figures: &Figures,
    pool: &Arc<Pool>,
    load: impl Future<Output = Result<(), CliError>>,
    meanwhile: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    tokio::select! {
        loaded = load => loaded?,
        _ = stop.next() => return Ok(()),
    }
    trim::start();
    banner::show(args, pool.settings(), &listener);
    if args.open {
        browser::open(&banner::local_url(&listener));
    }
    // Also during the drain, which somebody may want to watch.
    tokio::select! {
        never = figures.serve() => match never {},
        ended = serve_and_drain(args, stop, listener, pool, meanwhile) => ended,
    }
}

async fn serve_and_drain(
    args: &Server,
    mut stop: StopSignals,
    listener: Listener,
    pool: &Arc<Pool>,
    meanwhile: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let (limiter, proxies) = (args.limiter(), Proxies::new(args.trust_proxies.clone()));
    tokio::select! {
        () = listener.accept(pool, &limiter, &proxies) => {}
        result = meanwhile => result?,
        _ = stop.next() => {}
    }
    // Who has connected already is served; who comes from here on sees at once that nobody listens.
    let _ = tokio::task::unconstrained(listener.accept(pool, &limiter, &proxies)).now_or_never();
    drop(listener);
    tracing::info!("stopping: live lines are told to reconnect");
    tokio::select! {
        () = pool.drain(args.limits.drain_timeout) => Ok(()),
        code = stop.next() => {
            tracing::warn!("told to stop again: what is not finished is given up");
            Err(CliError::Stopped(code))
        }
    }
}
