//! Answers in pages. Half of `runtime-js/45_page.js`.

use deno_core::{OpState, op2};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;

use super::answer::{give, head};
use super::{Answer, Exchanges, OpError};

/// A page as JavaScript gets it.
#[derive(Debug, Serialize)]
pub struct PageSource {
    /// Its file, for messages.
    pub file: String,
    /// What it is made of, in JSON.
    pub template: String,
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
    let Answer { headers, extensions, .. } = head(status, reason, headers)?;
    let status = StatusCode::from_u16(status).expect("it was read just above");
    let mut answer = Answer::page(status, [before, after].concat(), Some(before.len()));
    answer.extensions = extensions;
    // Those of the data do not hold for the page.
    let of_data = [CONTENT_LENGTH, CONTENT_TYPE];
    let mut last = None;
    for (name, value) in headers {
        // Further values of a header come without its name.
        last = name.or(last);
        if let Some(name) = last.clone().filter(|name| !of_data.contains(name)) {
            answer.headers.append(name, value);
        }
    }
    give(state, id, answer, done)
}
