//! What `liveline dev` adds to answers: the script in pages, the socket that it listens to, the way to the editor, and
//! what is wrong with code that does not load.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, ORIGIN,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::connection::{Carried, Shared};
use super::line;
use super::upgrade::Handshake;
use crate::browser::{Origin, origin_in};
use crate::dev::editor::{self, Place};
use crate::dev::{Dev, Moment, PATH, SCRIPT, Socket, inject};
use crate::http::{Answer, AnswerBody, Chunk, asks_for_websocket, prefers_html};
use crate::trust::Requester;
use liveline_compiler::Diagnostic;

/// A page of a file that is larger stays without the script.
const MAX_PAGE: u64 = 16 << 20;

/// What a page asks of the host is short.
const MAX_ASKED: usize = 64 << 10;

/// What the tag of a page ends with that has the script in it. That knows of a moment, so the page is another one after
/// each save.
fn mark_of(at: &Moment) -> String {
    format!(".dev.{}.{}", &at.run[..at.run.len().min(8)], at.saves)
}

/// Says that the answer is of the code before, and what is wrong with that which was saved.
const X_STALE: HeaderName = HeaderName::from_static("x-liveline-stale");

/// Where service workers get pages that they show documents in.
const PAGES_OF_WORKERS: &str = "/.liveline/page/";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a path is one of these.
pub(super) fn covers(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to one of them.
pub(super) async fn answer(
    shared: Rc<Shared>,
    dev: Arc<Dev>,
    requester: Requester,
    request: Request<Incoming>,
) -> Answer {
    let path = request.uri().path();
    match (request.method().as_str(), &path[PATH.len()..]) {
        ("GET", "") => listen(&shared, &dev, requester, &request),
        ("GET" | "HEAD", "/page.js") => script(),
        ("POST", "/open") if !is_local(&shared, requester) => Answer::text(
            StatusCode::FORBIDDEN,
            "Only who sits at this machine can open files in its editor.\n",
        ),
        ("POST", "/open" | "/source") if !is_own_page(&shared, requester, request.headers()) => {
            Answer::text(StatusCode::FORBIDDEN, "Only a page of this site may ask for that.\n")
        }
        ("POST", "/open") => match asked(request).await {
            Some(asked) => open(&dev, &asked),
            None => Answer::text(StatusCode::BAD_REQUEST, "Say which place, as JSON.\n"),
        },
        ("POST", "/source") => match asked(request).await {
            Some(asked) => source(&shared, asked).await,
            None => Answer::text(StatusCode::BAD_REQUEST, "Say which place, as JSON.\n"),
        },
        _ => Answer::text(StatusCode::NOT_FOUND, "There is nothing here for developers.\n"),
    }
}

/// The page listens from now on.
fn listen(shared: &Shared, dev: &Arc<Dev>, requester: Requester, request: &Request<Incoming>) -> Answer {
    let headers = request.headers();
    if !asks_for_websocket(request.method(), headers) {
        let mut answer =
            Answer::text(StatusCode::UPGRADE_REQUIRED, "Pages in development connect a WebSocket here.\n");
        answer.headers.insert(hyper::header::UPGRADE, HeaderValue::from_static("websocket"));
        return answer;
    }
    if !is_own_page(shared, requester, headers) {
        return Answer::text(StatusCode::FORBIDDEN, "Only a page of this site may listen.\n");
    }
    let handshake = match Handshake::read(request.version(), headers) {
        Ok(handshake) => handshake,
        Err(error) => return error.into(),
    };
    let Some(socket) = Socket::open(dev) else {
        return Answer::text(StatusCode::SERVICE_UNAVAILABLE, "Too many pages listen already.\n");
    };
    shared.carried.set(Some(Carried::Dev(socket, Vec::new())));
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    handshake.accept(&mut answer.headers);
    answer
}

fn script() -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript;charset=UTF-8"));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.body = AnswerBody::Data(Bytes::from_static(SCRIPT.as_bytes()));
    answer
}

/// Whether who asks is at this machine, also by the word of a proxy.
fn is_local(shared: &Shared, requester: Requester) -> bool {
    shared.peer.address.is_loopback() && requester.address.is_loopback()
}

