//! Routes for handlers that delegate. Half of `runtime-js/dispatch/dispatch.js`.

use std::future::Future;
use std::pin::Pin;

use deno_core::{OpState, op2};
use hyper::{HeaderMap, Method, Response};
use serde::Serialize;

use super::{Exchanges, OpError, PageSource};
use crate::http::FileBody;

/// Where `next(url)` goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub node: u32,
    pub path: String,
    /// How many segments the path has.
    pub length: u32,
    pub query: Option<String>,
    /// Steps up to this depth are not run again; -1 for none.
    pub skip_depth: i64,
}

/// A static file's answer, when it comes.
pub(crate) type FileAnswer = Pin<Box<dyn Future<Output = std::io::Result<Response<FileBody>>>>>;

/// What ops need to know of the folder being served.
pub(crate) trait Site {
    /// Where a call from `path`, of which `consumed` segments are behind, to `target` goes. The error is a sentence.
    fn route(&self, path: &str, consumed: u32, target: &str) -> Result<Route, String>;

    /// Whether a handler with this source, as JavaScript prints functions, asks for what is left of the path. Below the
    /// root, one that takes nothing counts as one that does.
    fn asks_for_rest(&self, source: &str, is_root: bool) -> bool;

    /// Whether a file of `public/` goes before a handler that does not ask for the rest of the path: one does that stands
    /// at the path, where the request only looks. `depth` segments lead to the handler's folder.
    fn file_before(&self, path: &str, depth: u32, handler: &str, is_look: bool) -> bool;

    /// What the static layer answers to a path, which may come with a query.
    fn file(&self, method: Method, headers: HeaderMap, target: String) -> FileAnswer;

    /// A page to render a state into. The error is a sentence.
    fn page(&self, page: u32) -> Result<PageSource, String>;

    /// A page without a state: up to where the address of a line may stand, and the rest.
    fn blank_page(&self, page: u32) -> Result<[String; 2], String>;
}

/// Whether a handler asks for what is left of the path, by its source.
#[op2(fast)]
pub(crate) fn op_asks_for_rest(
    state: &mut OpState,
    #[string] source: &str,
    is_root: bool,
) -> Result<bool, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    Ok(site.asks_for_rest(source, is_root))
}

/// Whether a file stands at a path that a handler is about to answer for which did not ask for it.
#[op2(fast)]
pub(crate) fn op_file_before(
    state: &mut OpState,
    #[string] path: &str,
    #[smi] depth: u32,
    #[string] handler: &str,
    is_look: bool,
) -> Result<bool, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    Ok(site.file_before(path, depth, handler, is_look))
}

/// Resolves a re-route.
#[op2]
#[serde]
pub(crate) fn op_route(
    state: &mut OpState,
    #[string] path: String,
    #[smi] consumed: u32,
    #[string] target: String,
) -> Result<Route, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    site.route(&path, consumed, &target).map_err(OpError::Route)
}
