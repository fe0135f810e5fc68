//! One request: to a line, to its handlers, or to the static files.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;

use hyper::body::Body as _;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::access_log::RequestLog;
use super::assets;
use super::browser_request::BrowserRequest;
use super::caller::{Caller, own_origin};
use super::completion::Completion;
use super::context::Context;
use super::dev_endpoint::{self, Document};
use super::reply::{Outgoing, Protocol, Reply, Upgrade, head_of};
use super::{Called, Worker, csrf, larc_endpoint, line_endpoint, requester};
use crate::browser::BrowserFiles;
use crate::ext::{Call, Mode, Show, Shown};
use crate::http::{
    Answer, AnswerBody, Audience, Conditions, Continuation, Handshake, ReceivedBody, RedirectPolicy,
    USER_PATH, asks_for_websocket, is_get_or_head, line_token, set_stream_headers, strict,
};
use crate::metrics;
use crate::router::{Node, NodeId, PageId, Step, segments};
use crate::trust::Requester;
use liveline_proto::http1::Flaw;
use liveline_proto::{Format, JoinError};

/// The reply to a request: there already, as most are, or still to come.
pub(super) enum Replying {
    Now(Reply),
    Later(Pin<Box<dyn Future<Output = Reply>>>),
}

/// Answers a request, which may have a flaw. It always does: an error is an answer, too.
pub(super) fn answer(
    context: &Rc<Context>,
    mut request: Request<ReceivedBody>,
    flaw: Option<Flaw>,
) -> Replying {
    context.monitor.requested(request.method(), request.uri());
    let browser = BrowserRequest::of(&request);
    let dev = context.worker.config.dev.as_ref();
    let document = dev.and_then(|dev| Document::requested(dev, &mut request));
    let mut responder = Responder {
        browser,
        log: RequestLog::begin(context, &request),
        metrics: RequestMetrics::of(context, &request),
        document,
    };
    let routed = match check(context, &mut request, flaw) {
        Ok(requester) => {
            responder.set_requester(requester);
            route(context, requester, request, &mut responder)
        }
        Err(refusal) => Routed::Answered((*refusal).into()),
    };
    match routed {
        routed if responder.document.is_some() => {
            let context = context.clone();
            Replying::Later(Box::pin(async move {
                let mut outgoing = match routed {
                    Routed::Answered(outgoing) => outgoing,
                    Routed::Waiting(outgoing) => outgoing.await,
                };
                if let Some(document) = &responder.document {
                    outgoing.answer = document.read(outgoing.answer).await;
                }
                responder.respond(&context, outgoing)
            }))
        }
        Routed::Answered(outgoing) => Replying::Now(responder.respond(context, outgoing)),
        Routed::Waiting(outgoing) => {
            let context = context.clone();
            Replying::Later(Box::pin(async move { responder.respond(&context, outgoing.await) }))
        }
    }
}

/// Whether a request may be served, and which client sent it.
fn check(
    context: &Context,
    request: &mut Request<ReceivedBody>,
    flaw: Option<Flaw>,
) -> Result<Requester, Box<Answer>> {
    let checked = flaw.map_or_else(|| strict::check(request), |flaw| Err(flaw.into()));
    checked.map_err(|error| Box::new(error.answer()))?;
    requester::of(context, request).map_err(|error| Box::new(error.answer()))
}

/// What every answer passes on its way out.
struct Responder {
    browser: Option<Box<BrowserRequest>>,
    log: RequestLog,
    metrics: Option<Box<RequestMetrics>>,
    /// In `dev`, the page that the browser is about to show.
    document: Option<Document>,
}

impl Responder {
    fn set_requester(&mut self, requester: Requester) {
        self.log.set_client(requester.address);
        if let Some(browser) = &mut self.browser {
            browser.requester = Some(requester);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.client = requester.address;
        }
    }

    fn respond(self, context: &Rc<Context>, outgoing: Outgoing) -> Reply {
        let Responder { browser, log, metrics, document } = self;
        let Outgoing { mut answer, protocol } = outgoing;
        let is_nothing = answer.status == StatusCode::NOT_FOUND && matches!(answer.body, AnswerBody::Empty);
        if let Some(metrics) = metrics.filter(|_| is_nothing).and_then(|metrics| metrics.answer(context)) {
            // Requests for metrics are not part of them.
            answer = metrics;
        } else {
            if let Some(browser) = browser {
                browser.complete(context, &mut answer);
            }
            let dev = context.worker.config.dev.as_ref();
            if let Some(dev) = dev.filter(|_| !context.worker.site.is_stand_in) {
                dev_endpoint::mark_stale(dev, &mut answer);
            }
            if let Some(document) = document {
                document.complete(&mut answer);
            }
            log.answered(context, &mut answer);
        }
        context.monitor.answered();
        reply(answer, protocol)
    }
}

