//! HTTP answers.

use hyper::StatusCode;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, UPGRADE,
};
use hyper::http::Extensions;

use super::{AnswerBody, Carrier, LineStream, spare};
use liveline_compiler::{Diagnostic, ERROR_HEAD, escaped as html_escaped};
use liveline_proto::LineId;

/// An HTTP answer without its connection.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: AnswerBody,
    /// In a page: the position in the body for the address of a line.
    pub line_at: Option<usize>,
    pub nature: Nature,
    /// The answer as a document, where a page that shows another one gets the answer itself.
    pub document: Option<Box<Html>>,
    /// What follows the head in place of the body.
    pub continuation: Option<Continuation>,
}

/// What follows the head of an answer on its connection.
#[derive(Debug)]
pub(crate) enum Continuation {
    /// The WebSocket that the handler answered with.
    WebSocket(LineId),
    /// The events of the line that the answer opened.
    Stream(Box<LineStream>),
    /// Something that leaves HTTP with the connection.
    Carried(Carrier),
}

/// What a browser does with an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Shows it as it is, as a document, an image or a download; or there is none.
    Own,
    /// Shows it in the page of the route: it is a state.
    State,
    /// Shows the site's error page in its place: it only describes an error.
    Failure,
}

/// A page as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Html {
    pub text: String,
    /// The position for the address of a line.
    pub line_at: Option<usize>,
}

impl Html {
    fn insert_line(&mut self, address: &str) {
        if let Some(at) = self.line_at.take() {
            self.text.insert_str(at, &line_meta(address));
        }
    }
}

