//! Routes for handlers that delegate. Half of `runtime-js/90_dispatch.js`.

use std::future::Future;
use std::pin::Pin;

use deno_core::{OpState, op2};
use hyper::{HeaderMap, Method, Response};
use serde::Serialize;

use super::files::FileBody;
use super::{Exchanges, OpError, PageSource};

/// Where `next(url)` goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    pub node: u32,
    pub path: String,
    /// How many segments the path has.
    pub length: u32,
    pub query: Option<String>,
    /// Steps up to this depth are not run again; -1 for none.
    pub skip_depth: i64,
}

/// A static file's answer, when it comes.
pub type FileAnswer = Pin<Box<dyn Future<Output = std::io::Result<Response<FileBody>>>>>;

/// What ops need to know of the folder being served.
pub trait Site {
    /// Where a call from `path`, of which `consumed` segments are behind, to `target` goes. The error is a sentence.
    fn route(&self, path: &str, consumed: u32, target: &str) -> Result<Route, String>;

    /// What the static layer answers to a path, which may come with a query.
    fn file(&self, method: Method, headers: HeaderMap, target: String) -> FileAnswer;

    /// A page to render a state into. The error is a sentence.
    fn page(&self, page: u32) -> Result<PageSource, String>;

    /// A page without a state: up to where the address of a line may stand, and the rest.
    fn blank_page(&self, page: u32) -> Result<[String; 2], String>;
}

/// Resolves a re-route.
#[op2]
#[serde]
pub fn op_route(
    state: &mut OpState,
    #[string] path: String,
    #[smi] consumed: u32,
    #[string] target: String,
) -> Result<Route, OpError> {
    let site = state.borrow::<Exchanges>().site.as_ref().ok_or(OpError::NoSite)?;
    site.route(&path, consumed, &target).map_err(OpError::Route)
}
