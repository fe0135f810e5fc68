//! Where figures are served.

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

use super::Observer;
use super::exposition::Format;

/// Where the figures are, on every address that has them.
pub(crate) const PATH: &str = "/metrics";

/// Connections to the address of the figures at a time. Whoever collects them needs one.
const MAX_CONNECTIONS: usize = 32;

/// How long a client has to send a request's head.
const PATIENCE: Duration = Duration::from_secs(10);

/// An address for the figures alone.
pub(crate) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Binds an address. Port 0 picks a free one.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Endpoint { listener, address })
    }

    /// The address in use.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as the future is polled.
    pub(crate) async fn serve(&self, observer: &Observer) -> Infallible {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let place = free.clone().acquire_owned().await.expect("nobody closes it");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let connection = serve_connection(stream, observer.clone(), self.address.ip());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("a connection for {PATH} was not accepted: {error}");
                    tokio::time::sleep(PATIENCE / 200).await;
                }
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, observer: Observer, here: IpAddr) {
    let service = service_fn(|request: Request<_>| {
        let answer = match request.uri().path() {
            PATH => observer.answer(request.method(), request.headers(), here),
            _ => sentence(StatusCode::NOT_FOUND, "There is nothing here but /metrics.\n"),
        };
        async { Ok::<_, Infallible>(answer.map(Full::new)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("connection for {PATH}: {error}");
    }
}

impl Observer {
    /// Answers a request for the figures that came to the address `here`.
    pub(crate) fn answer(&self, method: &Method, headers: &HeaderMap, here: IpAddr) -> Response<Bytes> {
        if here.is_loopback() && !is_ours(headers) {
            return sentence(
                StatusCode::FORBIDDEN,
                "Figures are served here to this machine only: ask for localhost or an address, or choose \
                 another address with --metrics.\n",
            );
        }
        if *method != Method::GET && *method != Method::HEAD {
            let mut answer = sentence(StatusCode::METHOD_NOT_ALLOWED, "Figures can only be read.\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let format = Format::accepted(accept);
        with_type(StatusCode::OK, format.media_type(), self.expose(format))
    }
}

/// Whether a request names this machine as its host. A page of another site that got its name to mean this address
/// cannot.
pub(crate) fn is_ours(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

fn sentence(status: StatusCode, text: &'static str) -> Response<Bytes> {
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
            is_ours(&headers)
        };
        for host in
            ["localhost", "LOCALHOST:3000", "127.0.0.1:1", "[::1]:3000", "192.0.2.7", "a.localhost:80"]
        {
            assert!(ours(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org:3000", "127.0.0.1.example.org", ""] {
            assert!(!ours(host), "{host}");
        }
        assert!(!is_ours(&HeaderMap::new()));
    }
}