/// The element with the address of a page's line.
fn line_meta(address: &str) -> String {
    format!(r#"<meta name="X-Live-Session" content="{address}">"#)
}

impl Answer {
    /// An answer without a body or a type.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        Answer::with_headers(status, spare::headers())
    }

    pub(super) fn with_headers(status: StatusCode, headers: HeaderMap) -> Answer {
        let (body, nature, extensions) = (AnswerBody::Empty, Nature::Own, Extensions::default());
        Answer {
            status,
            headers,
            extensions,
            body,
            line_at: None,
            nature,
            document: None,
            continuation: None,
        }
    }

    /// A plain sentence. With the status of an error it describes the error.
    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
        let mut answer = Answer::empty(status);
        answer.headers.insert(CONTENT_TYPE, TEXT);
        answer.body = AnswerBody::Data(text.into().into());
        if is_error(status) {
            answer.nature = Nature::Failure;
        }
        answer
    }

    /// Whether it only describes an error.
    pub(crate) fn is_failure(&self) -> bool {
        let is_empty_error = is_error(self.status) && matches!(self.body, AnswerBody::Empty);
        self.nature == Nature::Failure || (is_empty_error && self.nature == Nature::Own)
    }

    /// The sentence that describes the error, for the error page.
    pub(crate) fn complaint(&self) -> String {
        let is_text = self.headers.get(CONTENT_TYPE) == Some(&TEXT);
        let own = match &self.body {
            AnswerBody::Data(text) if is_text && self.status != StatusCode::INTERNAL_SERVER_ERROR => {
                std::str::from_utf8(text).unwrap_or_default().trim()
            }
            _ => "",
        };
        let usual = match self.status {
            StatusCode::NOT_FOUND => "There is no such page here.",
            StatusCode::METHOD_NOT_ALLOWED => "This address does not answer such requests.",
            status if status.is_server_error() => "Something went wrong here. Please try again later.",
            _ => "The request could not be answered.",
        };
        if own.is_empty() { usual } else { own }.to_owned()
    }

    /// A page that describes the error, for sites without an error page, and what may be the reason.
    pub(crate) fn plain_error_page(&self, reasons: &[Diagnostic]) -> String {
        plain_page(self.status, &self.complaint(), &Diagnostic::sections(reasons))
    }

    /// With a page as its body; `line_at` is the position for the address of a line.
    pub(crate) fn with_page(mut self, html: String, line_at: Option<usize>) -> Answer {
        self.headers.insert(CONTENT_TYPE, HTML);
        self.body = AnswerBody::Data(html.into());
        self.line_at = line_at;
        self
    }

    /// Whether it has the address of a line.
    pub(crate) fn is_live(&self) -> bool {
        self.headers.contains_key(LINE_HEADER)
    }

    /// Drops the body where the status does not allow one (RFC 9110 sections 15.2, 15.3.5, 15.3.6 and 15.4.5): its client
    /// would read it as the next answer.
    pub(crate) fn drop_what_cannot_be_sent(&mut self) {
        const BODILESS: [StatusCode; 3] =
            [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
        if self.status.is_informational() || BODILESS.contains(&self.status) {
            self.body = AnswerBody::Empty;
            self.headers.remove(CONTENT_LENGTH);
        }
    }

    /// Inserts the address of its line into a page.
    pub(crate) fn insert_line(&mut self, address: &str) {
        if let (Some(at), AnswerBody::Data(html)) = (self.line_at.take(), &self.body) {
            let meta = line_meta(address);
            self.body = AnswerBody::Data([&html[..at], meta.as_bytes(), &html[at..]].concat().into());
        }
        if let Some(document) = &mut self.document {
            document.insert_line(address);
        }
    }

    /// A page that describes the error of a handler, with its source.
    pub(crate) fn error_page(diagnostic: &Diagnostic) -> Answer {
        Answer::empty(StatusCode::INTERNAL_SERVER_ERROR).with_page(diagnostic.to_html(), None)
    }

    /// The answer to a body over the limit.
    pub(crate) fn too_large(limit: usize) -> Answer {
        let text = format!("The request's body is larger than the limit of {limit} bytes.\n");
        Answer::text(StatusCode::PAYLOAD_TOO_LARGE, text).last()
    }

    /// The answer where the budget for requests' bodies is used up.
    pub(crate) fn too_busy() -> Answer {
        let text = "The server is receiving as much as it can: try again in a moment.\n";
        let mut answer = Answer::text(StatusCode::SERVICE_UNAVAILABLE, text).last();
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    /// With the header that ends its connection.
    pub(crate) fn last(mut self) -> Answer {
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }

    /// The answer where a handler asked the user something and the client cannot show it (RFC 9110 section 15.5.22).
    pub(crate) fn needs_live_client() -> Answer {
        let text = "The handler has a question for the user, which takes a live client: a browser, or a request with \
                    `X-Accept-Live: *` that joins the answer's line. `Accept: text/event-stream` works as well.\n";
        let mut answer = Answer::text(StatusCode::UPGRADE_REQUIRED, text);
        answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer
    }

    /// The answer where a handler serves a WebSocket and the request asks for none.
    pub(crate) fn needs_websocket() -> Answer {
        let mut answer =
            Answer::text(StatusCode::UPGRADE_REQUIRED, "A WebSocket is served here; connect one.\n");
        answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer
    }

    /// The answer for a visitor who may not have more lines.
    pub(crate) fn too_many_lines() -> Answer {
        let text = "Too many live lines are open for you. Close some, or try again later.\n";
        Answer::text(StatusCode::TOO_MANY_REQUESTS, text)
    }

    /// The answer for a handler that failed; `diagnostic` is what the client may read of it.
    pub(crate) fn internal_error(diagnostic: Option<&Diagnostic>, json: bool) -> Answer {
        const MESSAGE: &str = "Internal Server Error";
        if !json {
            let text = diagnostic.map_or_else(|| MESSAGE.to_owned(), ToString::to_string);
            return Answer::text(StatusCode::INTERNAL_SERVER_ERROR, text + "\n");
        }
        let error = diagnostic.map_or_else(|| serde_json::json!({ "message": MESSAGE }), Diagnostic::to_json);
        let mut answer = Answer::empty(StatusCode::INTERNAL_SERVER_ERROR);
        answer.headers.insert(CONTENT_TYPE, JSON);
        answer.body = AnswerBody::Data(serde_json::json!({ "error": error }).to_string().into());
        answer.nature = Nature::Failure;
        answer
    }
}

/// The address of an answer's line.
pub(crate) const LINE_HEADER: HeaderName = HeaderName::from_static("x-live-session");

pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html;charset=UTF-8");

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// A page with one sentence, and more HTML below it.
fn plain_page(status: StatusCode, text: &str, more: &str) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let (code, text) = (status.as_u16(), html_escaped(text));
    format!(
        "<!DOCTYPE html><html lang=\"en\">{ERROR_HEAD}<title>{reason}</title>\
         <main><small>{code}</small><h1>{reason}</h1><p>{text}</p>{more}</main></html>\n"
    )
}
