//! The debugger's address: a list of the targets over HTTP, and debuggers over WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::v8;
use deno_inspector_server::validated_host_header;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, upgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;
use uuid::Uuid;

use super::target::Target;
use super::{Inspector, session};

/// How long to wait after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The origins of Chrome's own pages for debugging. Editors send none.
const DEVTOOLS: [&str; 2] = ["devtools://", "chrome-devtools://"];

/// Serves for as long as the future is polled.
pub(super) async fn serve(listener: TcpListener, inspector: Inspector) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, inspector.clone()));
            }
            Err(error) => {
                tracing::warn!("a connection for the debugger was not accepted: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, inspector: Inspector) {
    let service = service_fn(|request| {
        let answer = answer(&inspector, request);
        async { Ok::<_, Infallible>(answer.map(Full::new)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!("connection for the debugger: {error}");
    }
}

fn answer(inspector: &Inspector, request: Request<Incoming>) -> Response<Bytes> {
    // A page of another site could reach this address through a host name of its own (DNS rebinding).
    let Ok(host) = validated_host_header(&request) else {
        return plain(StatusCode::FORBIDDEN, "The debugger is reached at localhost or an IP address.\n");
    };
    if !is_debugger(&request) {
        return plain(StatusCode::FORBIDDEN, "Pages of web sites cannot reach the debugger.\n");
    }
    let authority = match &host {
        Some(host) => host.authority().to_owned(),
        None => inspector.address().to_string(),
    };
    match request.uri().path() {
        "/json" | "/json/list" => {
            let targets = inspector.sorted();
            json_of(&targets.iter().map(|target| describe(target, &authority)).collect())
        }
        "/json/version" => json_of(&json!({
            "Browser": concat!("liveline/", env!("CARGO_PKG_VERSION")),
            "Protocol-Version": "1.3",
            "V8-Version": v8::VERSION_STRING,
        })),
        path => match Uuid::parse_str(&path[1..]).ok().and_then(|id| inspector.find(id)) {
            Some(target) => attach(target, request),
            None => plain(StatusCode::NOT_FOUND, "There is no such target: see /json.\n"),
        },
    }
}

/// Whether the client is no page of a web site: browsers send the origin of those.
fn is_debugger(request: &Request<Incoming>) -> bool {
    let is_of_devtools = |origin: &[u8]| DEVTOOLS.iter().any(|known| origin.starts_with(known.as_bytes()));
    request.headers().get_all(ORIGIN).iter().all(|origin| is_of_devtools(origin.as_bytes()))
}

/// A target, for a client that reached the debugger at this authority.
fn describe(target: &Target, authority: &str) -> Value {
    let address = format!("{authority}/{}", target.id);
    json!({
        "id": target.id.to_string(),
        "type": "node",
        "title": format!("liveline {} [pid: {}]", target.title(), std::process::id()),
        "description": "liveline",
        "url": target.url,
        "webSocketDebuggerUrl": format!("ws://{address}"),
        "devtoolsFrontendUrl":
            format!("devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws={address}"),
    })
}

/// Upgrades the connection to a WebSocket.
fn attach(target: Arc<Target>, mut request: Request<Incoming>) -> Response<Bytes> {
    let upgrading = upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let Ok(response) = create_response_with_body(&Request::from_parts(head, ()), Bytes::new) else {
        return plain(StatusCode::BAD_REQUEST, "Attach with a WebSocket.\n");
    };
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
                session::run(socket, target).await;
            }
            Err(error) => tracing::debug!("a debugger did not attach: {error}"),
        }
    });
    response
}

fn json_of(value: &Value) -> Response<Bytes> {
    with_type(StatusCode::OK, "application/json; charset=utf-8", value.to_string())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    with_type(status, "text/plain; charset=utf-8", text)
}

fn with_type(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type.parse().expect("a media type is a header value"));
    response
}
