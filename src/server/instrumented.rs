//! A connection's stream and its answers' bodies, as hyper uses them, with what passes reported to a [`Monitor`].

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Method, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::timeouts::{ConnectionTimeouts, Late};
use super::{PermitError, PermitHandle, Progress};
use crate::http::AnswerBody;
use liveline_proto::http1::{Framing, Unreadable};

/// What one connection does: its timeouts, where its requests begin and end, how far the current one has come.
pub(super) struct Monitor {
    timeouts: ConnectionTimeouts,
    framing: RefCell<Framing>,
    /// For other threads.
    progress: Arc<Progress>,
    /// Changes the address that the connection counts for, where it is a proxy's and carries requests of many clients.
    permit: Option<PermitHandle>,
    /// Requests without an answer.
    unanswered: Cell<usize>,
    answered: Cell<usize>,
}

impl Monitor {
    pub(super) fn new(
        timeouts: ConnectionTimeouts,
        progress: Arc<Progress>,
        permit: Option<PermitHandle>,
    ) -> Monitor {
        let (unanswered, answered) = (Cell::new(0), Cell::new(0));
        Monitor { timeouts, framing: RefCell::default(), progress, permit, unanswered, answered }
    }

    /// A request's head is complete.
    pub(super) fn requested(&self, method: &Method, uri: &Uri) {
        self.timeouts.head_complete();
        self.progress.requested(method, uri);
        self.unanswered.set(self.unanswered.get() + 1);
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
        self.unanswered.set(self.unanswered.get() - 1);
        self.answered.set(self.answered.get() + 1);
    }

    /// Why the current request must not be served, if it must not. hyper passes a request on when those before it are
    /// answered.
    pub(super) fn unreadable(&self) -> Option<Unreadable> {
        self.framing.borrow().unreadable(self.answered.get())
    }

    /// How many requests were answered.
    pub(super) fn answers(&self) -> usize {
        self.answered.get()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.unanswered.get() == 0
    }

    /// Which of the client's timeouts has passed, or when to check again.
    pub(super) fn check(&self, now: Instant) -> Result<Instant, Late> {
        self.timeouts.check(now)
    }

    /// Whether the system takes no more bytes until the client reads.
    pub(super) fn is_blocked(&self) -> bool {
        self.progress.is_blocked()
    }

    /// Counts a proxy's connection for the client of its current request.
    pub(super) fn count_for(&self, client: IpAddr) -> Result<(), PermitError> {
        self.permit.as_ref().map_or(Ok(()), |permit| permit.count_for(Some(client)))
    }

    /// Bytes were received. Returns how many of them are left: small chunks of a body become larger ones in place.
    fn received(&self, bytes: &mut [u8]) -> usize {
        self.timeouts.received(Instant::now);
        self.progress.read();
        self.framing.borrow_mut().follow(bytes)
    }

    fn sent(&self, sent: &Poll<std::io::Result<usize>>) {
        self.progress.wrote(sent.is_pending());
        match sent {
            Poll::Pending => self.timeouts.sent(None, Instant::now),
            Poll::Ready(Ok(bytes)) => self.timeouts.sent(Some(*bytes), Instant::now),
            Poll::Ready(Err(_)) => {}
        }
    }

    /// hyper has the whole answer, or does not want the rest of it.
    fn completed(&self) {
        self.timeouts.answered(Instant::now());
        self.progress.completed();
        // The next request of a proxy's connection may be another client's.
        if let Some(permit) = &self.permit {
            permit.count_for(None).expect("there is no limit to exceed without an address");
        }
    }
}

/// The stream of a connection.
pub(super) struct Instrumented<S> {
    pub stream: S,
    pub monitor: Rc<Monitor>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Instrumented<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        if !self.monitor.framing.borrow().is_broken() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        }
        let received = &mut buf.filled_mut()[before..];
        let mut kept = 0;
        if !received.is_empty() {
            kept = self.monitor.received(received);
            buf.set_filled(before + kept);
        }
        if kept == 0 && self.monitor.framing.borrow().is_broken() {
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, "a chunk that cannot be read")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Instrumented<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.monitor.sent(&sent);
        sent
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.monitor.sent(&sent);
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of an answer. hyper drops it when it has all of it, or does not want the rest.
pub(super) struct InstrumentedBody {
    pub body: AnswerBody,
    pub monitor: Rc<Monitor>,
}

impl Drop for InstrumentedBody {
    fn drop(&mut self) {
        self.monitor.completed();
    }
}

impl Body for InstrumentedBody {
    type Data = Bytes;
    type Error = <AnswerBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
