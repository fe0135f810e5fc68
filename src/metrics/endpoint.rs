//! Serves the metrics over HTTP.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Metrics;
use super::exposition::Format;
use crate::http::is_get_or_head;

/// The path of the metrics.
pub(crate) const PATH: &str = "/metrics";

/// How many connections an endpoint serves at a time. A collector needs one.
const MAX_CONNECTIONS: usize = 32;

/// How long a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// An address that serves the metrics and nothing else.
pub(crate) struct MetricsEndpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsEndpoint {
    /// Binds an address. Port 0 picks a free one.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<MetricsEndpoint> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(MetricsEndpoint { listener, address })
    }

    /// The address in use.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the metrics for as long as the future is polled.
    pub(crate) async fn serve(&self, metrics: &Metrics) -> Infallible {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let permit = free.clone().acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let connection = serve_connection(stream, metrics.clone(), self.address.ip());
                    tokio::spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("a connection for {PATH} was not accepted: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, metrics: Metrics, here: IpAddr) {
    let service = service_fn(|request: Request<_>| {
        let answer = match request.uri().path() {
            PATH => metrics.answer(request.method(), request.headers(), here),
            _ => plain(StatusCode::NOT_FOUND, "This address serves /metrics only.\n"),
        };
        async { Ok::<_, Infallible>(answer.map(Full::new)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("connection for {PATH}: {error}");
    }
}

impl Metrics {
    /// Answers a request for the metrics that came to the address `here`.
    pub(crate) fn answer(&self, method: &Method, headers: &HeaderMap, here: IpAddr) -> Response<Bytes> {
        if here.is_loopback() && !is_this_machine(headers) {
            return plain(
                StatusCode::FORBIDDEN,
                "Metrics are served to this machine only: request localhost or an IP address, or choose \
                 another address with --metrics.\n",
            );
        }
        if !is_get_or_head(method) {
            let mut answer =
                plain(StatusCode::METHOD_NOT_ALLOWED, "Metrics are read-only: use GET or HEAD.\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let format = Format::accepted(accept);
        with_type(StatusCode::OK, format.media_type(), self.expose(format))
    }
}

/// Whether the `Host` of a request is an IP address or `localhost`. A page of another site whose name was made to
/// resolve to this address (DNS rebinding) sends its own name.
pub(crate) fn is_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    with_type(status, "text/plain; charset=utf-8", text.to_owned())
}

fn with_type(status: StatusCode, media_type: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_ours() {
        let ours = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            is_this_machine(&headers)
        };
        for host in
            ["localhost", "LOCALHOST:3000", "127.0.0.1:1", "[::1]:3000", "192.0.2.7", "a.localhost:80"]
        {
            assert!(ours(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org:3000", "127.0.0.1.example.org", ""] {
            assert!(!ours(host), "{host}");
        }
        assert!(!is_this_machine(&HeaderMap::new()));
    }
}
