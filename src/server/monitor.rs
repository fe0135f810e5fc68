//! What a connection does, for its timeouts and for other threads.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use hyper::{Method, Uri};

use super::timeouts::{ConnectionTimeouts, Late};
use super::{PermitError, PermitHandle, Progress};

/// What one connection does: its timeouts, and how far the current request has come.
pub(super) struct Monitor {
    timeouts: ConnectionTimeouts,
    /// For other threads.
    progress: Arc<Progress>,
    /// Changes the address that the connection counts for, where it is a proxy's and carries requests of many clients.
    permit: Option<PermitHandle>,
}

impl Monitor {
    pub(super) fn new(
        timeouts: ConnectionTimeouts,
        progress: Arc<Progress>,
        permit: Option<PermitHandle>,
    ) -> Monitor {
        Monitor { timeouts, progress, permit }
    }

    /// A request's head is complete.
    pub(super) fn requested(&self, method: &Method, uri: &Uri) {
        self.timeouts.head_complete();
        self.progress.requested(method, uri);
    }

    /// The handlers of the request begin to run.
    pub(super) fn handlers_run(&self) {
        self.progress.set_running(true);
    }

    /// The handlers of the request have returned, or wait for something.
    pub(super) fn handlers_yielded(&self) {
        self.progress.set_running(false);
    }

    /// The request has an answer, which is not sent yet.
    pub(super) fn answered(&self) {
        self.progress.answered();
    }

    /// Which of the client's timeouts has passed, or when to check again.
    pub(super) fn check(&self, now: Instant) -> Result<Instant, Late> {
        self.timeouts.check(now)
    }

    /// Counts a proxy's connection for the client of its current request.
    pub(super) fn count_for(&self, client: IpAddr) -> Result<(), PermitError> {
        self.permit.as_ref().map_or(Ok(()), |permit| permit.count_for(Some(client)))
    }

    /// A part of a request's head was received. Where the whole head comes at once, only [`Monitor::requested`] is called:
    /// a clock is not read for it.
    pub(super) fn received(&self) {
        self.timeouts.received(Instant::now);
        self.progress.read();
    }

    /// The system took bytes, or takes none until the client reads.
    pub(super) fn sent(&self, sent: &Poll<std::io::Result<usize>>) {
        self.progress.wrote(sent.is_pending());
        match sent {
            Poll::Pending => self.timeouts.sent(None, Instant::now),
            Poll::Ready(Ok(bytes)) => self.timeouts.sent(Some(*bytes), Instant::now),
            Poll::Ready(Err(_)) => {}
        }
    }

    /// The whole answer is there, and is sent at the end of the round.
    pub(super) fn hold(&self) {
        self.progress.hold();
    }

    /// What was held is sent.
    pub(super) fn release(&self) {
        self.progress.release();
    }

    /// When the last answer was complete, if no request has begun since.
    pub(super) fn completed_at(&self) -> Option<Instant> {
        self.timeouts.idle_since()
    }

    /// The whole answer is there to be sent, or the rest of it is not wanted.
    pub(super) fn completed(&self) {
        self.timeouts.answered(Instant::now());
        self.progress.completed();
        // The next request of a proxy's connection may be another client's.
        if let Some(permit) = &self.permit {
            permit.count_for(None).expect("there is no limit to exceed without an address");
        }
    }
}
