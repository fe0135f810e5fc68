//! One request: to a line, to its handlers, or to the static files.

use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, VARY};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::connection::{Carried, Shared};
use super::csrf;
use super::dev::{self, Document};
use super::line::{self, Caller};
use super::note::Note;
use super::observed::ObservedBody;
use super::redirect::Told;
use super::requester;
use super::strict;
use super::upgrade::Handshake;
use crate::client::BrowserFiles;
use crate::engine::JoinError;
use crate::isolate::Called;
use crate::observe;
use crate::ops::{
    Answer, AnswerBody, Call, LINE_PATH, LineStream, Mode, SocketLine, asks_for_websocket, prefers_html,
};
use crate::router::{Conditions, Node, PageId, Routes, Verdict, segments};
use crate::trust::Requester;

/// The answer is not hyper's to write: the connection carries a line from here on.
#[derive(Debug, thiserror::Error)]
#[error("the connection carries a line")]
pub struct HandedOver;

type Answered = Result<Response<ObservedBody>, HandedOver>;

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
pub fn answer(shared: &Rc<Shared>, mut request: Request<Incoming>) -> Answering {
    shared.pace.asked();
    shared.progress.asked(request.method(), request.uri());
    shared.pending.set(shared.pending.get() + 1);
    let wants_html = is_look(request.method()) && prefers_html(request.headers());
    let document = shared.worker.settings.dev.as_ref().and_then(|dev| Document::asked(dev, &mut request));
    let mut exit = Exit {
        wants_html,
        note: Note::of(shared, &request),
        figures: Figures::asked(shared, &request),
        document,
    };
    let routed = match check(shared, &mut request) {
        Ok(requester) => {
            exit.note.is_from(requester.address);
            if let Some(figures) = &mut exit.figures {
                figures.here = requester.address;
            }
            route(shared, requester, request, wants_html, &mut exit.note)
        }
        Err(refusal) => Routed::Answered(*refusal),
    };
    match routed {
        routed if exit.document.is_some() => {
            let shared = shared.clone();
            Answering::Later(Box::pin(async move {
                let answer = match routed {
                    Routed::Answered(answer) => answer,
                    Routed::Waiting(answer) => answer.await,
                };
                let answer = match &exit.document {
                    Some(document) => document.read(answer).await,
                    None => answer,
                };
                exit.leave(&shared, answer)
            }))
        }
        Routed::Answered(answer) => Answering::Now(Some(exit.leave(shared, answer))),
        Routed::Waiting(answer) => {
            let shared = shared.clone();
            Answering::Later(Box::pin(async move { exit.leave(&shared, answer.await) }))
        }
    }
}

/// What every answer goes through on its way out.
struct Exit {
    wants_html: bool,
    note: Note,
    figures: Option<Box<Figures>>,
    /// A page for the browser to show, in `dev`.
    document: Option<Document>,
}

impl Exit {
    fn leave(self, shared: &Rc<Shared>, mut answer: Answer) -> Answered {
        shared.progress.answered();
        let Exit { wants_html, note, figures, document } = self;
        let is_nothing = answer.status == StatusCode::NOT_FOUND && matches!(answer.body, AnswerBody::Empty);
        if let Some(shown) = figures.filter(|_| is_nothing).and_then(|figures| figures.answer(shared)) {
            // Whoever looks is not counted.
            answer = shown;
        } else {
            if is_nothing && wants_html {
                answer = answer.with_not_found_page();
            }
            if let Some(dev) = shared.worker.settings.dev.as_ref().filter(|_| !shared.worker.site.is_stand_in)
            {
                dev::tell_stale(dev, &mut answer);
            }
            if let Some(document) = document {
                document.complete(&mut answer);
            }
            note.answered(shared, &mut answer);
        }
        shared.pending.set(shared.pending.get() - 1);
        shared.served.set(shared.served.get() + 1);
        if let Some(LineStream { line, format, first }) = answer.extensions.remove::<LineStream>() {
            line::carry(&mut answer.headers, format);
            let head = [head_of(&answer), first].concat();
            shared.carried.set(Some(Carried::Answer(line, format, head)));
            return Err(HandedOver);
        }
        match shared.carried.take() {
            Some(Carried::Events(seat, _)) => {
                shared.carried.set(Some(Carried::Events(seat, head_of(&answer))));
                return Err(HandedOver);
            }
            Some(Carried::Raw(line, _)) => {
                shared.carried.set(Some(Carried::Raw(line, head_of(&answer))));
                return Err(HandedOver);
            }
            Some(Carried::Dev(socket, _)) => {
                shared.carried.set(Some(Carried::Dev(socket, head_of(&answer))));
                return Err(HandedOver);
            }
            carried => shared.carried.set(carried),
        }
        let carried = shared.carried.take();
        let stays = carried.is_some();
        shared.carried.set(carried);
        answer.drop_what_cannot_be_sent();
        let Answer { status, headers, extensions, body, .. } = answer;
        let mut response = Response::new(ObservedBody { body, shared: shared.clone(), stays });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        *response.extensions_mut() = extensions;
        Ok(response)
    }
}

