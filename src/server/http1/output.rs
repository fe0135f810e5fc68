//! What a connection has to send.

use std::io::{IoSlice, Result};
use std::task::Poll;

use bytes::{Buf as _, Bytes};

use super::buffers;

/// Bytes up to which a part of a body is copied behind what comes before it, so that both are one write.
const COPIED: usize = 8 * 1024;

/// Bytes from which on nothing is appended before they are sent.
const FULL: usize = 32 * 1024;

/// The bytes, in this order: `buffer` from `sent` on, `data`, `end`.
#[derive(Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    sent: usize,
    /// A large part of a body.
    data: Bytes,
    end: &'static [u8],
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.len() == self.sent && self.data.is_empty() && self.end.is_empty()
    }

    /// Whether more may be appended.
    pub(super) fn has_room(&self) -> bool {
        self.data.is_empty() && self.end.is_empty() && self.buffer.len() - self.sent < FULL
    }

    /// For appending, where there is [room](Output::has_room).
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.data.is_empty() && self.end.is_empty(), "nothing comes before a large part");
        if self.buffer.capacity() == 0 {
            self.buffer = buffers::spare();
        }
        &mut self.buffer
    }

    /// Appends a part of a body and what follows it, where there is room.
    pub(super) fn push(&mut self, data: Bytes, end: &'static [u8]) {
        if data.len() <= COPIED {
            let buffer = self.buffer();
            buffer.extend_from_slice(&data);
            buffer.extend_from_slice(end);
        } else {
            (self.data, self.end) = (data, end);
        }
    }

    /// Writes as much as `write` takes. Returns how many bytes that were.
    pub(super) fn poll_write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        let parts = [&self.buffer[self.sent..], &self.data, self.end].map(IoSlice::new);
        let written = write(&parts);
        if let Poll::Ready(Ok(bytes)) = written {
            self.advance(bytes);
        }
        written
    }

    fn advance(&mut self, bytes: usize) {
        let of_buffer = bytes.min(self.buffer.len() - self.sent);
        self.sent += of_buffer;
        let of_data = (bytes - of_buffer).min(self.data.len());
        self.data.advance(of_data);
        if self.data.is_empty() {
            // Frees what it was a part of.
            self.data = Bytes::new();
        }
        self.end = &self.end[bytes - of_buffer - of_data..];
        if self.sent == self.buffer.len() && self.sent > 0 {
            self.sent = 0;
            buffers::keep(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_sent_in_order_however_few_the_system_takes() {
        for size in [0, 1, COPIED, COPIED + 1, 3 * COPIED] {
            let (mut output, mut sent) = (Output::default(), Vec::new());
            output.buffer().extend_from_slice(b"head");
            let data = Bytes::from(vec![b'x'; size]);
            output.push(data.clone(), b"end");
            assert_eq!(output.has_room(), size <= COPIED);
            while !output.is_empty() {
                let written = output.poll_write(|parts| {
                    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).take(3).collect();
                    sent.extend_from_slice(&bytes);
                    Poll::Ready(Ok(bytes.len()))
                });
                assert!(matches!(written, Poll::Ready(Ok(1..=3))));
            }
            assert_eq!(sent, [b"head", &data[..], b"end"].concat());
            assert!(output.has_room());
        }
    }
}
