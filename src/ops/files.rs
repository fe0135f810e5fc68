//! Static files for handlers. Half of `runtime-js/40_static.js`.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{OpState, op2};
use hyper::body::Body as _;
use hyper::{HeaderMap, Method};
use serde::Serialize;
use slab::Slab;

use super::exchange::exchange_id;
use super::request::write_headers;
use super::{Exchanges, OpError};
use crate::engine::Refused;

/// A static file's bytes, or those of its ranges.
pub type FileBody = hyper_staticfile::Body;

/// Files that JavaScript has seen the head of.
#[derive(Default)]
pub struct OpenFiles(Slab<Option<FileBody>>);

impl OpenFiles {
    pub(super) fn take(&mut self, file: u32) -> Option<FileBody> {
        self.0.try_remove(file as usize).flatten()
    }
}

#[derive(Serialize)]
pub struct FileHead {
    status: u16,
    headers: String,
    file: u32,
}

/// What `public/` says to a path; the exchange's conditions and ranges count unless the path is another than its own.
#[op2]
#[serde]
pub async fn op_file_open(
    state: Rc<RefCell<OpState>>,
    id: f64,
    #[string] path: String,
    #[string] method: String,
    rerouted: bool,
) -> Result<FileHead, OpError> {
    let answer = {
        let mut state = state.borrow_mut();
        let exchanges = state.borrow_mut::<Exchanges>();
        let request = &exchanges.slot(exchange_id(id)).ok_or(Refused::Ended)?.request;
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let headers = if rerouted { HeaderMap::new() } else { request.headers.clone() };
        exchanges.site.as_ref().ok_or(OpError::NoSite)?.file(method, headers, path)
    };
    let (head, body) = answer.await?.into_parts();
    let (status, headers) = (head.status.as_u16(), write_headers(&head.headers));
    let mut state = state.borrow_mut();
    let file = state.borrow_mut::<OpenFiles>().0.insert(Some(body)) as u32;
    Ok(FileHead { status, headers, file })
}

/// Nobody can read the file any more.
#[op2(fast)]
pub fn op_file_close(state: &mut OpState, #[smi] file: u32) {
    state.borrow_mut::<OpenFiles>().take(file);
}

/// The next chunk of a file that a handler reads itself; null at its end.
#[op2]
#[buffer]
pub async fn op_file_read(state: Rc<RefCell<OpState>>, #[smi] file: u32) -> Result<Option<Vec<u8>>, OpError> {
    let body = {
        let mut state = state.borrow_mut();
        state.borrow_mut::<OpenFiles>().0.get_mut(file as usize).and_then(Option::take)
    };
    let Some(mut body) = body else { return Ok(None) };
    let chunk = next_chunk(&mut body).await?;
    let mut state = state.borrow_mut();
    let files = state.borrow_mut::<OpenFiles>();
    match chunk {
        Some(chunk) => {
            if let Some(place) = files.0.get_mut(file as usize) {
                *place = Some(body);
            }
            Ok(Some(chunk.into()))
        }
        None => {
            files.take(file);
            Ok(None)
        }
    }
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
