//! One request: to a line, to its handlers, or to the static files.

use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPIRES,
    HeaderName, HeaderValue, SET_COOKIE, VARY,
};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use super::Called;
use super::connection::{Carried, Shared};
use super::csrf;
use super::dev::{self, Document};
use super::line::{self, Caller};
use super::note::Note;
use super::observed::ObservedBody;
use super::requester;
use super::upgrade::Handshake;
use crate::browser::BrowserFiles;
use crate::ext::{Call, Mode, Show, Shown, SocketLine};
use crate::http::{
    Answer, AnswerBody, Audience, Conditions, Html, KeptDocument, KeptDocuments, LINE_PATH, LineStream,
    Nature, Told, USER_PATH, Verdict, X_REDIRECT_CODE, asks_for_websocket, lists, prefers_html, strict,
};
use crate::metrics;
use crate::router::{Layer, Node, Page, PageId, Routes, segments};
use crate::trust::Requester;
use liveline_proto::Format;
use liveline_proto::JoinError;

/// The answer is not hyper's to write: the connection carries a line from here on.
#[derive(Debug, thiserror::Error)]
#[error("the connection carries a line")]
pub(super) struct HandedOver;

type Answered = Result<Response<ObservedBody>, HandedOver>;

/// The answer to a request: there already, as most are, or still to come.
pub(super) enum Answering {
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
pub(super) fn answer(shared: &Rc<Shared>, mut request: Request<Incoming>) -> Answering {
    shared.pace.asked();
    shared.progress.asked(request.method(), request.uri());
    shared.pending.set(shared.pending.get() + 1);
    let audience = Viewer::of(&request);
    let document = shared.worker.settings.dev.as_ref().and_then(|dev| Document::asked(dev, &mut request));
    let mut exit = Exit {
        audience,
        note: Note::of(shared, &request),
        figures: Figures::asked(shared, &request),
        document,
    };
    let routed = match check(shared, &mut request) {
        Ok(requester) => {
            exit.note.is_from(requester.address);
            if let Some(audience) = &mut exit.audience {
                audience.requester = Some(requester);
            }
            if let Some(figures) = &mut exit.figures {
                figures.here = requester.address;
            }
            route(shared, requester, request, exit.audience.as_deref(), &mut exit.note)
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
    audience: Option<Box<Viewer>>,
    note: Note,
    figures: Option<Box<Figures>>,
    /// A page for the browser to show, in `dev`.
    document: Option<Document>,
}

impl Exit {
    fn leave(self, shared: &Rc<Shared>, mut answer: Answer) -> Answered {
        shared.progress.answered();
        let Exit { audience, note, figures, document } = self;
        let is_nothing = answer.status == StatusCode::NOT_FOUND && matches!(answer.body, AnswerBody::Empty);
        if let Some(shown) = figures.filter(|_| is_nothing).and_then(|figures| figures.answer(shared)) {
            // Whoever looks is not counted.
            answer = shown;
        } else {
            if let Some(audience) = audience {
                audience.serve(shared, &mut answer);
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
            let mut head = head_of(&answer);
            match first.is_empty() {
                true => format.begin(&mut head),
                false => head.extend_from_slice(&first),
            }
            shared.carried.set(Some(Carried::Answer(line, format, head)));
            return Err(HandedOver);
        }
        match shared.carried.take() {
            Some(Carried::Events(seat, _)) => {
                let mut head = head_of(&answer);
                Format::Envelopes.begin(&mut head);
                shared.carried.set(Some(Carried::Events(seat, head)));
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

/// A browser, or a page of the app that asks for data. Either shows people whatever the answer is.
struct Viewer {
    uri: Uri,
    is_look: bool,
    /// The page that is shown already, if a page of the app asks.
    shown: Option<HeaderValue>,
    /// Who asks, once that is known.
    requester: Option<Requester>,
}

impl Viewer {
    /// None for programs, which get the answer and nothing else.
    fn of(request: &Request<Incoming>) -> Option<Box<Viewer>> {
        let wants_html = prefers_html(request.headers());
        let shown = request.headers().get(X_LIVE_PAGE).filter(|_| !wants_html).cloned();
        let (uri, is_look) = (request.uri().clone(), is_look(request.method()));
        (wants_html || shown.is_some()).then(|| Box::new(Viewer { uri, is_look, shown, requester: None }))
    }

    /// How a state of a page is to leave.
    fn show(&self, page: &Page) -> Show {
        match &self.shown {
            None => Show::Page,
            Some(shown) if *shown == page.header => Show::Data,
            Some(_) => Show::Both,
        }
    }

    /// Gives people a page about what went wrong, and keeps what a page of the app cannot show.
    fn serve(self, shared: &Shared, answer: &mut Answer) {
        if answer.is_failure() && answer.document.is_none() {
            let page = shared.worker.error_page(self.uri.path(), answer);
            let text = page.unwrap_or_else(|| answer.plain_error_page());
            if self.shown.is_some() {
                answer.document = Some(Box::new(Html { text, line_at: None }));
            } else {
                *answer = std::mem::replace(answer, Answer::empty(StatusCode::OK)).with_page(text, None);
            }
            if self.is_look && !lists(&answer.headers, VARY, |name| name.eq_ignore_ascii_case("accept")) {
                answer.headers.append(VARY, HeaderValue::from_static("Accept"));
            }
        }
        if let Some(document) = self.document(answer) {
            self.keep(shared, answer, document);
        }
    }

    /// The answer as a document, where the page that asked cannot show it and cannot ask for it again.
    fn document(&self, answer: &mut Answer) -> Option<KeptDocument> {
        let shown = self.shown.as_ref()?;
        let is_shown = answer.nature == Nature::State && answer.headers.get(X_LIVE_PAGE) == Some(shown);
        let status = answer.status;
        let is_none = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT].contains(&status);
        let leads = status.is_redirection() || answer.headers.contains_key(X_REDIRECT_CODE);
        if is_shown || is_none || leads || status.is_informational() {
            return None;
        }
        let mut headers = answer.headers.clone();
        for own in [SET_COOKIE, CONTENT_LENGTH, CONNECTION] {
            headers.remove(own);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = match (answer.document.take(), &mut answer.body) {
            (Some(page), _) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8"));
                AnswerBody::Data(page.text.into())
            }
            (None, AnswerBody::Empty) => AnswerBody::Empty,
            (None, AnswerBody::Data(data)) => AnswerBody::Data(data.clone()),
            // What only looks is asked for again.
            (None, AnswerBody::Stream(..) | AnswerBody::File(_)) if self.is_look => return None,
            (None, body) => std::mem::replace(body, AnswerBody::Empty),
        };
        Some(KeptDocument { status, headers, body })
    }

    fn keep(&self, shared: &Shared, answer: &mut Answer, document: KeptDocument) {
        let settings = &shared.worker.settings;
        let requester = self.requester.unwrap_or_else(|| Requester::of(&shared.peer));
        let is_secure = settings.trust.is_secure(requester.is_secure);
        let kept = settings.documents.keep(&self.uri, requester.address, document, is_secure, Instant::now());
        if let Some(cookie) = kept {
            answer.headers.append(SET_COOKIE, cookie);
            answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// The document that a browser was promised as the answer to what a page of the app asked.
fn kept(shared: &Shared, request: &Request<Incoming>) -> Option<Answer> {
    let documents = &shared.worker.settings.documents;
    let KeptDocument { status, headers, body } =
        documents.take(request.uri(), request.headers(), Instant::now())?;
    let mut answer = Answer::empty(status);
    answer.headers = headers;
    answer.headers.append(SET_COOKIE, KeptDocuments::forget());
    answer.body = body;
    // Whatever its status is, it is what the browser is to show.
    answer.nature = Nature::State;
    Some(answer)
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
        let asked = request.uri().path() == metrics::PATH
            && shared.worker.settings.mode == Mode::Development
            && shared.peer.address.is_loopback();
        let (method, headers) = (request.method(), request.headers());
        let here = shared.peer.address;
        asked.then(|| Figures { method: method.clone(), headers: headers.clone(), here }.into())
    }

    fn answer(&self, shared: &Shared) -> Option<Answer> {
        let metrics = shared.worker.settings.metrics.as_ref()?;
        self.here.is_loopback().then(|| whole(metrics.answer(&self.method, &self.headers, self.here)))
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
    audience: Option<&Viewer>,
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
    if audience.is_some_and(|it| it.shown.is_none())
        && *request.method() == Method::GET
        && let Some(document) = kept(shared, &request)
    {
        return Routed::Answered(document);
    }
    if BrowserFiles::cover(path) && is_look(request.method()) {
        return Routed::Waiting(Box::pin(browser_file(shared.clone(), request)));
    }
    if let Some(path) = path.strip_prefix(BLANK_PAGES).filter(|path| path.starts_with('/')) {
        return Routed::Answered(blank_page(&worker.site.routes, path, request.method()));
    }
    if let Some(path) = path.strip_prefix(PAGE_PATH).filter(|path| path.starts_with('/')) {
        return Routed::Answered(page_of(&worker.site.routes, path));
    }
    if path != USER_PATH
        && let Some(token) = path.trim_start_matches('/').strip_prefix(LINE_PATH.trim_start_matches('/'))
    {
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
    let for_page =
        audience.zip(page).and_then(|(audience, page)| Some((page, audience.show(routes.page(page)?))));
    let shown =
        Shown { page: for_page.map(|(page, _)| page.0), show: for_page.map_or(Show::Data, |(_, show)| show) };
    let wanted = for_page.filter(|_| is_look(request.method()));
    let ends_at_page = own_page.is_some_and(|depth| segments(path).count() == depth as usize);
    if steps.is_empty() && !(ends_at_page && wanted.is_some()) && path != USER_PATH {
        return Routed::Waiting(Box::pin(file(shared.clone(), request)));
    }
    if csrf::is_forged(shared, requester, request.method(), request.headers()) && worker.checks_csrf(steps) {
        return Routed::Answered(csrf::refusal());
    }
    // Whose page may not use lines gets no socket either, and the handler does not hear of it.
    let mut handshake = None;
    if asks_for_websocket(request.method(), request.headers()) {
        let caller = Caller::of(shared, requester, request.headers());
        let liveline_proto::Caller { origin, host, .. } = caller.of_line();
        if !worker.settings.hub.engine().allows(origin, host) {
            return Routed::Answered(line::refusal(shared, &caller, JoinError::Origin));
        }
        match Handshake::read(request.version(), request.headers()) {
            Ok(read) => handshake = Some(read),
            Err(error) => return Routed::Answered(error.into()),
        }
    }
    let (parts, body) = request.into_parts();
    if Audience::has_all(&parts) {
        return Routed::Answered(Answer::empty(StatusCode::NO_CONTENT));
    }
    let own = || line::own_origin(shared, requester, &parts.headers);
    let (told, is_look) = (Told::asked(&parts.headers, own), is_look(&parts.method));
    let conditions = Conditions::of(&parts.method, &parts.headers);
    let asked = Asked { handshake, told, conditions, page, is_look };
    let call = Call { parts, body, requester, shown };
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
        // Ranges come after conditions.
        let can_be_spared =
            matches!(answer.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && !answer.is_live();
        let verdict = self.conditions.filter(|_| can_be_spared).map(|asked| asked.judge(&answer.headers));
        if let Some(status) = verdict.and_then(Verdict::status) {
            answer.status = status;
            answer.body = AnswerBody::Empty;
            answer.headers.remove(CONTENT_LENGTH);
            answer.headers.remove(CONTENT_RANGE);
            answer.nature = Nature::Own;
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
            if answer.nature == Nature::State {
                answer.headers.insert(X_LIVE_PAGE, page.header.clone());
            }
            if self.is_look {
                answer.headers.append(VARY, HeaderValue::from_static("Accept"));
            }
        }
        answer
    }
}

/// Where pages and service workers ask which page belongs to a path, which stands after this.
const PAGE_PATH: &str = "/.liveline/page";

fn page_of(routes: &Routes, path: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(page) = routes.page_of(path) {
        answer.headers.insert(X_LIVE_PAGE, page.header.clone());
    }
    answer
}

/// Of an answer: the page that shows this state, so that a client can tell whether that is there already. Of a request:
/// the page that is there.
const X_LIVE_PAGE: HeaderName = HeaderName::from_static("x-live-page");

/// Where service workers find the page of a route without a state.
const BLANK_PAGES: &str = "/.liveline/blank";

/// The page of a path as it was written. Handlers that guard a route are not asked, so only sites with a service worker
/// give pages away like this.
fn blank_page(routes: &Routes, path: &str, method: &Method) -> Answer {
    if !is_look(method) {
        return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let has_worker = routes.handlers().iter().any(|handler| handler.layer == Layer::Worker);
    let page =
        routes.node(routes.resolve(path)).page.filter(|_| has_worker).and_then(|page| routes.page(page));
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
    let files = shared.worker.browser.clone();
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    // A file is compressed when it is first requested, which takes a while.
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
    let mut answer = Answer::empty(head.status);
    (answer.headers, answer.extensions) = (head.headers, head.extensions);
    answer.body = AnswerBody::Data(body);
    answer
}

/// A path without handlers: the static file, without entering JavaScript.
async fn file(shared: Rc<Shared>, request: Request<Incoming>) -> Answer {
    let files = &shared.worker.site.files;
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    match files.answer(request.method(), request.headers(), target).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let mut answer = Answer::empty(head.status);
            (answer.headers, answer.extensions) = (head.headers, head.extensions);
            answer.body = AnswerBody::file(body);
            answer
        }
        Err(error) => {
            tracing::error!("{}: {error}", request.uri().path());
            Answer::internal_error(None, false)
        }
    }
}
