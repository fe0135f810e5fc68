//! The hub for pages of LARC: a WebSocket at `/ws`, events at `/sse` and `/api/events`, and messages by POST to each.
//!
//! An `EventSource` ends for good at any answer but 200 and 204, and a page of LARC has no other. So a stream that cannot
//! be served now is an empty one, which its client asks for again, and one that may not be served is 204.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap,
    HeaderValue, SEC_WEBSOCKET_PROTOCOL, VARY,
};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::context::Context;
use super::line_endpoint;
use crate::config::Config;
use crate::ext::{Mode, topic_carry};
use crate::http::{
    Answer, AnswerBody, Handshake, Nature, ReceivedBody, asks_for_websocket, set_stream_headers, within,
};
use crate::random;
use crate::topics::{self, Feed, Incoming, PageHub, PageSession, PageSubscription, Verdict, Wire};
use crate::trust::Requester;
use liveline_proto::larc::{self, Publish, User};
use liveline_proto::topic::{Encoding, Publication, TopicError};
use liveline_proto::{JoinError, network};

/// The addresses of the hub.
const PATHS: [&str; 3] = ["/ws", "/sse", "/api/events"];

/// The methods of the hub.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// The topic by which `_hub.js` decides on pages that connect.
const CONNECT: &str = "connect";

/// Milliseconds after which a client asks again for a stream that cannot be served now.
const ASKS_AGAIN_AFTER: &str = "retry: 5000\n\n";

/// Whether the hub answers at a path. A route of the site at the path always has it; one above it, unless the hub was
/// asked for.
pub(super) fn covers(context: &Context, path: &str) -> bool {
    if !PATHS.contains(&path) {
        return false;
    }
    let (config, routes) = (&context.worker.config, &context.worker.site.routes);
    let node = routes.node(routes.resolve(path));
    let is_claimed = match config.pages.is_asked_for() {
        true => node.steps.iter().any(|step| step.depth > 0),
        false => !node.steps.is_empty(),
    };
    let looks = || topics::looks_like_larc(config.layout.public.as_deref());
    !is_claimed && config.pages.is_on(looks)
}

/// Answers a request to an address of the hub.
pub(super) async fn answer(
    context: Rc<Context>,
    requester: Requester,
    request: Request<ReceivedBody>,
) -> Answer {
    let config = &context.worker.config;
    let caller = Caller::of(config, requester, request.headers());
    let is_allowed = is_allowed(config, &caller, requester);
    // Until `_hub.js` is loaded, it cannot be asked.
    let is_broken = context.worker.site.is_stand_in && !config.pages.gate().is_there();
    let page = Page { config, requester, caller: &caller, is_allowed, is_broken };
    let method = request.method().clone();
    let mut answer = match method {
        Method::GET if asks_for_websocket(&method, request.headers()) => page.connect(&request).await,
        Method::GET => page.follow(&request).await,
        Method::HEAD => {
            let mut answer = Answer::empty(StatusCode::OK);
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            answer
        }
        Method::OPTIONS => preflight(request.headers()),
        Method::POST => page.publish(request).await,
        _ => {
            let mut answer = refused(StatusCode::METHOD_NOT_ALLOWED, "the hub knows GET and POST");
            answer.headers.insert(ALLOW, METHODS);
            answer
        }
    };
    answer.headers.append(VARY, HeaderValue::from_static("Origin"));
    if is_allowed && let Some(origin) = request_origin(&caller) {
        answer.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    answer
}

fn request_origin(caller: &Caller) -> Option<HeaderValue> {
    caller.origin.as_deref().and_then(|origin| HeaderValue::from_str(origin).ok())
}

/// Whether a page of this origin may use the hub: one of the site, one that was allowed, and in development one of this
/// machine.
fn is_allowed(config: &Config, caller: &Caller, requester: Requester) -> bool {
    let Some(origin) = caller.origin.as_deref() else { return !caller.is_cross_origin };
    if config.hub.allows(Some(origin), caller.own.as_deref()) {
        return true;
    }
    let is_local = || {
        let host =
            origin.split_once("://").map(|(_, rest)| rest.rsplit_once(':').map_or(rest, |(host, _)| host));
        host.is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
    };
    config.mode == Mode::Development && requester.address.is_loopback() && is_local()
}

/// The answer that permits what a page wants to send.
fn preflight(headers: &HeaderMap) -> Answer {
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    answer.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    let wanted = headers.get("access-control-request-headers").cloned();
    let wanted = wanted.unwrap_or(HeaderValue::from_static("content-type, last-event-id"));
    answer.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    answer.headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}

/// An answer that describes an error to a program.
fn refused(status: StatusCode, error: &str) -> Answer {
    json_answer(status, &json!({ "ok": false, "error": error }))
}

fn json_answer(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Answer::empty(status);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.body = AnswerBody::Data(body.to_string().into());
    answer.nature = Nature::Own;
    answer
}

/// A stream that ends at once; its client asks again.
fn later(reason: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    set_stream_headers(&mut answer.headers, "text/event-stream");
    answer.body = AnswerBody::Data(format!(": {reason}\n{ASKS_AGAIN_AFTER}").into());
    answer
}

/// A page that sends a request.
struct Page<'a> {
    config: &'a Config,
    requester: Requester,
    caller: &'a Caller,
    is_allowed: bool,
    is_broken: bool,
}

