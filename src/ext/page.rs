//! Answers in pages. Half of `runtime-js/page/page.js`.

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::header::CONTENT_LENGTH;
use serde::Serialize;

use super::answer::{give, head};
use super::{Exchanges, OpError};
use crate::http::{AnswerBody, Html, Nature};

/// How a state leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// In its page.
    Page,
    /// As it is, for a page that shows it.
    Data,
    /// As it is, for a page that shows something else; its own page goes along as a document.
    Both,
}

/// What a request says of the page that its answer is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// The page of the route by its number, where the client is a browser or a page.
    pub page: Option<u32>,
    pub show: Show,
}

/// A page as JavaScript gets it.
#[derive(Debug, Serialize)]
pub(crate) struct PageSource {
    /// Its file, for messages.
    pub file: String,
    /// What it is made of, in JSON.
    pub template: String,
    /// Whether it is OOHTML that goes on with the page in the browser.
    pub brings_oohtml: bool,
}

/// A page to render a state into.
#[op2]
#[serde]
pub(crate) fn op_page_source(state: &mut OpState, #[smi] page: u32) -> Result<PageSource, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    site.page(page).map_err(OpError::Page)
}

/// An answer in a page: up to where the address of a line may stand, and the rest. With `has_data` the answer is `data`,
/// and the page the document that goes with it.
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
    let mut answer = head(status, reason, headers)?;
    // Only the connection knows how long the body is on the wire.
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