/// Whether a page of this very site asks: what it gets shows source, and what it does starts a program.
fn is_own_page(shared: &Shared, requester: Requester, headers: &HeaderMap) -> bool {
    let is_said = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let own = line::own_origin(shared, requester, headers);
    let is_same = origin.zip(own).is_some_and(|(origin, own)| {
        // Where nobody says by which scheme the page came, that makes no difference.
        let bare =
            if own.contains("://") { Some(origin) } else { origin.split_once("://").map(|(_, rest)| rest) };
        bare.is_some_and(|origin| origin.eq_ignore_ascii_case(&own))
    });
    is_said && is_same
}

/// The JSON of a request, which no form of another site can send.
async fn asked(request: Request<Incoming>) -> Option<Value> {
    let kind = request.headers().get(CONTENT_TYPE)?;
    if !kind.as_bytes().starts_with(b"application/json") {
        return None;
    }
    let body = http_body_util::Limited::new(request.into_body(), MAX_ASKED).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

fn open(dev: &Dev, asked: &Value) -> Answer {
    let place = asked["place"].as_str().map(Place::parse);
    let Some(place) = place else { return Answer::text(StatusCode::BAD_REQUEST, "Say which place.\n") };
    match place.within(&dev.folders).and_then(|place| editor::open(&place)) {
        Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
        Err(error) => Answer::text(StatusCode::NOT_IMPLEMENTED, format!("{error}\n")),
    }
}

/// Where frames of a stack in the browser stand in the files that they were made of, and the lines around the first.
async fn source(shared: &Rc<Shared>, asked: Value) -> Answer {
    let browser = shared.worker.browser.clone();
    let public = shared.worker.settings.layout.public.clone();
    let found = tokio::task::spawn_blocking(move || {
        let frames = asked["frames"].as_array().map(Vec::as_slice).unwrap_or_default();
        let places = frames.iter().take(MAX_FRAMES).map(|frame| {
            let path = frame["path"].as_str()?;
            let number = |name: &str| frame[name].as_u64().and_then(|it| usize::try_from(it).ok());
            let (line, column) = (number("line")?, number("column")?);
            let own = browser.origin_of(path, line, column);
            own.or_else(|| origin_in(public.as_deref()?, path, line, column))
        });
        let report = |(file, line, column): Origin| Diagnostic::at("", file, line, column).to_report();
        json!(places.map(|place| place.map_or(Value::Null, report)).collect::<Vec<_>>())
    });
    let found = found.await.unwrap_or(Value::Null);
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.body = AnswerBody::Data(found.to_string().into());
    answer
}

/// More frames tell nobody more.
const MAX_FRAMES: usize = 32;

/// The answer to every request while no code has loaded.
pub(super) fn broken(dev: &Dev, headers: &HeaderMap) -> Answer {
    let broken = dev.broken();
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    if prefers_html(headers) {
        return Answer::empty(status).with_page(broken.page, None);
    }
    if Answer::prefers_json(headers) {
        let mut answer = Answer::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.body = AnswerBody::Data(json!({ "error": broken.errors.first() }).to_string().into());
        return answer;
    }
    Answer::text(status, format!("{}\n", broken.text))
}

/// Says in an answer of code that serves on that what was saved since does not load.
pub(super) fn tell_stale(dev: &Dev, answer: &mut Answer) {
    let Some(text) = dev.stale() else { return };
    let text: String =
        text.chars().map(|it| if it.is_ascii_graphic() { it } else { ' ' }).take(300).collect();
    if let Ok(value) = HeaderValue::try_from(text) {
        answer.headers.insert(X_STALE, value);
    }
}

/// A page that the browser will show by itself, and that gets the script.
pub(super) struct Document {
    host: String,
    /// When it was asked for.
    at: Moment,
    /// It is what a form is answered with.
    is_posted: bool,
}

impl Document {
    /// Whether a request is for one. What it says of pages that the browser has is read without the mark.
    pub(super) fn asked(dev: &Dev, request: &mut Request<Incoming>) -> Option<Document> {
        let is_document =
            is_document(request.headers()) || request.uri().path().starts_with(PAGES_OF_WORKERS);
        if *request.method() == Method::HEAD || !is_document {
            return None;
        }
        let (at, is_posted) = (dev.moment(), *request.method() != Method::GET);
        let mark = mark_of(&at);
        let headers = request.headers_mut();
        let known: Vec<String> = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|tag| {
                tag.trim().strip_suffix('"')?.strip_suffix(&*mark).map(|tag| format!("{tag}\""))
            })
            .collect();
        // What has no mark is a page without the script.
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
        if let Ok(known) = HeaderValue::try_from(known.join(", "))
            && !known.is_empty()
        {
            headers.insert(IF_NONE_MATCH, known);
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        Some(Document { host, at, is_posted })
    }

    /// Reads a page that is a file, so that the script can be put in.
    pub(super) async fn read(&self, mut answer: Answer) -> Answer {
        if !is_page(&answer) || !matches!(answer.body, AnswerBody::File(_)) {
            return answer;
        }
        let size =
            answer.headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse::<u64>().ok());
        if size.is_none_or(|size| size > MAX_PAGE) {
            return answer;
        }
        let file = std::mem::replace(&mut answer.body, AnswerBody::Empty);
        match file.collect().await {
            Ok(read) => {
                answer.body = AnswerBody::Data(read.to_bytes());
                answer
            }
            Err(error) => {
                tracing::error!("a page could not be read: {error}");
                Answer::internal_error(None, false)
            }
        }
    }

    /// Puts the script into a page.
    pub(super) fn complete(&self, answer: &mut Answer) {
        let headers = &mut answer.headers;
        // The page that is there has the tag that it was sent with.
        if answer.status == StatusCode::NOT_MODIFIED {
            return mark(headers, &self.at);
        }
        if !is_page(answer) {
            return;
        }
        let headers = &mut answer.headers;
        let policies: Vec<String> = headers
            .get_all(CONTENT_SECURITY_POLICY)
            .iter()
            .filter_map(|policy| policy.to_str().ok().map(str::to_owned))
            .collect();
        let known: Vec<&str> = policies.iter().map(String::as_str).collect();
        let nonce = inject::nonce(&known);
        let nonce_to_allow = nonce.clone().unwrap_or_else(fresh_nonce);
        let is_needed = !policies.is_empty();
        headers.remove(CONTENT_SECURITY_POLICY);
        for policy in &policies {
            let policy = inject::allowing(policy, &nonce_to_allow, &self.host);
            if let Ok(policy) = HeaderValue::try_from(policy) {
                headers.append(CONTENT_SECURITY_POLICY, policy);
            }
        }
        let script = inject::script(&self.at, self.is_posted, is_needed.then_some(&*nonce_to_allow));
        let body = std::mem::replace(&mut answer.body, AnswerBody::Empty);
        answer.body = match body {
            AnswerBody::Data(html) if inject::is_readable(&html) => {
                AnswerBody::Data(inject::with_script(&html, &script).into())
            }
            AnswerBody::Stream(chunks, _) => AnswerBody::Stream(first_with_script(chunks, script), None),
            other => {
                answer.body = other;
                return;
            }
        };
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        headers.remove(LAST_MODIFIED);
        mark(headers, &self.at);
    }
}

