//! The body of a request, as it arrives.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use liveline_proto::http1::BodyError;

/// A body, for its reader. Most are there as a whole when the request begins.
pub(crate) struct ReceivedBody {
    data: Bytes,
    /// `None`: `data` is the rest.
    rest: Option<Rc<RefCell<Rest>>>,
}

/// A body, for its connection, which receives the rest of it. Dropped before the end, it leaves the reader an error.
pub(crate) struct BodyFeed(Rc<RefCell<Rest>>);

/// What the connection and the reader share.
struct Rest {
    data: Bytes,
    /// How many bytes are neither in `data` nor read, if that is known.
    left: Option<u64>,
    end: Option<Result<(), BodyFailure>>,
    /// The reader waits for bytes.
    is_wanted: bool,
    /// There is no reader any more.
    is_dropped: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

/// A body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFailure {
    #[error(transparent)]
    Malformed(#[from] BodyError),
    #[error("the connection ended before it")]
    Cut,
}

impl ReceivedBody {
    /// A body that is there as a whole.
    pub(crate) fn whole(data: Bytes) -> ReceivedBody {
        ReceivedBody { data, rest: None }
    }

    /// The rest of the body, if it is there and at most `limit` bytes long.
    pub(crate) fn as_whole(&self, limit: usize) -> Option<&[u8]> {
        (self.rest.is_none() && self.data.len() <= limit).then_some(&*self.data)
    }
}

impl BodyFeed {
    /// A body of which `data` was received; `left`: how many bytes follow, if that is known.
    pub(crate) fn new(data: Bytes, left: Option<u64>) -> (BodyFeed, ReceivedBody) {
        let rest = Rc::new(RefCell::new(Rest {
            data: Bytes::new(),
            left,
            end: None,
            is_wanted: false,
            is_dropped: false,
            reader: None,
            connection: None,
        }));
        (BodyFeed(rest.clone()), ReceivedBody { data, rest: Some(rest) })
    }

    /// Has the task of `cx` woken when the reader begins to wait for bytes, and when there is no reader any more.
    pub(crate) fn follow(&self, cx: &Context<'_>) {
        let mut rest = self.0.borrow_mut();
        if !rest.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            rest.connection = Some(cx.waker().clone());
        }
    }

    /// Whether the reader waits for bytes.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.borrow().is_wanted
    }

    /// Whether there is no reader any more.
    pub(crate) fn is_dropped(&self) -> bool {
        self.0.borrow().is_dropped
    }

    /// Passes bytes on to the reader.
    pub(crate) fn feed(&self, data: Bytes) {
        let mut rest = self.0.borrow_mut();
        rest.left = rest.left.map(|left| left.saturating_sub(data.len() as u64));
        rest.data = match rest.data.is_empty() {
            true => data,
            false => [&*rest.data, &*data].concat().into(),
        };
        rest.wake_reader();
    }

    /// The body ends after what was passed on.
    pub(crate) fn end(self, end: Result<(), BodyFailure>) {
        self.0.borrow_mut().end(end);
    }
}

impl Drop for BodyFeed {
    fn drop(&mut self) {
        self.0.borrow_mut().end(Err(BodyFailure::Cut));
    }
}

impl Rest {
    /// Only the first end counts.
    fn end(&mut self, end: Result<(), BodyFailure>) {
        if self.end.is_none() {
            self.end = Some(end);
            self.connection = None;
            self.wake_reader();
        }
    }

