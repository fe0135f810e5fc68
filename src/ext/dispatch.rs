//! Routes for handlers that delegate with `next()`. Half of `runtime-js/dispatch/dispatch.js`.

use std::future::Future;
use std::pin::Pin;

use deno_core::{OpState, op2};
use hyper::{HeaderMap, Method, Response};
use serde::Serialize;

use super::{Exchanges, OpError, PageSource};
use crate::http::FileBody;
use liveline_compiler::parameters::Parameters;

/// The target of `next(url)`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub node: u32,
    pub path: String,
    /// Number of segments of the path.
    pub length: u32,
    pub query: Option<String>,
    /// Handlers up to this depth are not run again; -1: all run.
    pub skip_depth: i64,
}

/// The future answer for a static file.
pub(crate) type FileAnswer = Pin<Box<dyn Future<Output = std::io::Result<Response<FileBody>>>>>;

/// The served folder, as ops use it.
pub(crate) trait Site {
    /// Resolves a call of `next(target)` from `path`, of which `consumed` segments are already handled. The
    /// error is a sentence.
    fn route(&self, path: &str, consumed: u32, target: &str) -> Result<Route, String>;

    /// What a handler can see of its arguments; `source` is the text of `Function.prototype.toString`.
    fn parameters(&self, source: &str, is_root: bool) -> Parameters;

    /// Whether a file of `public/` is served instead of the answer of a handler that does not use the rest of
    /// the path: if the file exists at `path` and the request only reads (`is_get_or_head`). `depth`: number of
    /// segments of the handler's folder.
    fn file_before(&self, path: &str, depth: u32, handler: &str, is_get_or_head: bool) -> bool;

    /// The answer of the static file server to `target`, a path with an optional query.
    fn file(&self, method: Method, headers: HeaderMap, target: String) -> FileAnswer;

    /// The source of a page into which a state is rendered. The error is a sentence.
    fn page(&self, page: u32) -> Result<PageSource, String>;

    /// A page without a state, in two parts; the address of a line may be inserted between them.
    fn blank_page(&self, page: u32) -> Result<[String; 2], String>;
}

/// What a handler can see of its arguments, by its source: 1 if it uses the rest of the path, and 2 if it sees only the
/// event.
#[op2(fast)]
#[smi]
pub(crate) fn op_handler_parameters(
    state: &mut OpState,
    #[string] source: &str,
    is_root: bool,
) -> Result<u32, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    let Parameters { ask_for_rest, take_only_event } = site.parameters(source, is_root);
    Ok(u32::from(ask_for_rest) | u32::from(take_only_event) << 1)
}

/// Whether a static file is served at this path instead of the answer of a handler that does not use the rest
/// of the path.
#[op2(fast)]
pub(crate) fn op_file_before(
    state: &mut OpState,
    #[string] path: &str,
    #[smi] depth: u32,
    #[string] handler: &str,
    is_get_or_head: bool,
) -> Result<bool, OpError> {
    let site = state.borrow::<Exchanges>().host.site()?;
    Ok(site.file_before(path, depth, handler, is_get_or_head))
}

/// Resolves the target of `next(url)`.
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
