//! The connections of a worker, for the thread that ends them when the worker's own thread is lost.
//!
//! A connection belongs to its worker's thread, which reads and writes it. This table has the descriptor of its socket
//! and its progress, in atomics that the connection's thread stores to without a lock. The lock is taken when a
//! connection is added or removed.
#![expect(unsafe_code, reason = "a socket is used by another thread than the one that owns it")]

use std::fmt;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::{Method, Uri};
use slab::Slab;
use socket2::SockRef;

use super::limiter::{Permit, PermitError};
use crate::http::path_for_log;

#[cfg(unix)]
use std::os::fd::{AsRawFd as _, BorrowedFd as BorrowedSocket, RawFd as RawSocket};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket as _, BorrowedSocket, RawSocket};

/// The answer to requests that a lost isolate cannot answer.
const LOST: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
    content-type: text/plain;charset=UTF-8\r\ncontent-length: 32\r\n\r\nThis request cannot be answered\n";

/// See the module.
#[derive(Default)]
pub(super) struct ConnectionTable {
    entries: Mutex<Slab<Entry>>,
}

struct Entry {
    socket: RawSocket,
    progress: Arc<Progress>,
    /// Returned when the connection closes, by the thread that closes it.
    permit: Permit,
}

/// The stage of a connection, and its current request.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    /// The system takes no more bytes until the client reads.
    is_blocked: AtomicBool,
    /// Method and path in UTF-8, cut off after so many bytes and filled up with zeros.
    request: [AtomicU64; REQUEST_WORDS],
}

const REQUEST_WORDS: usize = 12;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// No byte of a request was read.
    Idle,
    /// A request is being read.
    Reading,
    /// The request waits for its answer.
    Waiting,
    /// Its handlers run right now.
    Running,
    /// Its answer is being sent.
    Answered,
    /// Its answer is complete, and nothing of it was sent.
    Held,
}

impl Stage {
    const ALL: [Stage; 6] =
        [Stage::Idle, Stage::Reading, Stage::Waiting, Stage::Running, Stage::Answered, Stage::Held];
}

impl Progress {
    fn stage(&self) -> Stage {
        // Only `enter` stores one.
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed))]
    }

    fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Bytes of a request were read.
    pub(crate) fn read(&self) {
        if self.stage() == Stage::Idle {
            self.enter(Stage::Reading);
        }
    }

    /// A request came.
    pub(crate) fn requested(&self, method: &Method, uri: &Uri) {
        let mut bytes = method.as_str().bytes().chain([b' ']).chain(uri.path().bytes());
        for word in &self.request {
            let next = std::array::from_fn(|_| bytes.next().unwrap_or_default());
            word.store(u64::from_le_bytes(next), Ordering::Relaxed);
            if next[7] == 0 {
                break;
            }
        }
        // Another answer could not be written behind one that the client does not read.
        let is_blocked = self.is_blocked.load(Ordering::Relaxed);
        self.enter(if is_blocked { Stage::Answered } else { Stage::Waiting });
    }

    /// The handlers of the request run, or have yielded.
    pub(crate) fn set_running(&self, is_running: bool) {
        if self.stage() != Stage::Answered {
            self.enter(if is_running { Stage::Running } else { Stage::Waiting });
        }
    }

    /// The request has its answer.
    pub(crate) fn answered(&self) {
        self.enter(Stage::Answered);
    }

    /// The answer is complete, and is sent at the end of the round.
    pub(crate) fn hold(&self) {
        self.enter(Stage::Held);
    }

    /// What was held is sent.
    pub(crate) fn release(&self) {
        if self.stage() == Stage::Held {
            self.enter(Stage::Idle);
        }
    }

    /// The answer is sent.
    pub(crate) fn completed(&self) {
        self.enter(Stage::Idle);
    }

    /// Whether the system took what was written.
    pub(crate) fn wrote(&self, is_blocked: bool) {
        if self.is_blocked.load(Ordering::Relaxed) != is_blocked {
            self.is_blocked.store(is_blocked, Ordering::Relaxed);
        }
    }

    fn request(&self) -> String {
        let words = self.request.iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let bytes: Vec<_> = words.flatten().take_while(|byte| *byte != 0).collect();
        let request = String::from_utf8_lossy(&bytes);
        match request.split_once(' ') {
            Some((method, path)) => format!("{method} {}", path_for_log(path)),
            None => request.into_owned(),
        }
    }
}

/// A connection's entry, removed when this is dropped. That has to happen before the connection's socket is closed or
/// leaves the worker's thread.
pub(crate) struct TableEntry {
    table: Arc<ConnectionTable>,
    key: usize,
    pub progress: Arc<Progress>,
    has_left: bool,
}

/// Access to the permit of a connection.
pub(crate) struct PermitHandle {
    table: Arc<ConnectionTable>,
    key: usize,
    progress: Arc<Progress>,
}

impl PermitHandle {
    /// See [`Permit::count_for`]. The permit of a connection that has left the table stays as it is.
    pub(crate) fn count_for(&self, address: Option<IpAddr>) -> Result<(), PermitError> {
        let mut entries = self.table.lock();
        // Another connection may have the key by now.
        let entry = entries.get_mut(self.key).filter(|entry| Arc::ptr_eq(&entry.progress, &self.progress));
        entry.map_or(Ok(()), |entry| entry.permit.count_for(address))
    }
}

