//! What a browser gets that a program does not: error pages, and answers kept to be loaded as documents.

use std::time::Instant;

use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, SET_COOKIE, VARY};
use hyper::{Request, StatusCode, Uri};

use super::assets::X_LIVE_PAGE;
use super::context::Context;
use crate::ext::Show;
use crate::http::{
    Answer, AnswerBody, Html, KeptDocument, Nature, ReceivedBody, X_REDIRECT_CODE, is_get_or_head, lists,
    prefers_html,
};
use crate::router::Page;
use crate::trust::Requester;

/// A request of a browser, or of a page of the app that asks for data. Either shows the answer to a person.
pub(super) struct BrowserRequest {
    uri: Uri,
    is_get_or_head: bool,
    /// The page that sent the request, if it is one of the app.
    shown: Option<HeaderValue>,
    /// The client, once it is known.
    pub requester: Option<Requester>,
}

impl BrowserRequest {
    /// `None` for programs, which get the answer and nothing else.
    pub(super) fn of(request: &Request<ReceivedBody>) -> Option<Box<BrowserRequest>> {
        let wants_html = prefers_html(request.headers());
        let shown = request.headers().get(X_LIVE_PAGE).filter(|_| !wants_html).cloned();
        (wants_html || shown.is_some()).then(|| {
            let (uri, is_get_or_head) = (request.uri().clone(), is_get_or_head(request.method()));
            Box::new(BrowserRequest { uri, is_get_or_head, shown, requester: None })
        })
    }

    /// Whether the browser will show the answer in place of the page that it shows now.
    pub(super) fn is_navigation(&self) -> bool {
        self.shown.is_none()
    }

    /// How a state of this page is to be sent.
    pub(super) fn show(&self, page: &Page) -> Show {
        match &self.shown {
            None => Show::Page,
            Some(shown) if *shown == page.header => Show::Data,
            Some(_) => Show::Both,
        }
    }

    /// Puts a page for people in place of an error's text, and keeps an answer that the page of the app cannot show.
    pub(super) fn complete(self, context: &Context, answer: &mut Answer) {
        if answer.is_failure() && answer.document.is_none() {
            let page = context.worker.error_page(self.uri.path(), answer);
            let text = page.unwrap_or_else(|| {
                let dev =
                    context.worker.config.dev.as_ref().filter(|_| answer.status == StatusCode::NOT_FOUND);
                answer.plain_error_page(&dev.map(|dev| dev.warnings()).unwrap_or_default())
            });
            if self.shown.is_some() {
                answer.document = Some(Box::new(Html { text, line_at: None }));
            } else {
                *answer = std::mem::replace(answer, Answer::empty(StatusCode::OK)).with_page(text, None);
            }
            if self.is_get_or_head
                && !lists(&answer.headers, VARY, |name| name.eq_ignore_ascii_case("accept"))
            {
                answer.headers.append(VARY, HeaderValue::from_static("Accept"));
            }
        }
        if let Some(document) = self.document(answer) {
            self.keep(context, answer, document);
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
            // The browser sends a GET again to load a document that is not kept.
            (None, AnswerBody::Stream(..) | AnswerBody::File(_)) if self.is_get_or_head => return None,
            (None, body) => std::mem::replace(body, AnswerBody::Empty),
        };
        Some(KeptDocument { status, headers, body })
    }

    fn keep(&self, context: &Context, answer: &mut Answer, document: KeptDocument) {
        let config = &context.worker.config;
        let requester = self.requester.unwrap_or_else(|| Requester::of(&context.peer));
        let is_secure = config.trust.is_secure(requester.is_secure);
        let kept = config.documents.keep(&self.uri, requester.address, document, is_secure, Instant::now());
        if let Some(cookie) = kept {
            answer.headers.append(SET_COOKIE, cookie);
            answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}
