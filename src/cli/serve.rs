//! `liveline serve`, and what `liveline dev` shares with it.

use std::sync::Arc;

use super::args::Server;
use super::{CliError, print};
use crate::isolate::{Pool, Settings};
use crate::net::Listener;
use crate::observe::{self, Endpoint, Observer};
use crate::ops::Mode;
use crate::trust::Proxies;

pub async fn run(args: Server) -> Result<(), CliError> {
    let listener = Listener::bind(args.host, args.port, args.limits.write_timeout).await?;
    let settings = args.settings(Mode::Production, listener.address())?;
    let figures = Figures::bind(&args, &settings).await?;
    let pool = Pool::new(settings);
    let load = async { Ok(pool.reload().await.map(drop)?) };
    until_stopped(&args, &listener, &pool, load, figures.serve(std::future::pending())).await
}

/// The address of the figures, if one was asked for.
pub struct Figures(Option<(Endpoint, Observer)>);

impl Figures {
    pub async fn bind(args: &Server, settings: &Settings) -> Result<Figures, CliError> {
        let (Some(address), Some(observer)) = (args.metrics, &settings.observer) else {
            return Ok(Figures(None));
        };
        let failed = |source| CliError::Metrics { address, source };
        let endpoint = Endpoint::bind(address).await.map_err(failed)?;
        Ok(Figures(Some((endpoint, observer.clone()))))
    }

    /// Serves them, and says where, for as long as the future is polled. `meanwhile` runs alongside.
    pub async fn serve<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let Some((endpoint, observer)) = &self.0 else { return meanwhile.await };
        print(&format!("figures on http://{}{}", endpoint.address(), observe::PATH));
        tokio::select! {
            never = endpoint.serve(observer) => match never {},
            result = meanwhile => result,
        }
    }
}

/// Loads the code, then serves until the process is told to stop, then drains. `meanwhile` runs alongside.
pub async fn until_stopped(
    args: &Server,
    listener: &Listener,
    pool: &Arc<Pool>,
    load: impl Future<Output = Result<(), CliError>>,
    meanwhile: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let mut stop = std::pin::pin!(stop_signal()?);
    tokio::select! {
        loaded = load => loaded?,
        () = &mut stop => return Ok(()),
    }
    let (doors, proxies) = (args.doors(), Proxies::new(args.trust_proxies.clone()));
    print(&format!("listening on http://{}", listener.address()));
    tokio::select! {
        () = listener.accept(pool, &doors, &proxies) => {}
        result = meanwhile => result?,
        () = &mut stop => {}
    }
    tracing::info!("stopping: live lines are told to reconnect");
    pool.drain(args.limits.drain_timeout).await;
    Ok(())
}

/// Resolves on Ctrl-C or SIGTERM. Listens from the call on, not from the first poll.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            let _ = tokio::signal::ctrl_c().await;
        })
    }
}
