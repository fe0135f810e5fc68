//! The lines a host prints, read as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::PATIENCE;

/// One output of a process. Waiting moves a cursor: a line is waited for once.
#[derive(Clone)]
pub struct Log {
    name: &'static str,
    shared: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    cursor: usize,
    closed: bool,
}

impl Log {
    /// Follows a pipe to its end.
    pub fn follow(name: &'static str, pipe: impl Read + Send + 'static) -> Self {
        let log = Self { name, shared: Arc::default() };
        let reader = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                reader.lines().all.push(String::from_utf8_lossy(&line).into_owned());
                reader.shared.1.notify_all();
            }
            reader.lines().closed = true;
            reader.shared.1.notify_all();
        });
        log
    }

    /// The next line that contains `text`; lines before it are passed over.
    #[track_caller]
    pub fn next(&self, text: &str) -> String {
        let found = self.find_next(text);
        found.unwrap_or_else(|| panic!("{} never said {text:?}; it said:\n{}", self.name, self.text()))
    }

    /// As `next`; `None` if no such line comes.
    pub fn find_next(&self, text: &str) -> Option<String> {
        self.wait(|lines| {
            let found = lines.all[lines.cursor..].iter().position(|line| line.contains(text))?;
            lines.cursor += found + 1;
            Some(lines.all[lines.cursor - 1].clone())
        })
    }

    /// Waits until a line contains `text`, wherever it stands; the cursor stays.
    #[track_caller]
    pub fn contains(&self, text: &str) {
        let found = self.wait(|lines| lines.all.iter().any(|line| line.contains(text)).then_some(()));
        found.unwrap_or_else(|| panic!("{} never said {text:?}; it said:\n{}", self.name, self.text()));
    }

    /// Whether the next line with one of two texts contains the first one. False if the output ends without either.
    pub fn has_next(&self, text: &str, other: &str) -> bool {
        let found = self.wait(|lines| {
            let found = |text: &str| lines.all[lines.cursor..].iter().any(|line| line.contains(text));
            if found(other) { Some(false) } else { found(text).then_some(true) }
        });
        found.unwrap_or(false)
    }

    /// Waits until the process has closed this output, and returns all of it.
    #[track_caller]
    pub fn end(&self) -> String {
        let end = self.wait(|lines| lines.closed.then(|| lines.all.join("\n")));
        end.unwrap_or_else(|| panic!("{} was never closed; it said:\n{}", self.name, self.text()))
    }

    /// Everything that was read so far: the last lines of the process may be missing.
    pub fn text(&self) -> String {
        self.lines().all.join("\n")
    }

    fn wait<T>(&self, mut look: impl FnMut(&mut Lines) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines();
        loop {
            if let Some(found) = look(&mut lines) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.closed {
                return None;
            }
            lines = self.shared.1.wait_timeout(lines, left).expect("no reader panics").0;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.shared.0.lock().expect("no reader panics")
    }
}
