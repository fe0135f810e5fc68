//! Static files for handlers. Half of `runtime-js/files.js`.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::body::Body as _;
use hyper::{HeaderMap, Method};
use serde::Serialize;

use super::OpError;
use super::exchange::ExchangeState;
use super::request::write_headers;
use crate::http::FileBody;

#[derive(Serialize)]
pub(super) struct FileHead {
    status: u16,
    headers: String,
    /// Index of the file in the exchange's list of files.
    file: u32,
}

/// Opens the answer of the static file server for a path of `public/`. The query, conditional and range
/// headers of the request apply unless `rerouted`: then the path is not that of the request, and `target` may
/// contain a query.
#[op2]
#[serde]
pub(crate) async fn op_file_open(
    state: Rc<RefCell<OpState>>,
    id: f64,
    #[string] mut target: String,
    #[string] method: String,
    rerouted: bool,
) -> Result<FileHead, OpError> {
    let answer = {
        let mut state = state.borrow_mut();
        let request = &state.exchange(id).slot()?.request;
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let headers = if rerouted {
            HeaderMap::new()
        } else {
            let parts = request.parts();
            if let Some(query) = parts.uri.query() {
                target = format!("{target}?{query}");
            }
            parts.headers.clone()
        };
        state.exchanges().host.site()?.file(method, headers, target)
    };
    let (head, body) = answer.await?.into_parts();
    let headers = write_headers(&head.headers).into_iter().map(char::from).collect();
    let status = head.status.as_u16();
    let mut state = state.borrow_mut();
    let files = &mut state.exchange(id).slot()?.rare.get_or_insert_default().files;
    files.push(Some(body));
    let file = files.len() as u32 - 1;
    Ok(FileHead { status, headers, file })
}

/// The next chunk of a file that the handler reads; null at the end.
#[op2]
#[buffer]
pub(crate) async fn op_file_read(
    state: Rc<RefCell<OpState>>,
    id: f64,
    #[smi] file: u32,
) -> Result<Option<Vec<u8>>, OpError> {
    let body = state.borrow_mut().exchange(id).slot()?.take_file(file);
    let Some(mut body) = body else { return Ok(None) };
    let Some(chunk) = next_chunk(&mut body).await? else { return Ok(None) };
    let mut state = state.borrow_mut();
    state.exchange(id).slot()?.keep_file(file, body);
    Ok(Some(chunk.into()))
}

async fn next_chunk(body: &mut FileBody) -> std::io::Result<Option<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose()? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
