//! What the process prints, on standard output and standard error.
//!
//! A command that prints and ends writes at once and waits until its text is written. A server must not wait: its lines
//! go to a queue of `QUEUE_BYTES` for each stream, which a thread writes. Lines that do not fit into the queue, and lines
//! that cannot be written, are dropped and counted: neither a reader that does not read nor a full disk stops the server.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How many bytes may wait to be written.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// About how many bytes are written with one call.
const BATCH_BYTES: usize = 64 * 1024;

/// How long the thread waits before it writes again to a stream that is in non-blocking mode and full.
const RETRY: Duration = Duration::from_millis(10);

/// A stream of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

static OUTPUT: Printer = Printer::new(Stream::Output);
static ERROR: Printer = Printer::new(Stream::Error);

/// Whether both streams are the same file, so that one queue keeps the order of lines.
static ARE_ONE: AtomicBool = AtomicBool::new(false);

/// Prints a text, which ends with a line break.
pub(crate) fn print(stream: Stream, text: &[u8]) {
    let is_error = stream == Stream::Error || ARE_ONE.load(Ordering::Relaxed);
    if is_error { &ERROR } else { &OUTPUT }.print(text);
}

/// From now on [`print`] does not wait: two threads write what is printed. Fails where a thread cannot start.
pub(crate) fn print_in_background() -> io::Result<()> {
    ARE_ONE.store(are_one(), Ordering::Relaxed);
    OUTPUT.begin()?;
    ERROR.begin()
}

/// Waits until everything is written, at most for `limit`.
pub(crate) fn flush(limit: Duration) {
    let deadline = Instant::now() + limit;
    OUTPUT.flush(deadline);
    ERROR.flush(deadline);
}

/// How many lines of a stream were dropped.
pub(crate) fn dropped(stream: Stream) -> u64 {
    let printer = if stream == Stream::Output { &OUTPUT } else { &ERROR };
    printer.dropped.load(Ordering::Relaxed)
}

/// Why a text that was printed without a queue could not be written, except that its reader closed the pipe.
pub(crate) fn failure() -> Option<io::Error> {
    OUTPUT.state().failure.take()
}

/// Writes the log to standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        print(Stream::Error, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Printer {
    stream: Stream,
    state: Mutex<State>,
    changed: Condvar,
    dropped: AtomicU64,
}

struct State {
    /// Whether a thread writes the queue.
    in_background: bool,
    texts: VecDeque<Box<[u8]>>,
    /// Bytes of the texts in the queue and of those that the thread is writing.
    bytes: usize,
    failure: Option<io::Error>,
}

impl Printer {
    const fn new(stream: Stream) -> Printer {
        let state = State { in_background: false, texts: VecDeque::new(), bytes: 0, failure: None };
        Printer { stream, state: Mutex::new(state), changed: Condvar::new(), dropped: AtomicU64::new(0) }
    }

