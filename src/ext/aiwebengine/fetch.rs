//! `fetch()` of scripts that use its result at once: the isolate waits for the answer.

use std::str::FromStr as _;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use deno_core::url::Url;
use deno_core::{OpState, op2};
use deno_error::JsError;
use deno_fetch::{Client, ReqBody};
use deno_permissions::{PermissionCheckError, PermissionsContainer};
use http_body_util::BodyExt as _;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;

use crate::ext::Exchanges;

/// How long the isolate waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const MAX_BODY: usize = 10 << 20;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error, JsError)]
#[class(type)]
pub(crate) enum FetchError {
    #[error("fetch(): {0:?} is no address of http or https")]
    Address(String),
    #[error("fetch(): the method or a header is malformed")]
    Malformed,
    #[class(inherit)]
    #[error(transparent)]
    Refused(PermissionCheckError),
    #[error("fetch(): {0}")]
    Failed(String),
    #[error("fetch(): the answer has more than {MAX_BODY} bytes")]
    TooLarge,
    #[error("fetch(): no answer within {} s", TIMEOUT.as_secs())]
    Late,
}

/// An answer.
#[derive(Serialize)]
pub(crate) struct Fetched {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What scripts' requests that block are sent by: its connections belong to the main runtime, as the isolate's own cannot
/// go on while the isolate waits.
struct BlockingClient(Client);

struct Sending {
    url: Url,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
}

/// Sends a request and waits for the whole answer.
#[op2]
#[serde]
pub(crate) fn op_fetch_blocking(
    state: &mut OpState,
    #[string] url: &str,
    #[string] method: &str,
    #[serde] headers: Vec<(String, String)>,
    #[string] body: Option<String>,
) -> Result<Fetched, FetchError> {
    let target = Url::parse(url).ok().filter(|it| matches!(it.scheme(), "http" | "https"));
    let target = target.ok_or_else(|| FetchError::Address(url.to_owned()))?;
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_str(name).map_err(|_| FetchError::Malformed)?;
        Ok((name, HeaderValue::from_str(value).map_err(|_| FetchError::Malformed)?))
    });
    let sending = Sending {
        url: target,
        method: Method::from_str(method).map_err(|_| FetchError::Malformed)?,
        headers: headers.collect::<Result<_, FetchError>>()?,
        body: body.map(Bytes::from),
    };
    let permissions = state.borrow::<PermissionsContainer>().clone();
    let client = client(state, &permissions)?;
    let runtime = state.borrow::<Exchanges>().host.topics.runtime().clone();
    let (sender, receiver) = mpsc::channel();
    let sent = runtime.spawn(async move {
        let _ = sender.send(send(client, permissions, sending).await);
    });
    let answer = receiver.recv_timeout(TIMEOUT);
    sent.abort();
    answer.map_err(|_| FetchError::Late)?
}

fn client(state: &mut OpState, permissions: &PermissionsContainer) -> Result<Client, FetchError> {
    if let Some(BlockingClient(client)) = state.try_borrow::<BlockingClient>() {
        return Ok(client.clone());
    }
    let options = state.borrow::<deno_fetch::Options>();
    let client = deno_fetch::create_client_from_options(options, Some(permissions.clone()))
        .map_err(|error| FetchError::Failed(error.to_string()))?;
    state.put(BlockingClient(client.clone()));
    Ok(client)
}

async fn send(
    client: Client,
    mut permissions: PermissionsContainer,
    mut sending: Sending,
) -> Result<Fetched, FetchError> {
    for _ in 0..=MAX_REDIRECTS {
        permissions.check_net_url(&sending.url, "fetch()").map_err(FetchError::Refused)?;
        let body = sending.body.clone().map_or_else(ReqBody::empty, ReqBody::full);
        let mut request = Request::builder()
            .method(sending.method.clone())
            .uri(sending.url.as_str())
            .body(body)
            .map_err(|_| FetchError::Malformed)?;
        request.headers_mut().extend(sending.headers.iter().cloned());
        let answer =
            client.clone().send(request).await.map_err(|error| FetchError::Failed(error.to_string()))?;
        let location = answer.headers().get(LOCATION).and_then(|it| it.to_str().ok());
        let redirect = location
            .filter(|_| answer.status().is_redirection())
            .and_then(|location| sending.url.join(location).ok());
        let Some(next) = redirect else { return read(answer).await };
        let keeps =
            matches!(answer.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
                || sending.method == Method::HEAD;
        if !keeps {
            (sending.method, sending.body) = (Method::GET, None);
        }
        // Secrets are for the host that they were sent to.
        if next.origin() != sending.url.origin() {
            sending.headers.retain(|(name, _)| !["authorization", "cookie"].contains(&name.as_str()));
        }
        sending.url = next;
    }
    Err(FetchError::Failed(format!("more than {MAX_REDIRECTS} redirects")))
}

async fn read(answer: hyper::Response<deno_fetch::ResBody>) -> Result<Fetched, FetchError> {
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::Failed(error.to_string()))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > MAX_BODY {
                return Err(FetchError::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Fetched {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}
