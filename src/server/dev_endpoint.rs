//! What `liveline dev` adds: the script in pages, its WebSocket, opening files in the editor, and the errors of code that
//! does not load.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, ORIGIN,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::caller::own_origin;
use super::context::Context;
use super::reply::{Outgoing, Protocol};
use crate::browser::{Origin, origin_in};
use crate::dev::editor::{self, EditorPlace};
use crate::dev::{Dev, PATH, SCRIPT, SiteVersion, Socket, inject};
use crate::http::{
    Answer, AnswerBody, Chunk, Handshake, ReceivedBody, asks_for_websocket, prefers_html, prefers_json,
};
use crate::random;
use crate::trust::Requester;
use liveline_compiler::Diagnostic;

/// Bytes of a page that is a file. A larger one stays without the script.
const MAX_PAGE: u64 = 16 << 20;

/// Bytes of a request that the script sends.
const MAX_REQUEST: usize = 64 << 10;

/// The suffix of the ETag of a page with the script. The script contains the moment, so the page changes with each save.
fn mark_of(at: &SiteVersion) -> String {
    format!(".dev.{}.{}", &at.run[..at.run.len().min(8)], at.saves)
}

/// The error of the code that was saved, in answers of the code before.
const X_STALE: HeaderName = HeaderName::from_static("x-liveline-stale");

/// The addresses at which service workers get pages to show documents in.
const PAGES_OF_WORKERS: &str = "/.liveline/page/";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a path is one of the addresses of `dev`.
pub(super) fn covers(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to such an address.
pub(super) async fn answer(
    context: Rc<Context>,
    dev: Arc<Dev>,
    requester: Requester,
    request: Request<ReceivedBody>,
) -> Outgoing {
    let path = request.uri().path();
    let answer = match (request.method().as_str(), &path[PATH.len()..]) {
        ("GET", "") => {
            return listen(&context, &dev, requester, &request).unwrap_or_else(|answer| (*answer).into());
        }
        ("GET" | "HEAD", "/page.js") => script(),
        ("POST", "/open") if !is_local(&context, requester) => Answer::text(
            StatusCode::FORBIDDEN,
            "Only who sits at this machine can open files in its editor.\n",
        ),
        ("POST", "/open" | "/source") if !is_own_page(&context, requester, request.headers()) => {
            Answer::text(StatusCode::FORBIDDEN, "Only a page of this site may ask for that.\n")
        }
        ("POST", "/open") => match json(request).await {
            Some(asked) => open(&dev, &asked),
            None => Answer::text(StatusCode::BAD_REQUEST, "Say which place, as JSON.\n"),
        },
        ("POST", "/source") => match json(request).await {
            Some(asked) => source(&context, asked).await,
            None => Answer::text(StatusCode::BAD_REQUEST, "Say which place, as JSON.\n"),
        },
        _ => Answer::text(StatusCode::NOT_FOUND, "There is nothing here for developers.\n"),
    };
    answer.into()
}

/// Opens the WebSocket on which a page receives the messages of `dev`.
fn listen(
    context: &Context,
    dev: &Arc<Dev>,
    requester: Requester,
    request: &Request<ReceivedBody>,
) -> Result<Outgoing, Box<Answer>> {
    let headers = request.headers();
    if !asks_for_websocket(request.method(), headers) {
        let mut answer =
            Answer::text(StatusCode::UPGRADE_REQUIRED, "Pages in development connect a WebSocket here.\n");
        answer.headers.insert(hyper::header::UPGRADE, HeaderValue::from_static("websocket"));
        return Err(answer.into());
    }
    if !is_own_page(context, requester, headers) {
        return Err(Answer::text(StatusCode::FORBIDDEN, "Only a page of this site may listen.\n").into());
    }
    let handshake = Handshake::read(request.version(), headers).map_err(|error| Box::new(error.into()))?;
    let Some(socket) = Socket::open(dev) else {
        let text = "Too many pages listen already.\n";
        return Err(Answer::text(StatusCode::SERVICE_UNAVAILABLE, text).into());
    };
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    handshake.accept(&mut answer.headers);
    Ok(Outgoing::upgrade(answer, Protocol::Dev(socket)))
}

fn script() -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript;charset=UTF-8"));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.body = AnswerBody::Data(Bytes::from_static(SCRIPT.as_bytes()));
    answer
}

/// Whether the client is on this machine, also if a proxy names it.
fn is_local(context: &Context, requester: Requester) -> bool {
    context.peer.address.is_loopback() && requester.address.is_loopback()
}

