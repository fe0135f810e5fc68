//! Answers in pages. Half of `runtime-js/45_page.js`.

use deno_core::{OpState, op2};
use hyper::header::CONTENT_LENGTH;
use serde::Serialize;

use super::answer::{give, head};
use super::{Exchanges, OpError};

/// A page as JavaScript gets it.
#[derive(Debug, Serialize)]
pub struct PageSource {
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
pub fn op_page_source(state: &mut OpState, #[smi] page: u32) -> Result<PageSource, OpError> {
    let site = state.borrow::<Exchanges>().site.as_ref().ok_or(OpError::NoSite)?;
    site.page(page).map_err(OpError::Page)
}

/// An answer in a page: up to where the address of a line may stand, and the rest.
#[op2(fast)]
pub fn op_answer_page(
    state: &mut OpState,
    id: f64,
    #[smi] status: u16,
    #[string] reason: &str,
    #[string] headers: &str,
    #[string] before: &str,
    #[string] after: &str,
    done: bool,
) -> Result<(), OpError> {
    let mut answer = head(status, reason, headers)?;
    // Only the connection knows how long the body is on the wire.
    answer.headers.remove(CONTENT_LENGTH);
    let answer = answer.with_page([before, after].concat(), Some(before.len()));
    give(state, id, answer, done)
}