    fn wake_reader(&mut self) {
        self.is_wanted = false;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for ReceivedBody {
    fn drop(&mut self) {
        let Some(rest) = &self.rest else { return };
        let mut rest = rest.borrow_mut();
        (rest.is_dropped, rest.is_wanted) = (true, false);
        if let Some(connection) = rest.connection.take() {
            connection.wake();
        }
    }
}

impl fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceivedBody({:?})", self.size_hint())
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        let Some(rest) = &self.rest else { return Poll::Ready(None) };
        let mut rest = rest.borrow_mut();
        if !rest.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut rest.data)))));
        }
        match rest.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(failure)) => {
                // Reported once.
                rest.end = Some(Ok(()));
                Poll::Ready(Some(Err(failure)))
            }
            None => {
                rest.reader = Some(cx.waker().clone());
                if !std::mem::replace(&mut rest.is_wanted, true)
                    && let Some(connection) = &rest.connection
                {
                    connection.wake_by_ref();
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = |rest: &Rc<RefCell<Rest>>| {
            let rest = rest.borrow();
            rest.data.is_empty() && rest.end == Some(Ok(()))
        };
        self.data.is_empty() && self.rest.as_ref().is_none_or(is_over)
    }

    fn size_hint(&self) -> SizeHint {
        let here = self.data.len() as u64;
        let Some(rest) = &self.rest else { return SizeHint::with_exact(here) };
        let rest = rest.borrow();
        let here = here + rest.data.len() as u64;
        match (rest.end, rest.left) {
            (Some(_), _) => SizeHint::with_exact(here),
            (None, Some(left)) => SizeHint::with_exact(here.saturating_add(left)),
            (None, None) => {
                let mut hint = SizeHint::new();
                hint.set_lower(here);
                hint
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(body: &mut ReceivedBody) -> Poll<Option<Result<Bytes, BodyFailure>>> {
        let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        frame.map(|frame| frame.map(|frame| frame.map(|it| it.into_data().expect("data"))))
    }

    #[test]
    fn a_whole_body_is_one_frame() {
        let mut body = ReceivedBody::whole(Bytes::from_static(b"ab"));
        assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, Some(2)));
        assert_eq!(next(&mut body), Poll::Ready(Some(Ok(Bytes::from_static(b"ab")))));
        assert!(body.is_end_stream());
        assert_eq!(next(&mut body), Poll::Ready(None));
    }

    #[test]
    fn bytes_are_received_when_they_are_wanted() {
        let (feed, mut body) = BodyFeed::new(Bytes::from_static(b"a"), Some(2));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(next(&mut body).is_ready() && !feed.is_wanted());
        assert!(next(&mut body).is_pending() && feed.is_wanted());
        feed.feed(Bytes::from_static(b"bc"));
        assert!(!feed.is_wanted());
        assert_eq!(body.size_hint().exact(), Some(2));
        feed.end(Ok(()));
        assert_eq!(next(&mut body), Poll::Ready(Some(Ok(Bytes::from_static(b"bc")))));
        assert_eq!(next(&mut body), Poll::Ready(None));
        assert!(body.is_end_stream());
    }

    #[test]
    fn bytes_that_nobody_waits_for_are_kept() {
        let (feed, mut body) = BodyFeed::new(Bytes::new(), Some(3));
        feed.feed(Bytes::from_static(b"ab"));
        feed.feed(Bytes::from_static(b"c"));
        assert!(!feed.is_wanted());
        assert_eq!(next(&mut body), Poll::Ready(Some(Ok(Bytes::from_static(b"abc")))));
        assert!(next(&mut body).is_pending() && feed.is_wanted());
    }

    #[test]
    fn a_body_whose_connection_ends_is_an_error_once() {
        let (feed, mut body) = BodyFeed::new(Bytes::new(), None);
        drop(feed);
        assert!(!body.is_end_stream());
        assert_eq!(next(&mut body), Poll::Ready(Some(Err(BodyFailure::Cut))));
        assert_eq!(next(&mut body), Poll::Ready(None));
    }

    #[test]
    fn a_connection_knows_that_nobody_reads() {
        let (feed, mut body) = BodyFeed::new(Bytes::new(), None);
        assert!(next(&mut body).is_pending() && feed.is_wanted());
        drop(body);
        assert!(feed.is_dropped() && !feed.is_wanted());
    }
}
