//! One request: to a line, to its handlers, or to the static files.

use std::convert::Infallible;
use std::rc::Rc;

use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Response, StatusCode};

use super::connection::Shared;
use super::upgrade;
use crate::client::BrowserFiles;
use crate::isolate::CallError;
use crate::ops::{Answer, AnswerBody, Call, LINE_PATH};

/// Answers a request. Always does: what goes wrong is an answer, too.
pub async fn answer(
    shared: Rc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    shared.pending.set(shared.pending.get() + 1);
    let Answer { status, headers, extensions, body } = route(&shared, request).await;
    shared.pending.set(shared.pending.get() - 1);
    shared.served.set(shared.served.get() + 1);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    Ok(response)
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Answer {
    let worker = &shared.worker;
    let path = request.uri().path();
    if BrowserFiles::cover(path) && matches!(*request.method(), Method::GET | Method::HEAD) {
        return browser_file(shared, &request).await;
    }
    if let Some(token) = path.trim_start_matches('/').strip_prefix(LINE_PATH.trim_start_matches('/')) {
        return upgrade::join(shared, token, &request);
    }
    if request.body().size_hint().lower() > worker.settings.limits.body as u64 {
        return Answer::too_large(worker.settings.limits.body);
    }
    let node = worker.site.routes.resolve(path);
    if worker.site.routes.node(node).steps.is_empty() {
        return file(shared, &request).await;
    }
    let (parts, body) = request.into_parts();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    match worker.call(Call { parts, body, peer: shared.peer.ip() }, node).await {
        Ok(answer) => answer,
        Err(CallError::TimedOut) => {
            let limit = worker.settings.limits.answer;
            tracing::error!("{method} {}: no answer within {limit:?}", uri.path());
            Answer::text(StatusCode::GATEWAY_TIMEOUT, "The handler did not answer in time.\n")
        }
        Err(CallError::Lost) => Answer::internal_error(None, false),
    }
}

/// What browsers run of the host's own.
async fn browser_file(shared: &Shared, request: &Request<Incoming>) -> Answer {
    let files = shared.worker.site.browser.clone();
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    // Bundles are made when they are first asked for.
    let found = tokio::task::spawn_blocking(move || Some(files.find(&path)?.answer(&headers))).await;
    match found {
        Ok(Some(response)) => {
            let (head, body) = response.into_parts();
            let body = AnswerBody::Data(body);
            Answer { status: head.status, headers: head.headers, extensions: head.extensions, body }
        }
        Ok(None) => Answer::text(StatusCode::NOT_FOUND, "Browsers get no such module.\n"),
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}

/// A path without handlers: the static file, without entering JavaScript.
async fn file(shared: &Shared, request: &Request<Incoming>) -> Answer {
    let files = &shared.worker.site.files;
    match files.answer(request.method(), request.headers(), request.uri().path()).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            Answer {
                status: head.status,
                headers: head.headers,
                extensions: head.extensions,
                body: AnswerBody::file(body),
            }
        }
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}