fn reply(mut answer: Answer, protocol: Option<Protocol>) -> Reply {
    let continuation = answer.continuation.take();
    if let Some(Continuation::Carried(carrier)) = continuation {
        return Reply::Upgrade(Upgrade { head: head_of(&answer), protocol: Protocol::Carried(carrier) });
    }
    if let Some(Continuation::Stream(stream)) = continuation {
        set_stream_headers(&mut answer.headers, stream.format.media_type());
        let mut head = head_of(&answer);
        match stream.first.is_empty() {
            true => stream.format.begin(&mut head),
            false => head.extend_from_slice(&stream.first),
        }
        return Reply::Upgrade(Upgrade { head, protocol: Protocol::Stream(stream.line, stream.format) });
    }
    if let Some(protocol) = protocol {
        let mut head = head_of(&answer);
        if let Protocol::Events(_) = protocol {
            Format::Envelopes.begin(&mut head);
        }
        return Reply::Upgrade(Upgrade { head, protocol });
    }
    answer.drop_what_cannot_be_sent();
    let Answer { status, headers, extensions, body, .. } = answer;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    Reply::Respond(response)
}

/// A request for the host's metrics. In development they are served at this address, unless the site has something at
/// their path.
struct RequestMetrics {
    method: Method,
    headers: HeaderMap,
    client: IpAddr,
}

impl RequestMetrics {
    fn of(context: &Context, request: &Request<ReceivedBody>) -> Option<Box<RequestMetrics>> {
        let client = context.peer.address;
        let is_wanted = request.uri().path() == metrics::PATH
            && context.worker.config.mode == Mode::Development
            && client.is_loopback();
        let (method, headers) = (request.method(), request.headers());
        is_wanted
            .then(|| Box::new(RequestMetrics { method: method.clone(), headers: headers.clone(), client }))
    }

    fn answer(&self, context: &Context) -> Option<Answer> {
        let metrics = context.worker.config.metrics.as_ref()?;
        let is_local = self.client.is_loopback();
        is_local.then(|| assets::whole(metrics.answer(&self.method, &self.headers, self.client)))
    }
}

/// The answer to a request: there already, or still to come.
#[expect(
    clippy::large_enum_variant,
    reason = "most answers are there already, and a box would cost each an allocation"
)]
enum Routed {
    Answered(Outgoing),
    Waiting(Pin<Box<dyn Future<Output = Outgoing>>>),
}

impl From<Answer> for Routed {
    fn from(answer: Answer) -> Routed {
        Routed::Answered(answer.into())
    }
}

fn route(
    context: &Rc<Context>,
    requester: Requester,
    request: Request<ReceivedBody>,
    responder: &mut Responder,
) -> Routed {
    if larc_endpoint::covers(context, request.uri().path()) {
        let answer = larc_endpoint::answer(context.clone(), requester, request);
        return Routed::Waiting(Box::pin(async move { answer.await.into() }));
    }
    let request = match own_address(context, requester, request, responder.browser.as_deref()) {
        ControlFlow::Break(routed) => return routed,
        ControlFlow::Continue(request) => request,
    };
    let limit = context.worker.config.bodies.size;
    if request.body().size_hint().lower() > limit as u64 {
        return Answer::too_large(limit).into();
    }
    let path = request.uri().path();
    let routes = &context.worker.site.routes;
    let node = routes.resolve(path);
    let &Node { ref steps, own_page, .. } = routes.node(node);
    let page = page_at(&context.worker, node);
    let browser = responder.browser.as_deref();
    let for_page =
        browser.zip(page).and_then(|(browser, page)| Some((page, browser.show(routes.page(page)?))));
    let shown =
        Shown { page: for_page.map(|(page, _)| page.0), show: for_page.map_or(Show::Data, |(_, show)| show) };
    let wants_page = for_page.is_some() && is_get_or_head(request.method());
    let ends_at_page = own_page.is_some_and(|depth| segments(path).count() == depth as usize);
    if steps.is_empty() && !(ends_at_page && wants_page) && path != USER_PATH {
        let context = context.clone();
        return Routed::Waiting(Box::pin(async move {
            assets::file(&context.worker.site.files, request).await.into()
        }));
    }
    handle(context, requester, request, &mut responder.log, Target { node, steps, shown })
}

