//! However a client's bytes are cut, the decoder returns the same, and no message is over the limit.

use std::ops::ControlFlow;

use liveline_proto::websocket::{Decoder, FrameError, Received};

const LIMIT: usize = 1000;

/// The first byte is the length of the pieces.
pub(crate) fn check(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, 1 + usize::from(cut % 64)), whole);
    assert_eq!(read(bytes, 1), whole);
}

fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(LIMIT);
    let (mut said, mut is_closed) = (Vec::new(), false);
    for piece in bytes.chunks(piece) {
        let result = decoder.feed(&mut piece.to_vec(), |received| {
            let length = match received {
                Received::Text(text) => text.len(),
                Received::Binary(bytes) | Received::Ping(bytes) | Received::Pong(bytes) => bytes.len(),
                Received::Close(_, reason) => reason.len(),
            };
            assert!(length <= LIMIT);
            is_closed = matches!(received, Received::Close(..));
            said.push(format!("{received:?}"));
            ControlFlow::Continue(())
        });
        if is_closed || result.is_err() {
            return (said, result);
        }
    }
    (said, Ok(()))
}