impl ConnectionTable {
    /// Adds a connection. `has_read`: bytes of a request were read from it already.
    pub(super) fn insert(
        table: &Arc<ConnectionTable>,
        stream: &TcpStream,
        permit: Permit,
        has_read: bool,
    ) -> TableEntry {
        let progress = Arc::new(Progress::default());
        if has_read {
            progress.read();
        }
        #[cfg(unix)]
        let socket = stream.as_raw_fd();
        #[cfg(windows)]
        let socket = stream.as_raw_socket();
        let key = table.lock().insert(Entry { socket, progress: progress.clone(), permit });
        TableEntry { table: table.clone(), key, progress, has_left: false }
    }

    /// Ends every connection of a lost thread. Requests without an answer get 503.
    pub(super) fn end_all(&self) -> Abandoned {
        let mut abandoned = Abandoned::default();
        for entry in self.lock().drain() {
            abandoned.connections += 1;
            let stage = entry.progress.stage();
            match stage {
                Stage::Running => abandoned.running = Some(entry.progress.request()),
                Stage::Waiting => abandoned.waiting.push(entry.progress.request()),
                Stage::Idle | Stage::Reading | Stage::Answered | Stage::Held => {}
            }
            // SAFETY: the socket is open: its thread leaves this list, for which it needs the lock, before it closes
            // the socket or hands it to another thread.
            let socket = unsafe { BorrowedSocket::borrow_raw(entry.socket) };
            let socket = SockRef::from(&socket);
            let has_sent =
                || socket.peek(&mut [std::mem::MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0);
            let is_due = match stage {
                Stage::Idle => has_sent(),
                Stage::Reading | Stage::Waiting | Stage::Running | Stage::Held => true,
                Stage::Answered => false,
            };
            if is_due && !entry.progress.is_blocked.load(Ordering::Relaxed) {
                abandoned.refused += 1;
                // The system takes so few bytes at once, unless the client is gone.
                let _ = socket.send(LOST);
            }
            // The descriptor stays open until the thread ends: a reset could take bytes from the client that it has not read.
            let _ = socket.shutdown(Shutdown::Write);
            drop(entry.permit);
        }
        abandoned
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Entry>> {
        self.entries.lock().expect("nothing panics while the table is locked")
    }
}

impl TableEntry {
    /// For changing the address that the connection counts for.
    pub(crate) fn permit(&self) -> PermitHandle {
        PermitHandle { table: self.table.clone(), key: self.key, progress: self.progress.clone() }
    }

    /// Removes the entry, because the connection goes on elsewhere with its permit. `None` if another thread has ended the
    /// connection.
    pub(crate) fn leave(mut self) -> Option<Permit> {
        self.take().map(|entry| entry.permit)
    }

    fn take(&mut self) -> Option<Entry> {
        if std::mem::replace(&mut self.has_left, true) {
            return None;
        }
        self.table.lock().try_remove(self.key)
    }
}

impl Drop for TableEntry {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What a lost thread had to do.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    pub connections: usize,
    pub refused: usize,
    running: Option<String>,
    waiting: Vec<String>,
}

impl Abandoned {
    /// Method and path of the request whose code runs, if that is known.
    pub(super) fn request(&self) -> Option<(&str, &str)> {
        let only = match self.waiting.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        self.running.as_ref().or(only)?.split_once(' ')
    }
}

/// How many requests are named at most.
const NAMED: usize = 3;

impl fmt::Display for Abandoned {
    /// The request whose code may be what runs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.running {
            return f.write_str(request);
        }
        let Some((first, others)) = self.waiting.split_first() else {
            return f.write_str("code outside of requests");
        };
        if others.is_empty() {
            return f.write_str(first);
        }
        write!(f, "one of {first}")?;
        for other in others.iter().take(NAMED - 1) {
            write!(f, ", {other}")?;
        }
        match others.len().saturating_sub(NAMED - 1) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(running: Option<&str>, waiting: &[&str]) -> String {
        let waiting = waiting.iter().map(ToString::to_string).collect();
        Abandoned { running: running.map(Into::into), waiting, ..Abandoned::default() }.to_string()
    }

    #[test]
    fn requests_named_as_far_as_they_are_known() {
        assert_eq!(named(Some("GET /a"), &["GET /b"]), "GET /a");
        assert_eq!(named(None, &["GET /b"]), "GET /b");
        assert_eq!(named(None, &["GET /1", "GET /2"]), "one of GET /1, GET /2");
        assert_eq!(named(None, &["1", "2", "3", "4", "5"]), "one of 1, 2, 3 and 2 more");
        assert_eq!(named(None, &[]), "code outside of requests");
    }

    #[test]
    fn requests_kept_in_words_and_cut_off() {
        let progress = Progress::default();
        for path in ["/", "/abc", "/abcd", "/a/longer/path/than/the/one/before"] {
            progress.requested(&Method::GET, &path.parse().expect("a path"));
            assert_eq!(progress.request(), format!("GET {path}"));
        }
        for path in ["/.liveline/0123456789abcdef", "//.liveline/0123456789abcdef"] {
            progress.requested(&Method::GET, &path.parse().expect("a path"));
            assert_eq!(progress.request(), "GET /.liveline/*");
        }
        let long = format!("/{}", "x".repeat(200));
        progress.requested(&Method::GET, &long.parse().expect("a path"));
        assert_eq!(progress.request(), format!("GET {long}")[..REQUEST_WORDS * 8]);
        progress.requested(&Method::GET, &"/abcd".parse().expect("a path"));
        assert_eq!(progress.request(), "GET /abcd");
    }
}