    fn print(&self, text: &[u8]) {
        let mut state = self.state();
        if !state.in_background {
            match self.write_now(text) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => state.failure = Some(error),
                _ => {}
            }
            return;
        }
        // One text by itself may be larger than the queue.
        if state.bytes > 0 && state.bytes + text.len() > QUEUE_BYTES {
            drop(state);
            return self.drop_lines(text);
        }
        state.bytes += text.len();
        state.texts.push_back(text.into());
        drop(state);
        self.changed.notify_all();
    }

    fn write_now(&self, text: &[u8]) -> io::Result<()> {
        match self.stream {
            Stream::Output => {
                let mut out = io::stdout().lock();
                out.write_all(text)?;
                out.flush()
            }
            Stream::Error => io::stderr().lock().write_all(text),
        }
    }

    fn begin(&'static self) -> io::Result<()> {
        let file = self.stream.file()?;
        thread::Builder::new().name("liveline-print".into()).spawn(move || self.write_queued(file))?;
        self.state().in_background = true;
        Ok(())
    }

    /// Writes the queue, for as long as the process runs.
    fn write_queued(&self, mut file: File) {
        let mut logged = 0;
        // Whether a line was written in part.
        let mut is_torn = false;
        loop {
            let batch = self.next_batch();
            let mut text = Vec::with_capacity(batch.iter().map(|text| text.len()).sum::<usize>() + 1);
            if is_torn {
                text.push(b'\n');
            }
            batch.iter().for_each(|it| text.extend_from_slice(it));
            let (written, result) = write(&mut file, &text);
            if result.is_err() {
                is_torn =
                    text[..written].last().is_some_and(|last| *last != b'\n') || (is_torn && written == 0);
                self.drop_lines(&text[written..]);
            } else {
                is_torn = false;
            }
            self.state().bytes -= batch.iter().map(|text| text.len()).sum::<usize>();
            self.changed.notify_all();
            let dropped = self.dropped.load(Ordering::Relaxed);
            if result.is_ok() && dropped > logged {
                let name = self.stream.name();
                tracing::warn!(
                    "{} lines were dropped because {name} was not read or not writable",
                    dropped - logged
                );
                logged = dropped;
            }
        }
    }

    /// Waits for the next texts.
    fn next_batch(&self) -> Vec<Box<[u8]>> {
        let mut state = self.state();
        while state.texts.is_empty() {
            state = self.changed.wait(state).expect(HOLDS);
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && let Some(text) = state.texts.pop_front()
        {
            bytes += text.len();
            batch.push(text);
        }
        batch
    }

    fn flush(&self, deadline: Instant) {
        let mut state = self.state();
        while state.bytes > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).expect(HOLDS).0;
        }
    }

    fn drop_lines(&self, text: &[u8]) {
        let lines = memchr::memchr_iter(b'\n', text).count().max(1);
        self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(HOLDS)
    }
}

const HOLDS: &str = "nothing panics while it holds the queue";

/// Writes a text. Returns how many bytes were written.
fn write(file: &mut File, text: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

impl Stream {
    /// The name that messages use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
        }
    }

    /// The stream without the standard library's buffer.
    #[cfg(unix)]
    fn file(self) -> io::Result<File> {
        use std::os::fd::AsFd as _;
        let file = match self {
            Stream::Output => io::stdout().as_fd().try_clone_to_owned(),
            Stream::Error => io::stderr().as_fd().try_clone_to_owned(),
        };
        file.map(File::from)
    }

    #[cfg(windows)]
    fn file(self) -> io::Result<File> {
        use std::os::windows::io::AsHandle as _;
        let file = match self {
            Stream::Output => io::stdout().as_handle().try_clone_to_owned(),
            Stream::Error => io::stderr().as_handle().try_clone_to_owned(),
        };
        file.map(File::from)
    }
}

/// Whether both streams are the same file, pipe or terminal.
#[cfg(unix)]
fn are_one() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |stream: Stream| {
        let metadata = stream.file().and_then(|file| file.metadata()).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    place(Stream::Output).is_some_and(|output| Some(output) == place(Stream::Error))
}

#[cfg(not(unix))]
fn are_one() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn bytes_that_a_full_disk_refuses_are_not_counted_as_written() {
        let mut full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
        let (written, result) = write(&mut full, b"a line\n");
        assert_eq!((written, result.is_err()), (0, true));
        let mut nothing = OpenOptions::new().write(true).open("/dev/null").expect("Linux has one");
        let (written, result) = write(&mut nothing, b"a line\n");
        assert_eq!((written, result.is_err()), (7, false));
    }

    #[test]
    fn dropped_lines_are_counted() {
        let printer = Printer::new(Stream::Output);
        printer.state().in_background = true;
        printer.print(&vec![b'x'; QUEUE_BYTES]);
        printer.print(b"one\ntwo\n");
        printer.print(b"no end");
        assert_eq!(printer.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(printer.next_batch().len(), 1);
        printer.flush(Instant::now());
    }
}
