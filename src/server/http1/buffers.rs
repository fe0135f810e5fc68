//! Buffers that the connections of a thread share, so that an idle connection has none.

use std::cell::RefCell;

use liveline_proto::http1::{DateCache, Head};

/// Bytes that are read from a stream at a time.
const READ: usize = 64 * 1024;

/// How many buffers for answers are kept, and how large each may be.
const SPARE: usize = 16;
const SPARE_BYTES: usize = 64 * 1024;

/// What is needed while bytes of one connection are read or an answer is written, never longer.
pub(super) struct Shared {
    pub read: Box<[u8]>,
    pub head: Head,
    pub date: DateCache,
    spare: Vec<Vec<u8>>,
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::new(Shared {
        read: vec![0; READ].into(),
        head: Head::default(),
        date: DateCache::default(),
        spare: Vec::new(),
    });
}

/// Uses the buffers of this thread. `with` must not use them again.
pub(super) fn shared<T>(with: impl FnOnce(&mut Shared) -> T) -> T {
    SHARED.with_borrow_mut(with)
}

/// An empty buffer.
pub(super) fn spare() -> Vec<u8> {
    shared(|shared| shared.spare.pop()).unwrap_or_default()
}

/// Keeps a buffer that is not needed now.
pub(super) fn keep(mut buffer: Vec<u8>) {
    buffer.clear();
    if (1..=SPARE_BYTES).contains(&buffer.capacity()) {
        shared(|shared| {
            if shared.spare.len() < SPARE {
                shared.spare.push(buffer);
            }
        });
    }
}
