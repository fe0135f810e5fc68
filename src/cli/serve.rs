//! `liveline serve`, and what `liveline dev` shares with it.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::args::Server;
use super::signals::{self, ReloadSignals, StopSignals};
use super::{CliError, banner, browser, print, trim};
use crate::config::Config;
use crate::ext::Mode;
use crate::metrics::{self, Metrics, MetricsEndpoint, output};
use crate::script::Isolate;
use crate::server::{Listener, Pool, Reloaded, Trigger};
use crate::trust::Proxies;

/// Runs the command.
pub(super) async fn run(args: Server) -> Result<(), CliError> {
    let (stop, mut reload_signals) = begin()?;
    let listener = args.listen().await?;
    let mut config = args.config(Mode::Production, listener.addresses())?;
    config.inspector = args.inspector(Mode::Production).await?;
    let metrics = MetricsServer::bind(&args, &config).await?;
    let pool = Pool::new(config);
    let load = async { Ok(pool.reload(Trigger::Request).await.map(drop)?) };
    let reload = async {
        loop {
            reload_signals.next().await;
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
    until_stopped(&args, stop, listener, &metrics, &pool, load, reload).await
}

/// The first step of a server: isolates can start soon, it receives signals from here on, and to print does not block.
pub(super) fn begin() -> Result<(StopSignals, ReloadSignals), CliError> {
    Isolate::prepare_start();
    let signals = signals::listen()?;
    output::print_in_background()?;
    Ok(signals)
}

/// The endpoint of `--metrics`, if that was given.
pub(super) struct MetricsServer(Option<(MetricsEndpoint, Metrics)>);

impl MetricsServer {
    /// Binds the address. Fails where that is not possible.
    pub(super) async fn bind(args: &Server, config: &Config) -> Result<MetricsServer, CliError> {
        let (Some(address), Some(metrics)) = (args.metrics, &config.metrics) else {
            return Ok(MetricsServer(None));
        };
        let failed = |source| CliError::Metrics { address, source };
        let endpoint = MetricsEndpoint::bind(address).await.map_err(failed)?;
        Ok(MetricsServer(Some((endpoint, metrics.clone()))))
    }

    /// Prints the address and serves the metrics, for as long as the future is polled.
    async fn serve(&self) -> Infallible {
        let Some((endpoint, metrics)) = &self.0 else { return std::future::pending().await };
        print(&format!("metrics on http://{}{}", endpoint.address(), metrics::PATH));
        endpoint.serve(metrics).await
    }
}

/// Loads the code, serves until a signal to stop, then drains; a second signal ends that at once. `meanwhile` runs while
/// the server serves.
pub(super) async fn until_stopped(
    args: &Server,
    mut stop: StopSignals,
    listener: Listener,
    metrics: &MetricsServer,
    pool: &Arc<Pool>,
    load: impl Future<Output = Result<(), CliError>>,
    meanwhile: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    tokio::select! {
        loaded = load => loaded?,
        _ = stop.next() => return Ok(()),
    }
    trim::start();
    banner::show(args, pool.config(), &listener);
    if args.open {
        browser::open(&banner::local_url(&listener));
    }
    // Also during the drain.
    tokio::select! {
        never = metrics.serve() => match never {},
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
    // Connections that have arrived already are served. Later ones are refused by the system.
    let _ = tokio::task::unconstrained(listener.accept(pool, &limiter, &proxies)).now_or_never();
    drop(listener);
    tracing::info!("stopping: live lines close with 1012, so their clients reconnect");
    tokio::select! {
        () = pool.drain(args.limits.drain_timeout) => Ok(()),
        code = stop.next() => {
            tracing::warn!("stopped by a second signal: unfinished requests are dropped");
            Err(CliError::Stopped(code))
        }
    }
}
