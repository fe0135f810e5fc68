//! What is recorded of each answer: metrics, and the access log. Where neither is wanted, no clock is read.

use std::net::IpAddr;
use std::time::Instant;

use hyper::body::Body as _;
use hyper::header::HeaderValue;
use hyper::{Method, Request};
use tracing::Level;

use super::context::Context;
use crate::http::{Answer, path_for_log};
use crate::metrics::{ACCESS, RequestId};
use liveline_proto::ExchangeId;

/// What is recorded of a request that is being answered.
pub(super) struct RequestLog {
    began: Option<Instant>,
    /// The id that its client chose, which is sent back with the answer.
    id: Option<HeaderValue>,
    entry: Option<Box<Entry>>,
    /// The exchange, once handlers run for the request.
    pub exchange: Option<ExchangeId>,
}

/// What the access log shows of a request.
struct Entry {
    method: Method,
    path: String,
    request: Option<String>,
    client: IpAddr,
}

impl RequestLog {
    pub(super) fn begin<B>(context: &Context, request: &Request<B>) -> RequestLog {
        let id = request.headers().get(RequestId::HEADER);
        let id = id.filter(|id| RequestId::parse(id).is_some()).cloned();
        let entry = tracing::enabled!(target: ACCESS, Level::INFO)
            .then(|| Box::new(Entry::of(request, context.peer.address)));
        let is_timed = entry.is_some() || context.worker.meter.is_some();
        RequestLog { began: is_timed.then(Instant::now), id, entry, exchange: None }
    }

    /// Sets the client, where the connection is a proxy's.
    pub(super) fn set_client(&mut self, client: IpAddr) {
        if let Some(entry) = &mut self.entry {
            entry.client = client;
        }
    }

    /// Records the answer.
    pub(super) fn answered(self, context: &Context, answer: &mut Answer) {
        if let Some(id) = self.id {
            answer.headers.entry(RequestId::HEADER).or_insert(id);
        }
        let Some(took) = self.began.map(|began| began.elapsed()) else { return };
        if let Some(meter) = &context.worker.meter {
            meter.answered(answer.status, took);
        }
        let Some(entry) = self.entry else { return };
        let Entry { method, path, request, client } = *entry;
        let exchange = self.exchange.map(|id| id.of(context.worker.owner));
        let status = answer.status.as_u16();
        tracing::info!(
            target: ACCESS,
            exchange = exchange.map(tracing::field::display),
            %method,
            path,
            %client,
            request = request.map(tracing::field::display),
            status,
            duration_us = took.as_micros() as u64,
            bytes = answer.body.size_hint().exact(),
            "{method} {path} {status}"
        );
    }
}

impl Entry {
    fn of<B>(request: &Request<B>, client: IpAddr) -> Entry {
        // Queries often hold secrets.
        let path = path_for_log(request.uri().path()).into_owned();
        let id = RequestId::of(request.headers()).map(|id| id.to_string());
        Entry { method: request.method().clone(), path, request: id, client }
    }
}
