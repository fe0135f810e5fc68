//! Answers rendered into pages. Half of `runtime-js/page/page.js`.

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::header::CONTENT_LENGTH;
use serde::Serialize;

use super::answer::{give, head};
use super::{Exchanges, OpError};
use crate::http::{AnswerBody, Html, Nature};

/// The form in which a state is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Rendered into its page.
    Page,
    /// As data, for a client that has no page or already shows the page of the answer.
    Data,
    /// As data, for a client that shows another page; the page of the answer is added as a document.
    Both,
}

/// The page of an answer, and how to use it, according to the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// The number of the page of the route, if the client is a browser or a page.
    pub page: Option<u32>,
    pub show: Show,
}

/// The source of a page, for JavaScript.
#[derive(Debug, Serialize)]
pub(crate) struct PageSource {
    /// Its file name, for error messages.
    pub file: String,
    /// The parsed template, as JSON.
    pub template: String,
    /// Whether the page contains OOHTML that continues in the browser.
    pub brings_oohtml: bool,
}

/// The source of a page into which a state is rendered.
#[op2]
#[serde]
pub(crate) fn op_page_source(state: &mut OpState, #[smi] page: u32) -> Result<PageSource, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    site.page(page).map_err(OpError::Page)
}

/// Sends an answer rendered into a page. The address of a line may be inserted between `before` and `after`.
/// With `has_data` the body is `data`, and the page is added as a document.
#[op2(fast)]
pub(crate) fn op_answer_page(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    #[string] before: &str,
    #[string] after: &str,
    #[string] data: &str,
    has_data: bool,
    done: bool,
) -> Result<(), OpError> {
    let mut answer = head(state, status, reason, headers)?;
    // The connection sets the length of the final body.
    answer.headers.remove(CONTENT_LENGTH);
    answer.nature = Nature::State;
    let page = Html { text: [before, after].concat(), line_at: Some(before.len()) };
    let answer = if has_data {
        answer.body = AnswerBody::Data(Bytes::copy_from_slice(data.as_bytes()));
        answer.document = Some(Box::new(page));
        answer
    } else {
        answer.with_page(page.text, page.line_at)
    };
    give(state, id, answer, done)
}