/// Whether a page of this site sent the request: the answers show source, and a request starts a program.
fn is_own_page(context: &Context, requester: Requester, headers: &HeaderMap) -> bool {
    let is_declared = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let own = own_origin(&context.worker.config.trust, requester, headers);
    let is_same = origin.zip(own).is_some_and(|(origin, own)| {
        // Where the scheme of the site is not known, it is not compared.
        let bare =
            if own.contains("://") { Some(origin) } else { origin.split_once("://").map(|(_, rest)| rest) };
        bare.is_some_and(|origin| origin.eq_ignore_ascii_case(&own))
    });
    is_declared && is_same
}

/// The JSON of a request. No form of another site can send that type.
async fn json(request: Request<ReceivedBody>) -> Option<Value> {
    let kind = request.headers().get(CONTENT_TYPE)?;
    if !kind.as_bytes().starts_with(b"application/json") {
        return None;
    }
    let body = http_body_util::Limited::new(request.into_body(), MAX_REQUEST).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

fn open(dev: &Dev, asked: &Value) -> Answer {
    let place = asked["place"].as_str().map(EditorPlace::parse);
    let Some(place) = place else { return Answer::text(StatusCode::BAD_REQUEST, "Say which place.\n") };
    match place.within(&dev.folders).and_then(|place| editor::open(&place)) {
        Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
        Err(error) => Answer::text(StatusCode::NOT_IMPLEMENTED, format!("{error}\n")),
    }
}

/// The source places of frames of a stack in the browser, with the lines around each.
async fn source(context: &Rc<Context>, asked: Value) -> Answer {
    let browser = context.worker.browser.clone();
    let public = context.worker.config.layout.public.clone();
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

/// How many frames of a stack are looked up.
const MAX_FRAMES: usize = 32;

/// The answer to every request while no code has loaded.
pub(super) fn broken(dev: &Dev, headers: &HeaderMap) -> Answer {
    let broken = dev.broken();
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    if prefers_html(headers) {
        return Answer::empty(status).with_page(broken.page, None);
    }
    if prefers_json(headers) {
        let mut answer = Answer::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.body = AnswerBody::Data(json!({ "error": broken.errors.first() }).to_string().into());
        return answer;
    }
    Answer::text(status, format!("{}\n", broken.text))
}

/// Adds the error of the code that was saved to an answer of the code that serves.
pub(super) fn mark_stale(dev: &Dev, answer: &mut Answer) {
    let Some(text) = dev.stale() else { return };
    let text: String =
        text.chars().map(|it| if it.is_ascii_graphic() { it } else { ' ' }).take(300).collect();
    if let Ok(value) = HeaderValue::try_from(text) {
        answer.headers.insert(X_STALE, value);
    }
}

/// A page that the browser will show, and that gets the script.
pub(super) struct Document {
    host: String,
    /// When it was requested.
    at: SiteVersion,
    /// It is the answer to a form.
    is_posted: bool,
}

impl Document {
    /// The document that a request is for, if it is for one. Removes the suffix from the ETags of the request.
    pub(super) fn requested(dev: &Dev, request: &mut Request<ReceivedBody>) -> Option<Document> {
        let is_document =
            is_document(request.headers()) || request.uri().path().starts_with(PAGES_OF_WORKERS);
        if *request.method() == Method::HEAD || !is_document {
            return None;
        }
        let (at, is_posted) = (dev.version(), *request.method() != Method::GET);
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
        // A tag without the suffix is that of a page without the script.
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

    /// Reads a page that is a file, so that the script can be inserted.
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

    /// Inserts the script into a page.
    pub(super) fn complete(&self, answer: &mut Answer) {
        let headers = &mut answer.headers;
        // The browser knows the page by the tag with the suffix.
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

/// A random nonce, which allows one script in one answer.
fn fresh_nonce() -> String {
    random::hexadecimal(&random::bytes::<16>())
}

/// Adds the suffix to the ETag of a page.
fn mark(headers: &mut HeaderMap, at: &SiteVersion) {
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).and_then(|tag| tag.strip_suffix('"'));
    let marked = tag.map(|tag| HeaderValue::try_from(format!("{tag}{}\"", mark_of(at))));
    if let Some(Ok(marked)) = marked {
        headers.insert(ETAG, marked);
    }
}

/// Whether the browser will show the answer, as far as its headers show.
fn is_document(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).map(HeaderValue::as_bytes);
    match (value(SEC_FETCH_DEST), value(SEC_FETCH_MODE)) {
        (Some(b"document" | b"iframe" | b"frame"), _) | (_, Some(b"navigate")) => true,
        // Older browsers, and pages without TLS, send `Accept` only.
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

/// A stream with the script in its first chunk.
fn first_with_script(mut chunks: mpsc::Receiver<Chunk>, script: String) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_local(async move {
        let mut is_first = true;
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                // Closes `chunks`, so that their source notices that the client left.
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