/// Allows one script of one answer, and nobody can guess it.
fn fresh_nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Tells the tag of a page with the script from that of the page without.
fn mark(headers: &mut HeaderMap, at: &Moment) {
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).and_then(|tag| tag.strip_suffix('"'));
    let marked = tag.map(|tag| HeaderValue::try_from(format!("{tag}{}\"", mark_of(at))));
    if let Some(Ok(marked)) = marked {
        headers.insert(ETAG, marked);
    }
}

/// Whether the browser will show what comes, as far as its headers tell.
fn is_document(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).map(HeaderValue::as_bytes);
    match (value(SEC_FETCH_DEST), value(SEC_FETCH_MODE)) {
        (Some(b"document" | b"iframe" | b"frame"), _) | (_, Some(b"navigate")) => true,
        // Older browsers, and pages that did not come by TLS, say only what they would like to have.
        (None, None) => prefers_html(headers),
        _ => false,
    }
}

/// Whether an answer is a page that can be read.
fn is_page(answer: &Answer) -> bool {
    let kind = answer.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_html = kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
    let is_whole =
        answer.status != StatusCode::PARTIAL_CONTENT && !answer.headers.contains_key(CONTENT_ENCODING);
    is_html && is_whole && !matches!(answer.body, AnswerBody::Empty)
}

/// The same stream with the script in its first chunk.
fn first_with_script(mut chunks: mpsc::Receiver<Chunk>, script: String) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_local(async move {
        let mut is_first = true;
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                // Whoever writes it has to hear that the client left.
                () = sender.closed() => return,
            };
            let chunk = match chunk {
                Some(Chunk::Data(html)) if is_first && !html.is_empty() => {
                    is_first = false;
                    match inject::is_readable(&html) {
                        true => Chunk::Data(inject::with_script(&html, &script).into()),
                        false => Chunk::Data(html),
                    }
                }
                Some(chunk) => chunk,
                None => return,
            };
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    });
    receiver
}