/// Whether a request may be served. hyper hands one on only when the one before is answered.
fn check(shared: &Shared, request: &mut Request<Incoming>) -> Result<Requester, Box<Answer>> {
    let checked = match shared.framing.borrow().unreadable(shared.served.get()) {
        Some(reason) => Err(reason.into()),
        None => strict::check(request),
    };
    checked.map_err(|refusal| Box::new(refusal.answer()))?;
    requester::of(shared, request).map_err(|unwelcome| Box::new(unwelcome.answer()))
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

/// A request for the host's figures. Who develops a site gets them here, unless the site has something at their path.
struct Figures {
    method: Method,
    headers: HeaderMap,
    /// Who asked.
    here: IpAddr,
}

impl Figures {
    fn asked(shared: &Shared, request: &Request<Incoming>) -> Option<Box<Figures>> {
        let asked = request.uri().path() == observe::PATH
            && shared.worker.settings.mode == Mode::Development
            && shared.peer.address.is_loopback();
        let (method, headers) = (request.method(), request.headers());
        let here = shared.peer.address;
        asked.then(|| Figures { method: method.clone(), headers: headers.clone(), here }.into())
    }

    fn answer(&self, shared: &Shared) -> Option<Answer> {
        let observer = shared.worker.settings.observer.as_ref()?;
        self.here.is_loopback().then(|| whole(observer.answer(&self.method, &self.headers, self.here)))
    }
}

/// Where a request went.
enum Routed {
    Answered(Answer),
    Waiting(Pin<Box<dyn Future<Output = Answer>>>),
}

fn route(
    shared: &Rc<Shared>,
    requester: Requester,
    request: Request<Incoming>,
    wants_html: bool,
    note: &mut Note,
) -> Routed {
    let worker = &shared.worker;
    let path = request.uri().path();
    if strict::is_of_server(&request) {
        return Routed::Answered(Answer::empty(StatusCode::NO_CONTENT));
    }
    if let Some(dev) = &worker.settings.dev {
        if dev::covers(path) {
            return Routed::Waiting(Box::pin(dev::answer(shared.clone(), dev.clone(), requester, request)));
        }
        if worker.site.is_stand_in {
            return Routed::Answered(dev::broken(dev, request.headers()));
        }
    }
    if BrowserFiles::cover(path) && is_look(request.method()) {
        return Routed::Waiting(Box::pin(browser_file(shared.clone(), request)));
    }
    if let Some(path) = path.strip_prefix(BLANK_PAGES).filter(|path| path.starts_with('/')) {
        return Routed::Answered(blank_page(&worker.site.routes, path, request.method()));
    }
    if let Some(token) = path.trim_start_matches('/').strip_prefix(LINE_PATH.trim_start_matches('/')) {
        let (shared, token) = (shared.clone(), token.to_owned());
        return Routed::Waiting(Box::pin(
            async move { line::answer(&shared, requester, &token, request).await },
        ));
    }
    if request.body().size_hint().lower() > worker.settings.limits.bodies.size as u64 {
        return Routed::Answered(Answer::too_large(worker.settings.limits.bodies.size));
    }
    let routes = &worker.site.routes;
    let node = routes.resolve(path);
    let &Node { ref steps, page, own_page, .. } = routes.node(node);
    let wanted = page.filter(|_| wants_html);
    let ends_at_page = own_page.is_some_and(|depth| segments(path).count() == depth as usize);
    if steps.is_empty() && !(ends_at_page && wanted.is_some()) {
        return Routed::Waiting(Box::pin(file(shared.clone(), request)));
    }
    if csrf::is_forged(shared, requester, request.method(), request.headers()) && worker.checks_csrf(steps) {
        return Routed::Answered(csrf::refusal());
    }
    // Whose page may not use lines gets no socket either, and the handler does not hear of it.
    let mut handshake = None;
    if asks_for_websocket(request.method(), request.headers()) {
        let caller = Caller::of(shared, requester, request.headers());
        if !worker.settings.hub.allows(caller.origin_and_own()) {
            return Routed::Answered(line::refusal(shared, JoinError::Origin));
        }
        match Handshake::read(request.version(), request.headers()) {
            Ok(read) => handshake = Some(read),
            Err(error) => return Routed::Answered(error.into()),
        }
    }
    let (parts, body) = request.into_parts();
    let own = || line::own_origin(shared, requester, &parts.headers);
    let (told, is_look) = (Told::asked(&parts.headers, own), is_look(&parts.method));
    let conditions = Conditions::of(&parts.method, &parts.headers);
    let asked = Asked { handshake, told, conditions, page, is_look };
    let call = Call { parts, body, requester, page: wanted.map(|page| page.0) };
    shared.progress.runs(true);
    let called = worker.call(call, node);
    shared.progress.runs(false);
    match called {
        Called::Answered(exchange, answer) => {
            note.exchange = Some(exchange);
            Routed::Answered(asked.complete(shared, routes, answer))
        }
        Called::Waiting(exchange, waiting) => {
            note.exchange = Some(exchange);
            let (shared, routes) = (shared.clone(), routes.clone());
            Routed::Waiting(Box::pin(async move { asked.complete(&shared, &routes, waiting.answer().await) }))
        }
    }
}

/// What of a request its answer still needs.
struct Asked {
    /// It asked for a WebSocket.
    handshake: Option<Handshake>,
    told: Option<Told>,
    conditions: Option<Conditions>,
    page: Option<PageId>,
    is_look: bool,
}

impl Asked {
    fn complete(self, shared: &Shared, routes: &Routes, mut answer: Answer) -> Answer {
        if let (Some(handshake), Some(SocketLine(line))) = (self.handshake, answer.extensions.remove()) {
            handshake.accept(&mut answer.headers);
            shared.carried.set(Some(Carried::Raw(line, Vec::new())));
            return answer;
        }
        let can_be_spared = answer.status == StatusCode::OK && !answer.is_live();
        let verdict = self.conditions.filter(|_| can_be_spared).map(|asked| asked.judge(&answer.headers));
        if let Some(status) = verdict.and_then(Verdict::status) {
            answer.status = status;
            answer.body = AnswerBody::Empty;
            if verdict == Some(Verdict::Failed) {
                // What was said of the body, and for how long that is so.
                for name in [CONTENT_TYPE, CONTENT_ENCODING, CACHE_CONTROL, EXPIRES] {
                    answer.headers.remove(name);
                }
            }
        }
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

/// Where service workers find the page of a route without a state.
const BLANK_PAGES: &str = "/.liveline/page";

/// The page of a path as it was written.
fn blank_page(routes: &Routes, path: &str, method: &Method) -> Answer {
    if !is_look(method) {
        return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let page = routes.node(routes.resolve(path)).page.and_then(|page| routes.page(page));
    let Some(page) = page else { return Answer::text(StatusCode::NOT_FOUND, "The route has no page.\n") };
    match page.blank() {
        Ok(blank) => {
            let html = [blank.before.as_str(), &blank.after].concat();
            let mut answer = Answer::empty(StatusCode::OK).with_page(html, None);
            answer.headers.insert(X_LIVE_PAGE, page.header.clone());
            answer
        }
        Err(error) => {
            tracing::error!("{error}");
            Answer::internal_error(None, false)
        }
    }
}

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
        Ok(Some(response)) => whole(response),
        Ok(None) => Answer::text(StatusCode::NOT_FOUND, "Browsers get no such module.\n"),
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}

fn whole(response: Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let body = AnswerBody::Data(body);
    let (status, headers, extensions) = (head.status, head.headers, head.extensions);
    Answer { status, headers, extensions, body, line_at: None }
}

/// A path without handlers: the static file, without entering JavaScript.
async fn file(shared: Rc<Shared>, request: Request<Incoming>) -> Answer {
    let files = &shared.worker.site.files;
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    match files.answer(request.method(), request.headers(), target).await {
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
