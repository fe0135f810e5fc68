//! A worker as its connections use it: it runs handlers for their requests.

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::{mpsc, watch};

use super::Pool;
use super::accepted::Accepted;
use super::mailbox::Mail;
use crate::browser::BrowserFiles;
use crate::config::Config;
use crate::ext::{Call, Unanswered};
use crate::http::Answer;
use crate::metrics::Meter;
use crate::router::{NodeId, Step};
use crate::script::{Dispatched, Isolate, Site};
use liveline_proto::{ExchangeId, OwnerId};

/// A worker, for its connections.
pub(crate) struct Worker {
    pub config: Arc<Config>,
    pub site: Site,
    /// The files for browsers of this generation.
    pub browser: Arc<BrowserFiles>,
    /// Counts its answers, if metrics are wanted.
    pub meter: Option<Meter>,
    pub owner: OwnerId,
    pub(super) isolate: Isolate,
    pub(super) pool: Weak<Pool>,
    pub(super) mailbox: mpsc::UnboundedSender<Mail>,
    pub(super) retiring: watch::Sender<bool>,
}

impl Worker {
    /// Runs the handlers for a request. Most have answered when this returns; for the others it returns a [`Waiting`].
    pub(crate) fn call(self: &Rc<Self>, call: Call, node: NodeId) -> Called {
        match self.isolate.dispatch(call, node) {
            Dispatched::Answered(exchange, answer) => Called::Answered(exchange, answer),
            Dispatched::Waiting(exchange, unanswered) => {
                let worker = self.clone();
                Called::Waiting(exchange, Waiting { worker, exchange: Some(exchange), unanswered })
            }
            Dispatched::Lost(exchange) => Called::Answered(exchange, Answer::internal_error(None, false)),
        }
    }

    /// The nearest error page of the site, upwards from a path, with the error as its state.
    pub(crate) fn error_page(&self, path: &str, answer: &Answer) -> Option<String> {
        let routes = &self.site.routes;
        let page = routes.node(routes.resolve(path)).error_page?;
        let title = answer.status.canonical_reason().unwrap_or("Error");
        let state = serde_json::json!({
            "status": answer.status.as_u16(),
            "title": title,
            "message": answer.complaint(),
            "path": path,
        });
        self.isolate.render(page, &state.to_string(), answer.status)
    }

    /// Whether requests to a node are checked for forgery, which handlers may switch off.
    pub(crate) fn checks_csrf(&self, steps: &[Step]) -> bool {
        self.isolate.checks_csrf(steps)
    }

    /// Whether pages of every origin may open the WebSockets of a node.
    pub(crate) fn admits_all_origins(&self, steps: &[Step]) -> bool {
        self.isolate.admits_all_origins(steps)
    }

    /// Changes to true when a newer generation serves.
    pub(crate) fn retiring(&self) -> watch::Receiver<bool> {
        self.retiring.subscribe()
    }

    /// Passes a connection on to the generation that serves now.
    pub(crate) fn pass_on(&self, connection: Accepted) {
        if let Some(pool) = self.pool.upgrade() {
            pool.accept(connection);
        }
    }
}

/// How often a worker checks whether a client that gets one answer only can have it.
const LOOK: Duration = Duration::from_millis(500);

/// The result of [`Worker::call`].
pub(crate) enum Called {
    Answered(ExchangeId, Answer),
    Waiting(ExchangeId, Waiting),
}

/// A request whose handlers wait for something. Dropping it abandons the request.
pub(crate) struct Waiting {
    worker: Rc<Worker>,
    /// `None` once the isolate no longer has to know when the client leaves.
    exchange: Option<ExchangeId>,
    unanswered: Unanswered,
}

impl Waiting {
    /// The answer, or the one for a handler that gave none.
    pub(crate) async fn answer(mut self) -> Answer {
        let limit = self.worker.config.isolate.answer;
        let mut end = Instant::now() + limit;
        loop {
            // Time with a debugger attached does not count.
            if let Some(last) = self.worker.isolate.last_debugged() {
                end = end.max(last + limit);
            }
            let settles_at = self.exchange.and_then(|exchange| self.worker.isolate.settles_at(exchange));
            let at = settles_at.unwrap_or_else(|| Instant::now() + LOOK).min(end);
            if at <= Instant::now() {
                return self.settle(limit);
            }
            if let Ok(answer) = tokio::time::timeout_at(at.into(), &mut self.unanswered.answer).await {
                self.exchange = None;
                return answer.unwrap_or_else(|_| Answer::internal_error(None, false));
            }
        }
    }

    /// The time is over: returns the state that the exchange holds, if there is one.
    fn settle(&mut self, limit: Duration) -> Answer {
        if let Some(exchange) = self.exchange {
            self.worker.isolate.settle(exchange);
        }
        let Unanswered { method, uri, answer } = &mut self.unanswered;
        answer.try_recv().unwrap_or_else(|_| {
            let (path, exchange) = (uri.path(), self.exchange.map(|id| id.of(self.worker.owner)));
            let exchange = exchange.map(tracing::field::display);
            tracing::error!(exchange, %method, path, "{method} {path}: no answer within {limit:?}");
            Answer::text(StatusCode::GATEWAY_TIMEOUT, "The handler did not answer in time.\n")
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            // By mail, since the isolate may be in use here.
            let _ = self.worker.mailbox.send(Mail::Abandoned(exchange));
        }
    }
}
