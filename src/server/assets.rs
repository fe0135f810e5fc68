//! Answers without handlers: static files, what browsers run of the host's own, pages without a state.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode};

use crate::browser::BrowserFiles;
use crate::http::{Answer, AnswerBody, KeptDocument, KeptDocuments, Nature, ReceivedBody, is_get_or_head};
use crate::router::{Layer, PublicFiles, Routes};

/// In an answer: the page that shows this state, so that a page of the app can check whether it is the same. In a
/// request: the page that sends it.
pub(super) const X_LIVE_PAGE: HeaderName = HeaderName::from_static("x-live-page");

/// The document that was kept for this request: the answer to an earlier one of a page that could not show it.
pub(super) fn kept_document(documents: &KeptDocuments, request: &Request<ReceivedBody>) -> Option<Answer> {
    let KeptDocument { status, headers, body } =
        documents.take(request.uri(), request.headers(), Instant::now())?;
    let mut answer = Answer::empty(status);
    answer.headers = headers;
    answer.body = body;
    // The browser shows it whatever its status is.
    answer.nature = Nature::State;
    Some(answer)
}

/// Where pages and service workers ask which page belongs to the path that follows.
pub(super) const PAGE_PATH: &str = "/.liveline/page";

pub(super) fn page_of(routes: &Routes, path: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(page) = routes.page_of(path) {
        answer.headers.insert(X_LIVE_PAGE, page.header.clone());
    }
    answer
}

/// Where service workers find the page of a route without a state.
pub(super) const BLANK_PAGES: &str = "/.liveline/blank";

/// The page of a path as its file has it. No handler that guards the route is asked, so this is for sites with a service
/// worker only.
pub(super) fn blank_page(routes: &Routes, path: &str, method: &Method) -> Answer {
    if !is_get_or_head(method) {
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

/// A module that browsers run.
pub(super) async fn browser_file(files: Arc<BrowserFiles>, request: Request<ReceivedBody>) -> Answer {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    // A file is compressed for its first request, which takes a while.
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

pub(super) fn whole(response: Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let mut answer = Answer::empty(head.status);
    (answer.headers, answer.extensions) = (head.headers, head.extensions);
    answer.body = AnswerBody::Data(body);
    answer
}

/// The static file of a path without handlers.
pub(super) async fn file(files: &PublicFiles, request: Request<ReceivedBody>) -> Answer {
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
