//! The connections of a worker, for the thread that answers for it when its own no longer does.
//!
//! A connection belongs to its worker's thread, which reads and writes it. What stands here is its socket by number and
//! how far it has come, in a few atomics that its own thread stores to and nobody waits for. Only who comes and goes
//! takes the lock.
#![expect(unsafe_code, reason = "a socket is used by another thread than the one that owns it")]

use std::fmt;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::{Method, Uri};
use slab::Slab;
use socket2::SockRef;

use super::worker::{Admitted, PermitError};
use crate::http::LINE_PATH;

#[cfg(unix)]
use std::os::fd::{AsRawFd as _, BorrowedFd as BorrowedSocket, RawFd as RawSocket};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket as _, BorrowedSocket, RawSocket};

/// What clients get whose requests an isolate can no longer answer.
const LOST: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
    content-type: text/plain;charset=UTF-8\r\ncontent-length: 32\r\n\r\nThis request cannot be answered\n";

/// The connections of one worker.
#[derive(Default)]
pub(super) struct Clients {
    entries: Mutex<Slab<Entry>>,
}

struct Entry {
    socket: RawSocket,
    progress: Arc<Progress>,
    /// Given up when the connection closes, by whichever thread closes it.
    place: Admitted,
}

/// How far a connection has come, and the request that it is at.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    /// The client takes no more of what was written.
    is_blocked: AtomicBool,
    /// Method and path in UTF-8, the rest of it zero; what is longer is cut off.
    request: [AtomicU64; REQUEST_WORDS],
}

const REQUEST_WORDS: usize = 12;

/// Nothing of a request was read.
const IDLE: u8 = 0;
/// A request is being read.
const READING: u8 = 1;
/// It waits for its answer.
const ASKED: u8 = 2;
/// The same, and its handlers run right now.
const RUNNING: u8 = 3;
/// Its answer may be on its way.
const ANSWERED: u8 = 4;

impl Progress {
    fn is_at(&self, stage: u8) {
        self.stage.store(stage, Ordering::Relaxed);
    }

    /// Bytes of a request were read.
    pub(crate) fn read(&self) {
        if self.stage.load(Ordering::Relaxed) == IDLE {
            self.is_at(READING);
        }
    }

    /// A request came.
    pub(crate) fn asked(&self, method: &Method, uri: &Uri) {
        let mut bytes = method.as_str().bytes().chain([b' ']).chain(uri.path().bytes());
        for word in &self.request {
            let next = std::array::from_fn(|_| bytes.next().unwrap_or_default());
            word.store(u64::from_le_bytes(next), Ordering::Relaxed);
            if next[7] == 0 {
                break;
            }
        }
        // Behind an answer that its client does not take, there is no place for another one.
        self.is_at(if self.is_blocked.load(Ordering::Relaxed) { ANSWERED } else { ASKED });
    }

    /// The handlers of its request run, or wait again.
    pub(crate) fn runs(&self, runs: bool) {
        if self.stage.load(Ordering::Relaxed) != ANSWERED {
            self.is_at(if runs { RUNNING } else { ASKED });
        }
    }

    /// The request has its answer.
    pub(crate) fn answered(&self) {
        self.is_at(ANSWERED);
    }

    /// The answer is complete.
    pub(crate) fn completed(&self) {
        self.is_at(IDLE);
    }

    /// Whether the client takes what is written.
    pub(crate) fn wrote(&self, is_blocked: bool) {
        if self.is_blocked.load(Ordering::Relaxed) != is_blocked {
            self.is_blocked.store(is_blocked, Ordering::Relaxed);
        }
    }

    fn request(&self) -> String {
        let words = self.request.iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let bytes: Vec<_> = words.flatten().take_while(|byte| *byte != 0).collect();
        let request = String::from_utf8_lossy(&bytes);
        match request.split_once(LINE_PATH) {
            // Whoever knows the rest of it may join the line.
            Some((method, _)) if method.ends_with(' ') => format!("{method}{LINE_PATH}*"),
            _ => request.into_owned(),
        }
    }
}

/// A connection's place among the clients of its worker. It is left when this is dropped, which has to happen before
/// the connection's socket is closed or given away.
pub(crate) struct Enlisted {
    clients: Arc<Clients>,
    key: usize,
    pub progress: Arc<Progress>,
    has_left: bool,
}