/// The parameters of an address.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: Option<&str>) -> Query {
        Query(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }
}

impl Page<'_> {
    fn hub(&self) -> &PageHub {
        &self.config.pages
    }

    /// The page follows what its address names.
    fn subscription(&self, query: &Query, headers: &HeaderMap) -> (PageSubscription, Option<String>) {
        let header = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
        let after = header.or(query.get("lastEventId")).map(str::to_owned);
        let topics = query.get("topics").unwrap_or_default();
        let (topics, invalid) = PageSubscription::patterns(topics);
        let invalid = invalid.map(|error| error.to_string());
        (PageSubscription { topics, after, origin: None }, invalid)
    }

    /// The user, as far as the address has one. Two tabs with one token belong to one user.
    fn user(&self, query: &Query, connection: u64) -> User {
        /// The longest name, in bytes.
        const LONGEST: usize = 128;
        let short = |name: &str| query.get(name).filter(|name| name.len() <= LONGEST).map(str::to_owned);
        let name = short("name");
        if let Some(id) = short("userId").or_else(|| short("user")) {
            return User::new(&id, name.as_deref());
        }
        if let Some(token) = query.get("token") {
            let digest = Sha256::digest(token.as_bytes());
            let id = random::hexadecimal(&digest[..6]);
            return User::new(&format!("user-{id}"), Some(name.as_deref().unwrap_or("User")));
        }
        let id = format!("guest-{connection}");
        User::new(&id, Some(name.as_deref().unwrap_or(&format!("Guest {connection}"))))
    }

    /// What `_hub.js` receives about the page.
    fn context<B>(
        &self,
        request: &Request<B>,
        query: &Query,
        transport: &str,
        connection: u64,
    ) -> topics::Caller {
        let headers: serde_json::Map<String, serde_json::Value> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
            .collect();
        let search: serde_json::Map<String, serde_json::Value> =
            query.0.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let context = json!({
            "connection": connection,
            "transport": transport,
            "path": request.uri().path(),
            "query": search,
            "token": query.get("token"),
            "origin": self.caller.origin,
            "address": self.requester.address.to_string(),
            "headers": headers,
        });
        context.to_string().into()
    }

    /// Opens a WebSocket.
    async fn connect<B>(&self, request: &Request<B>) -> Answer {
        let headers = request.headers();
        if !self.is_allowed {
            return line_endpoint::refusal(self.caller, JoinError::Origin);
        }
        let handshake = match Handshake::read(request.version(), headers) {
            Ok(handshake) => handshake,
            Err(error) => return error.into(),
        };
        if self.is_broken {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "the site's code does not load");
        }
        let query = Query::of(request.uri().query());
        let (mut subscription, invalid) = self.subscription(&query, headers);
        if let Some(error) = invalid {
            return refused(StatusCode::BAD_REQUEST, &error);
        }
        let hub = self.hub();
        let connection = hub.topics().connection();
        subscription.origin = query.get("echo").is_none().then_some(connection);
        let mut user = (self.user(&query, connection), false);
        let mut context = None;
        if hub.gate().is_there() {
            let about = self.context(request, &query, "websocket", connection);
            let wanted = json!({ "userId": &*user.0.id, "name": &*user.0.name }).to_string();
            match hub.gate().ask(about.clone(), CONNECT.to_owned(), wanted).await {
                Verdict::Pass => {}
                Verdict::Replace(named) => match known_user(&named) {
                    Some(known) => user = (known, true),
                    None => tracing::warn!("_hub.js: what is returned for connect has `userId`, a string"),
                },
                Verdict::Drop => return refused(StatusCode::FORBIDDEN, "the site refuses this page"),
                Verdict::Refuse(reason) => return refused(StatusCode::FORBIDDEN, &reason),
            }
            context = Some(about);
        }
        let subscriber = match PageSession::subscriber(hub, &subscription) {
            Ok(subscriber) => subscriber,
            Err(error) => return refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        };
        let page = PageSession::new(hub, connection, user, subscription, context);
        let network = network(self.requester.address);
        let incoming = Incoming { limit: self.config.connections.frame, network };
        let offered = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok());
        let protocol = offered.and_then(|offered| offered.split(',').next()?.trim().parse().ok());
        let feed = Feed { subscriber, wire: Wire::Page { page: Box::new(page), incoming }, presence: None };
        let mut answer = topic_carry::socket(feed, protocol);
        handshake.accept(&mut answer.headers);
        answer
    }

    /// Follows messages as server-sent events.
    async fn follow<B>(&self, request: &Request<B>) -> Answer {
        if !self.is_allowed {
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        if self.is_broken {
            return later("the site's code does not load");
        }
        let query = Query::of(request.uri().query());
        let (mut subscription, invalid) = self.subscription(&query, request.headers());
        if let Some(error) = &invalid
            && subscription.topics.is_empty()
        {
            tracing::debug!("a stream of the hub was refused: {error}");
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        let hub = self.hub();
        let connection = hub.topics().connection();
        if hub.gate().is_there() {
            let context = self.context(request, &query, "events", connection);
            let patterns = query.get("topics").unwrap_or("*");
            let topics: Vec<&str> = larc::topics_of(patterns).collect();
            let wanted = json!({ "topics": topics }).to_string();
            match hub.gate().ask(context, "subscribe".to_owned(), wanted).await {
                Verdict::Pass => {}
                Verdict::Replace(wanted) => match subscribed(&wanted) {
                    Some(topics) => (subscription.topics, _) = PageSubscription::patterns(&topics.join(" ")),
                    None => tracing::warn!("_hub.js: what is returned for subscribe has `topics`, a list"),
                },
                Verdict::Drop | Verdict::Refuse(_) => return Answer::empty(StatusCode::NO_CONTENT),
            }
        }
        let is_named = match query.get("events") {
            Some(events) => events == "named",
            None => request.uri().path() == "/api/events",
        };
        let encoding = if is_named { Encoding::NamedEvent } else { Encoding::SharedEvent };
        match PageSession::subscriber(hub, &subscription) {
            Ok(subscriber) => {
                topic_carry::events(Feed { subscriber, wire: Wire::Events(encoding), presence: None })
            }
            Err(error) => later(&error.to_string()),
        }
    }

    /// Publishes a message: JSON, whatever its media type.
    async fn publish(&self, request: Request<ReceivedBody>) -> Answer {
        if !self.is_allowed {
            let text = "pages of another origin publish only if the server was started with --allow-origin";
            return refused(StatusCode::FORBIDDEN, text);
        }
        if self.is_broken {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "the site's code does not load");
        }
        let query = Query::of(request.uri().query());
        let connection = self.hub().topics().connection();
        let context =
            self.hub().gate().is_there().then(|| self.context(&request, &query, "post", connection));
        let body = match self.body(request).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        match self.publish_all(&body, context).await {
            Ok(answer) => answer,
            Err((status, error)) => refused(status, &error),
        }
    }

    async fn body(&self, request: Request<ReceivedBody>) -> Result<Bytes, Answer> {
        let (bodies, timeout) = (&self.config.bodies, self.config.isolate.answer);
        let mut held = bodies.budget.begin(self.requester.address, Instant::now());
        let limit = self.config.connections.frame;
        let read = line_endpoint::read(request.into_body(), limit, &mut held);
        match within(Instant::now() + timeout, read).await {
            Some(Ok(bytes)) => Ok(bytes.into()),
            Some(Err(answer)) if answer.status == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(refused(answer.status, &format!("a message has at most {limit} bytes")))
            }
            Some(Err(answer)) => Err(answer),
            None => Err(refused(StatusCode::REQUEST_TIMEOUT, "the message did not come in time")),
        }
    }

    async fn publish_all(
        &self,
        body: &Bytes,
        context: Option<topics::Caller>,
    ) -> Result<Answer, (StatusCode, String)> {
        let bad = |error: String| (StatusCode::BAD_REQUEST, error);
        let text = std::str::from_utf8(body).map_err(|_| bad("a message is JSON in UTF-8".to_owned()))?;
        let (_, request) = larc::read(text).map_err(|error| bad(error.to_string()))?;
        let larc::Request::Publish(Publish { topic, data, retain, id }) = request else {
            return Err(bad(
                "only messages are sent by POST; documents and presence need a WebSocket".to_owned()
            ));
        };
        let mut data = data.to_owned();
        if let Some(context) = context {
            match self.hub().gate().ask(context, topic.to_string(), data.clone()).await {
                Verdict::Pass => {}
                Verdict::Replace(replaced) => data = replaced,
                Verdict::Drop => return Ok(json_answer(StatusCode::OK, &json!({ "ok": true, "id": null }))),
                Verdict::Refuse(reason) => return Err((StatusCode::FORBIDDEN, reason)),
            }
        }
        let publication = Publication { key: id.as_deref(), retains: retain, ..Publication::default() };
        let published = self.hub().publish(&topic, &data, publication);
        let id = published.map_err(|error| {
            let status = match error {
                TopicError::Name(_) | TopicError::NotJson(_) => StatusCode::BAD_REQUEST,
                TopicError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, error.to_string())
        })?;
        Ok(json_answer(StatusCode::OK, &json!({ "ok": true, "id": id.to_string() })))
    }
}

/// The user that `_hub.js` returned.
fn known_user(json: &str) -> Option<User> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "userId")]
        id: String,
        name: Option<String>,
    }
    let known: Known = serde_json::from_str(json).ok()?;
    (!known.id.is_empty()).then(|| User::new(&known.id, known.name.as_deref()))
}

fn subscribed(json: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Subscribed {
        topics: Vec<String>,
    }
    Some(serde_json::from_str::<Subscribed>(json).ok()?.topics)
}
