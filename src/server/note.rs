//! What is noted of each answer: figures, and the access log. Where nobody wants either, no time is taken.

use std::net::IpAddr;
use std::time::Instant;

use hyper::body::Body as _;
use hyper::header::HeaderValue;
use hyper::{Method, Request};
use tracing::Level;

use super::connection::Shared;
use crate::http::{Answer, LINE_PATH};
use crate::metrics::{ACCESS, RequestId};
use liveline_proto::ExchangeId;

/// A request that is being answered.
pub(super) struct Note {
    began: Option<Instant>,
    /// The id that its client gave it, which goes back with the answer.
    id: Option<HeaderValue>,
    entry: Option<Box<Entry>>,
    /// What runs its handlers, once that is known.
    pub exchange: Option<ExchangeId>,
}

/// What the access log says of a request.
struct Entry {
    method: Method,
    path: String,
    request: Option<String>,
    client: IpAddr,
}

impl Note {
    pub(super) fn of<B>(shared: &Shared, request: &Request<B>) -> Note {
        let id = request.headers().get(RequestId::HEADER);
        let id = id.filter(|id| RequestId::parse(id).is_some()).cloned();
        let entry = tracing::enabled!(target: ACCESS, Level::INFO)
            .then(|| Box::new(Entry::of(request, shared.peer.address)));
        let is_timed = entry.is_some() || shared.worker.meter.is_some();
        Note { began: is_timed.then(Instant::now), id, entry, exchange: None }
    }

    /// Who sent the request, which its connection need not tell.
    pub(super) fn is_from(&mut self, client: IpAddr) {
        if let Some(entry) = &mut self.entry {
            entry.client = client;
        }
    }

    /// The request has its answer.
    pub(super) fn answered(self, shared: &Shared, answer: &mut Answer) {
        if let Some(id) = self.id {
            answer.headers.entry(RequestId::HEADER).or_insert(id);
        }
        let Some(took) = self.began.map(|began| began.elapsed()) else { return };
        if let Some(meter) = &shared.worker.meter {
            meter.answered(answer.status, took);
        }
        let Some(entry) = self.entry else { return };
        let Entry { method, path, request, client } = *entry;
        let exchange = self.exchange.map(|id| id.of(shared.worker.owner));
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
        // Queries often hold what is nobody's business, and the address of a line lets its holder in.
        let path = match request.uri().path() {
            path if path.starts_with(LINE_PATH) => format!("{LINE_PATH}*"),
            path => path.to_owned(),
        };
        let id = RequestId::of(request.headers()).map(|id| id.to_string());
        Entry { method: request.method().clone(), path, request: id, client }
    }
}