/// Whom a connection counts for.
pub(crate) struct Counted {
    clients: Arc<Clients>,
    key: usize,
    progress: Arc<Progress>,
}

impl Counted {
    /// See [`Permit::count_for`](super::Permit::count_for). A connection that has left counts elsewhere.
    pub(crate) fn count_for(&self, address: Option<IpAddr>) -> Result<(), PermitError> {
        let mut entries = self.clients.lock();
        // The key may be somebody else's by now.
        let entry = entries.get_mut(self.key).filter(|entry| Arc::ptr_eq(&entry.progress, &self.progress));
        entry.map_or(Ok(()), |entry| entry.place.count_for(address))
    }
}

impl Clients {
    /// Takes a connection in. Something of a request may have been read from it already.
    pub(super) fn enlist(
        clients: &Arc<Clients>,
        stream: &TcpStream,
        place: Admitted,
        has_read: bool,
    ) -> Enlisted {
        let progress = Arc::new(Progress::default());
        if has_read {
            progress.read();
        }
        #[cfg(unix)]
        let socket = stream.as_raw_fd();
        #[cfg(windows)]
        let socket = stream.as_raw_socket();
        let key = clients.lock().insert(Entry { socket, progress: progress.clone(), place });
        Enlisted { clients: clients.clone(), key, progress, has_left: false }
    }

    /// Answers for a thread that no longer does: requests without an answer get 503, and every connection ends.
    pub(super) fn answer_for_all(&self) -> Abandoned {
        let mut abandoned = Abandoned::default();
        for entry in self.lock().drain() {
            abandoned.connections += 1;
            let stage = entry.progress.stage.load(Ordering::Relaxed);
            if stage == RUNNING {
                abandoned.running = Some(entry.progress.request());
            } else if stage == ASKED {
                abandoned.waiting.push(entry.progress.request());
            }
            // SAFETY: the socket is open: its thread leaves this list, for which it needs the lock, before it closes
            // the socket or gives it away.
            let socket = unsafe { BorrowedSocket::borrow_raw(entry.socket) };
            let socket = SockRef::from(&socket);
            let has_sent =
                || socket.peek(&mut [std::mem::MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0);
            let is_due = match stage {
                IDLE => has_sent(),
                READING | ASKED | RUNNING => true,
                _ => false,
            };
            if is_due && !entry.progress.is_blocked.load(Ordering::Relaxed) {
                abandoned.refused += 1;
                // The system takes so little at once, unless the client is gone.
                let _ = socket.send(LOST);
            }
            // The descriptor stays open until the thread ends, so that nothing is reset that the client has not read.
            let _ = socket.shutdown(Shutdown::Write);
            drop(entry.place);
        }
        abandoned
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Entry>> {
        self.entries.lock().expect("nothing panics while clients come and go")
    }
}

impl Enlisted {
    /// Whom it counts for, to be changed.
    pub(crate) fn counted(&self) -> Counted {
        Counted { clients: self.clients.clone(), key: self.key, progress: self.progress.clone() }
    }

    /// Leaves, because the connection goes on elsewhere, with its place. None if it was ended by another thread.
    pub(crate) fn leave(mut self) -> Option<Admitted> {
        self.take().map(|entry| entry.place)
    }

    fn take(&mut self) -> Option<Entry> {
        if std::mem::replace(&mut self.has_left, true) {
            return None;
        }
        self.clients.lock().try_remove(self.key)
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What there was to answer for.
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

/// So many requests are named.
const NAMED: usize = 3;

impl fmt::Display for Abandoned {
    /// Whose code it may be that runs.
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
            progress.asked(&Method::GET, &path.parse().expect("a path"));
            assert_eq!(progress.request(), format!("GET {path}"));
        }
        progress.asked(&Method::GET, &format!("{LINE_PATH}0123456789abcdef").parse().expect("a path"));
        assert_eq!(progress.request(), format!("GET {LINE_PATH}*"));
        let long = format!("/{}", "x".repeat(200));
        progress.asked(&Method::GET, &long.parse().expect("a path"));
        assert_eq!(progress.request(), format!("GET {long}")[..REQUEST_WORDS * 8]);
        progress.asked(&Method::GET, &"/abcd".parse().expect("a path"));
        assert_eq!(progress.request(), "GET /abcd");
    }
}