/// Answers requests to the host's own addresses. Continues with a request to the site's.
fn own_address(
    context: &Rc<Context>,
    requester: Requester,
    request: Request<ReceivedBody>,
    browser: Option<&BrowserRequest>,
) -> ControlFlow<Routed, Request<ReceivedBody>> {
    let worker = &context.worker;
    let path = request.uri().path();
    if strict::is_of_server(&request) {
        return ControlFlow::Break(Answer::empty(StatusCode::NO_CONTENT).into());
    }
    if let Some(dev) = &worker.config.dev {
        if dev_endpoint::covers(path) {
            let answer = dev_endpoint::answer(context.clone(), dev.clone(), requester, request);
            return ControlFlow::Break(Routed::Waiting(Box::pin(answer)));
        }
        if worker.site.is_stand_in {
            return ControlFlow::Break(dev_endpoint::broken(dev, request.headers()).into());
        }
    }
    if browser.is_some_and(BrowserRequest::is_navigation)
        && *request.method() == Method::GET
        && let Some(document) = assets::kept_document(&worker.config.documents, &request)
    {
        return ControlFlow::Break(document.into());
    }
    // An application may have files of these names at its root, and so may a folder without handlers, in which the
    // scripts would have nothing to do.
    let site = &worker.site;
    let is_free = |path: &str| {
        line_token(path).is_none()
            && (site.settings.is_application || (site.routes.handlers().is_empty() && site.files.hold(path)))
    };
    if BrowserFiles::cover(path) && is_get_or_head(request.method()) && !is_free(path) {
        let files = worker.browser.clone();
        return ControlFlow::Break(Routed::Waiting(Box::pin(async move {
            assets::browser_file(files, request).await.into()
        })));
    }
    if let Some(path) = path.strip_prefix(assets::BLANK_PAGES).filter(|path| path.starts_with('/')) {
        return ControlFlow::Break(assets::blank_page(&worker.site.routes, path, request.method()).into());
    }
    if let Some(path) = path.strip_prefix(assets::PAGE_PATH).filter(|path| path.starts_with('/')) {
        return ControlFlow::Break(assets::page_of(&worker.site.routes, path).into());
    }
    if path != USER_PATH
        && let Some(address) = line_token(path)
    {
        let (context, address) = (context.clone(), address.to_owned());
        return ControlFlow::Break(Routed::Waiting(Box::pin(async move {
            line_endpoint::answer(&context.worker.config, requester, &address, request).await
        })));
    }
    ControlFlow::Continue(request)
}

/// The page that browsers are shown for a node. An application answers them itself.
fn page_at(worker: &Worker, node: NodeId) -> Option<PageId> {
    worker.site.routes.node(node).page.filter(|_| !worker.site.settings.is_application)
}

/// Where a request goes in the tree of routes.
struct Target<'a> {
    node: NodeId,
    steps: &'a [Step],
    shown: Shown,
}

/// Runs the handlers for a request.
fn handle(
    context: &Rc<Context>,
    requester: Requester,
    request: Request<ReceivedBody>,
    log: &mut RequestLog,
    Target { node, steps, shown }: Target<'_>,
) -> Routed {
    let (worker, config) = (&context.worker, &context.worker.config);
    if csrf::is_forged(config, requester, request.method(), request.headers()) && worker.checks_csrf(steps) {
        return csrf::refusal().into();
    }
    // A page that may not use lines may not open a WebSocket either, and no handler runs for it.
    let mut handshake = None;
    if asks_for_websocket(request.method(), request.headers()) {
        let caller = Caller::of(config, requester, request.headers());
        let is_allowed = || config.hub.allows(caller.origin.as_deref(), caller.own.as_deref());
        if !worker.admits_all_origins(steps) && !is_allowed() {
            return line_endpoint::refusal(&caller, JoinError::Origin).into();
        }
        match Handshake::read(request.version(), request.headers()) {
            Ok(read) => handshake = Some(read),
            Err(error) => return Answer::from(error).into(),
        }
    }
    let (parts, body) = request.into_parts();
    if Audience::has_all(&parts) {
        return Answer::empty(StatusCode::NO_CONTENT).into();
    }
    let own = || own_origin(&config.trust, requester, &parts.headers);
    let completion = Completion {
        handshake,
        redirects: RedirectPolicy::of(&parts.headers, own),
        conditions: Conditions::of(&parts.method, &parts.headers),
        page: page_at(worker, node),
        is_get_or_head: is_get_or_head(&parts.method),
    };
    context.monitor.handlers_run();
    let called = worker.call(Call { parts, body, requester, shown }, node);
    context.monitor.handlers_yielded();
    let routes = &worker.site.routes;
    match called {
        Called::Answered(exchange, answer) => {
            log.exchange = Some(exchange);
            Routed::Answered(completion.complete(routes, answer))
        }
        Called::Waiting(exchange, waiting) => {
            log.exchange = Some(exchange);
            let routes = routes.clone();
            Routed::Waiting(Box::pin(async move { completion.complete(&routes, waiting.answer().await) }))
        }
    }
}
