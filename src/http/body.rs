//! The body of an answer, as the connection sends it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// A static file's bytes, or those of its ranges.
pub(crate) type FileBody = hyper_staticfile::Body;

/// The body of an answer, which its connection polls.
pub(crate) enum AnswerBody {
    Empty,
    Data(Bytes),
    /// Chunks from JavaScript, and their length in sum where it is known. The channel holds one chunk, so a slow client
    /// slows its source.
    Stream(mpsc::Receiver<Chunk>, Option<u64>),
    // Boxed, because it is large, and rare where the size of the others matters.
    File(Box<FileBody>),
}

impl AnswerBody {
    /// The body of a file, which may be empty.
    pub(crate) fn file(body: FileBody) -> AnswerBody {
        match body {
            FileBody::Empty => AnswerBody::Empty,
            body => AnswerBody::File(Box::new(body)),
        }
    }
}

/// A part of a streamed body. The end is a message, since another sender lives on that waits for the client to leave.
#[derive(Debug)]
pub(crate) enum Chunk {
    Data(Bytes),
    End,
    Failed,
}

/// The source of a streamed body failed; the connection is cut so that the client notices.
#[derive(Debug, thiserror::Error)]
#[error("the response's stream failed")]
pub(crate) struct StreamFailed;

/// A body could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Stream(#[from] StreamFailed),
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl From<Infallible> for BodyError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            AnswerBody::Empty => Poll::Ready(None),
            AnswerBody::Data(_) => {
                let AnswerBody::Data(data) = std::mem::replace(&mut *self, AnswerBody::Empty) else {
                    unreachable!("matched just above");
                };
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            AnswerBody::Stream(chunks, _) => {
                let chunk = std::task::ready!(chunks.poll_recv(cx));
                let frame = match chunk {
                    Some(Chunk::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Some(Chunk::End) => None,
                    Some(Chunk::Failed) | None => Some(Err(BodyError::Stream(StreamFailed))),
                };
                // Closes the channel, which the source notices.
                *self = AnswerBody::Empty;
                Poll::Ready(frame)
            }
            AnswerBody::File(file) => Pin::new(&mut **file).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, AnswerBody::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Empty => SizeHint::with_exact(0),
            AnswerBody::Data(data) => SizeHint::with_exact(data.len() as u64),
            AnswerBody::Stream(_, length) => length.map_or_else(SizeHint::default, SizeHint::with_exact),
            AnswerBody::File(file) => file.size_hint(),
        }
    }
}
