//! One request: to a line, to its handlers, or to the static files.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderName, HeaderValue, VARY};
use hyper::{Method, Request, Response, StatusCode};

use super::connection::{Carried, Shared};
use super::line;
use super::redirect::Told;
use crate::client::BrowserFiles;
use crate::isolate::Called;
use crate::ops::{Answer, AnswerBody, Call, LINE_PATH, LineStream, prefers_html};
use crate::router::{Node, PageId, Routes, segments};

/// The answer is not hyper's to write: the connection carries a line from here on.
#[derive(Debug, thiserror::Error)]
#[error("the connection carries a line")]
pub struct HandedOver;

type Answered = Result<Response<AnswerBody>, HandedOver>;

/// The answer to a request: there already, as most are, or still to come.
pub enum Answering {
    Now(Option<Answered>),
    Later(Pin<Box<dyn Future<Output = Answered>>>),
}

impl Future for Answering {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        match &mut *self {
            Answering::Now(answered) => {
                Poll::Ready(answered.take().expect("a future is polled to its end once"))
            }
            Answering::Later(answered) => answered.as_mut().poll(cx),
        }
    }
}

/// Answers a request. Always does: what goes wrong is an answer, too.
pub fn answer(shared: &Rc<Shared>, request: Request<Incoming>) -> Answering {
    shared.pending.set(shared.pending.get() + 1);
    let wants_html = is_look(request.method()) && prefers_html(request.headers());
    match route(shared, request, wants_html) {
        Routed::Answered(answer) => Answering::Now(Some(finish(shared, answer, wants_html))),
        Routed::Waiting(answer) => {
            let shared = shared.clone();
            Answering::Later(Box::pin(async move { finish(&shared, answer.await, wants_html) }))
        }
    }
}

/// What every answer goes through on its way out.
fn finish(shared: &Shared, mut answer: Answer, wants_html: bool) -> Answered {
    if wants_html && answer.status == StatusCode::NOT_FOUND && matches!(answer.body, AnswerBody::Empty) {
        answer = answer.with_not_found_page();
    }
    shared.pending.set(shared.pending.get() - 1);
    shared.served.set(shared.served.get() + 1);
    if let Some(LineStream { line, format, first }) = answer.extensions.remove::<LineStream>() {
        line::carry(&mut answer.headers, format);
        shared.carried.set(Some(Carried::Events(line, format, first)));
    }
    match shared.carried.take() {
        Some(Carried::Events(line, format, first)) => {
            let head = [head_of(&answer), first].concat();
            shared.carried.set(Some(Carried::Events(line, format, head)));
            return Err(HandedOver);
        }
        carried => shared.carried.set(carried),
    }
    let Answer { status, headers, extensions, body, .. } = answer;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    Ok(response)
}

/// The head of an answer on the wire (RFC 9112 section 2.1).
fn head_of(Answer { status, headers, .. }: &Answer) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Where a request went.
enum Routed {
    Answered(Answer),
    Waiting(Pin<Box<dyn Future<Output = Answer>>>),
}

fn route(shared: &Rc<Shared>, request: Request<Incoming>, wants_html: bool) -> Routed {
    let worker = &shared.worker;
    let path = request.uri().path();
    if BrowserFiles::cover(path) && is_look(request.method()) {
        return Routed::Waiting(Box::pin(browser_file(shared.clone(), request)));
    }
    if let Some(token) = path.trim_start_matches('/').strip_prefix(LINE_PATH.trim_start_matches('/')) {
        let (shared, token) = (shared.clone(), token.to_owned());
        return Routed::Waiting(Box::pin(async move { line::answer(&shared, &token, request).await }));
    }
    if request.body().size_hint().lower() > worker.settings.limits.body as u64 {
        return Routed::Answered(Answer::too_large(worker.settings.limits.body));
    }
    let routes = &worker.site.routes;
    let node = routes.resolve(path);
    let &Node { ref steps, page, own_page, .. } = routes.node(node);
    let wanted = page.filter(|_| wants_html);
    let ends_at_page = own_page.is_some_and(|depth| segments(path).count() == depth as usize);
    if steps.is_empty() && !(ends_at_page && wanted.is_some()) {
        return Routed::Waiting(Box::pin(file(shared.clone(), request)));
    }
    let (parts, body) = request.into_parts();
    let asked = Asked { told: Told::asked(&parts.headers), page, is_look: is_look(&parts.method) };
    let call = Call { parts, body, peer: shared.peer.ip(), page: wanted.map(|page| page.0) };
    match worker.call(call, node) {
        Called::Answered(answer) => Routed::Answered(asked.complete(routes, answer)),
        Called::Waiting(waiting) => {
            let routes = routes.clone();
            Routed::Waiting(Box::pin(async move { asked.complete(&routes, waiting.answer().await) }))
        }
    }
}

/// What of a request its answer still needs.
struct Asked {
    told: Option<Told>,
    page: Option<PageId>,
    is_look: bool,
}

impl Asked {
    fn complete(&self, routes: &Routes, mut answer: Answer) -> Answer {
        if let Some(told) = &self.told {
            told.apply(&mut answer);
        }
        // Files of `public/` are what they are for everybody.
        let page = self.page.filter(|_| !matches!(answer.body, AnswerBody::File(_)));
        if let Some(page) = page.and_then(|page| routes.page(page)) {
            answer.headers.insert(X_LIVE_PAGE, page.header.clone());
            if self.is_look {
                answer.headers.append(VARY, HeaderValue::from_static("Accept"));
            }
        }
        answer
    }
}

/// Which page belongs to the route, so that a client can tell whether it shows it already.
const X_LIVE_PAGE: HeaderName = HeaderName::from_static("x-live-page");

/// Whether a request only looks at what is there.
fn is_look(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// What browsers run of the host's own.
async fn browser_file(shared: Rc<Shared>, request: Request<Incoming>) -> Answer {
    let files = shared.worker.site.browser.clone();
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    // Bundles are made when they are first asked for.
    let found = tokio::task::spawn_blocking(move || Some(files.find(&path)?.answer(&headers))).await;
    match found {
        Ok(Some(response)) => {
            let (head, body) = response.into_parts();
            let body = AnswerBody::Data(body);
            let (status, headers, extensions) = (head.status, head.headers, head.extensions);
            Answer { status, headers, extensions, body, line_at: None }
        }
        Ok(None) => Answer::text(StatusCode::NOT_FOUND, "Browsers get no such module.\n"),
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}

/// A path without handlers: the static file, without entering JavaScript.
async fn file(shared: Rc<Shared>, request: Request<Incoming>) -> Answer {
    let files = &shared.worker.site.files;
    match files.answer(request.method(), request.headers(), request.uri().path()).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            Answer {
                status: head.status,
                headers: head.headers,
                extensions: head.extensions,
                body: AnswerBody::file(body),
                line_at: None,
            }
        }
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}
