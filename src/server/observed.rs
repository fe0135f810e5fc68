//! A connection's stream and its answers' bodies, as hyper has them, with what passes told to the connection's clocks
//! and to the second look at its framing.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::{Rewound, Shared};
use crate::http::AnswerBody;

/// The stream.
pub(super) struct Observed {
    pub stream: Rewound,
    pub shared: Rc<Shared>,
}

impl AsyncRead for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        if !self.shared.framing.borrow().is_broken() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        }
        let read = &mut buf.filled_mut()[before..];
        let mut framing = self.shared.framing.borrow_mut();
        let mut kept = 0;
        if !read.is_empty() {
            self.shared.pace.read();
            self.shared.progress.read();
            kept = framing.follow(read);
            buf.set_filled(before + kept);
        }
        if kept == 0 && framing.is_broken() {
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, "a chunk that cannot be read")));
        }
        Poll::Ready(Ok(()))
    }
}

impl Observed {
    fn wrote(&self, written: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        self.shared.progress.wrote(written.is_pending());
        match &written {
            Poll::Pending => self.shared.pace.wrote(None),
            Poll::Ready(Ok(bytes)) => self.shared.pace.wrote(Some(*bytes)),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncWrite for Observed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(written)
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

/// The body of an answer. hyper drops it when it has all of it, or when nobody wants the rest.
pub(super) struct ObservedBody {
    pub body: AnswerBody,
    pub shared: Rc<Shared>,
    /// The connection goes on as its visitor's line.
    pub stays: bool,
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        self.shared.pace.answered();
        self.shared.progress.completed();
        // A proxy's connection waits for a request, of whomever.
        if let Some(counted) = self.shared.counted.as_ref().filter(|_| !self.stays) {
            counted.count_for(None).expect("what is not limited has room");
        }
    }
}

impl Body for ObservedBody {
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
