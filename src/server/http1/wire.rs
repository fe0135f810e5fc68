//! The stream of a connection, and what it has to send.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use super::output::Output;
use crate::lines::tcp;
use crate::server::monitor::Monitor;

/// See the module.
pub(super) struct Wire {
    pub stream: TcpStream,
    pub output: Output,
    /// `output` waits for the end of the [round](super::round).
    is_held: bool,
    /// Why the system did not take what a round sent.
    failure: Option<io::Error>,
    monitor: Rc<Monitor>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, monitor: Rc<Monitor>) -> Wire {
        Wire { stream, output: Output::default(), is_held: false, failure: None, monitor }
    }

    /// Sends what is ready. Ready when all of it is sent.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        while !self.output.is_empty() {
            let Wire { stream, output, .. } = self;
            let sent = output.poll_write(|parts| tcp::poll_write(stream, cx, parts));
            self.monitor.sent(&sent);
            if ready!(sent)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    pub(super) fn hold(&mut self) {
        self.is_held = true;
        self.monitor.hold();
    }

    /// What is held can be sent. Returns whether something was.
    pub(super) fn release(&mut self) -> bool {
        let was_held = std::mem::replace(&mut self.is_held, false);
        if was_held {
            self.monitor.release();
        }
        was_held
    }

    /// Sends what is held, for the task of `cx`, which goes on with what is left.
    pub(super) fn send_held(&mut self, cx: &mut Context<'_>) {
        if self.release()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            self.failure = Some(error);
            cx.waker().wake_by_ref();
        }
    }
}
