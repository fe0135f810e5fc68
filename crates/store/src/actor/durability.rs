//! Threads that wait for the disk, so that isolates do not.
//!
//! Commits of one file that arrive while its WAL is being written are one `fdatasync`. The threads also move the WAL's
//! content into the file when it grows, and close files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::StorageError;
use crate::SqlError;
use crate::guarded::GuardedConnection;
use crate::sqlite::BUSY_LIMIT;

/// How many threads wait for the disk at the same time.
const THREADS: usize = 2;

/// Bytes by which the WAL grows until its content is moved into the file.
const WAL_GROWTH: u64 = 4 << 20;

/// What one turn of an actor has written.
#[derive(Debug)]
pub struct Commit {
    /// Counts the commits of the process, from 1: what has to be durable before an output may leave.
    pub ticket: u64,
    /// The actor's alarm, in milliseconds since 1970, where the commit may have changed it.
    pub alarm: Option<Option<i64>>,
    pub(super) file: Arc<SyncedFile>,
    /// The index of alarms, where the commit has changed it.
    pub(super) index: Option<Arc<SyncedFile>>,
}

impl Commit {
    /// This commit and an earlier one of the same actor, as one.
    pub(super) fn with(self, earlier: Commit) -> Commit {
        Commit { alarm: self.alarm.or(earlier.alarm), index: self.index.or(earlier.index), ..self }
    }
}

/// What the threads know of a file.
#[derive(Debug)]
pub(super) struct SyncedFile {
    path: PathBuf,
    /// Whether the file itself is not on the disk yet, only in the memory of the operating system.
    is_new: AtomicBool,
    /// Bytes of the WAL when its content was moved into the file the last time.
    moved_at: AtomicU64,
}

impl SyncedFile {
    pub(super) fn new(path: PathBuf, is_new: bool) -> SyncedFile {
        SyncedFile { path, is_new: AtomicBool::new(is_new), moved_at: AtomicU64::new(0) }
    }

    pub(super) fn set_new(&self) {
        self.is_new.store(true, Ordering::Release);
    }

    /// Returns when every commit before this call is on the disk.
    fn sync(&self) -> Result<(), StorageError> {
        if self.is_new.load(Ordering::Acquire) {
            if !self.path.exists() {
                // It was deleted meanwhile, with what the commit has written.
                return Ok(());
            }
            self.move_wal()?;
            let folder = self.path.parent().unwrap_or(Path::new("."));
            for folder in [Some(folder), folder.parent()].into_iter().flatten() {
                sync_folder(folder)?;
            }
            self.is_new.store(false, Ordering::Release);
            return Ok(());
        }
        let wal = wal_of(&self.path);
        let length = match File::open(&wal).and_then(|file| {
            file.sync_data()?;
            file.metadata()
        }) {
            Ok(metadata) => metadata.len(),
            // SQLite removes the WAL when all of it is in the file and on the disk.
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(StorageError::io(&error, &wal)),
        };
        let moved_at = self.moved_at.load(Ordering::Relaxed);
        if length < moved_at {
            self.moved_at.store(0, Ordering::Relaxed);
        } else if length > moved_at + WAL_GROWTH {
            self.moved_at.store(length, Ordering::Relaxed);
            if let Err(error) = self.move_wal() {
                tracing::warn!("the WAL of an actor's file grows: {error}");
            }
        }
        Ok(())
    }

    /// Writes the WAL to the disk, then moves its content into the file, then writes the file to the disk. Done by
    /// SQLite: closing a file that was opened here would end SQLite's locks on it.
    fn move_wal(&self) -> Result<(), StorageError> {
        let failed = |error: rusqlite::Error| StorageError::of(SqlError::from(error), &self.path);
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = rusqlite::Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        sqlite.busy_timeout(BUSY_LIMIT).map_err(failed)?;
        let result: (i64, i64, i64) = sqlite
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(failed)?;
        let (busy, frames, moved) = result;
        if busy != 0 || (frames > 0 && moved == 0) {
            // Another connection moves it at this time. Its content has to be on the disk in any case.
            let wal = wal_of(&self.path);
            File::open(&wal)
                .and_then(|file| file.sync_data())
                .map_err(|error| StorageError::io(&error, &wal))?;
        }
        Ok(())
    }
}

/// The file beside a database that holds its latest commits.
pub(super) fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Writes the names of a folder's files to the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder).and_then(|it| it.sync_all()).map_err(|error| StorageError::io(&error, folder))
}

type Callback = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// The threads. Dropped, they finish what they have.
pub(super) struct Durability {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    closed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Files with commits to wait for, in order.
    order: VecDeque<PathBuf>,
    files: HashMap<PathBuf, Waiting>,
    /// Further tasks, such as closing a file.
    tasks: VecDeque<Box<dyn FnOnce() + Send>>,
    /// Files that are being closed.
    closing: HashSet<PathBuf>,
    ends: bool,
}

struct Waiting {
    file: Arc<SyncedFile>,
    index: Option<Arc<SyncedFile>>,
    callbacks: Vec<Callback>,
    /// Whether a thread works on an earlier commit of the file.
    runs: bool,
}

impl Durability {
    pub(super) fn start() -> std::io::Result<Durability> {
        let shared = Arc::<Shared>::default();
        let threads = (0..THREADS).map(|_| {
            let shared = shared.clone();
            let name = "liveline-durability".to_owned();
            std::thread::Builder::new().name(name).spawn(move || shared.work())
        });
        Ok(Durability { threads: threads.collect::<Result<_, _>>()?, shared: shared.clone() })
    }

    /// Calls back on a thread when the commit is on the disk, or when that failed.
    pub(super) fn sync(&self, commit: Commit, callback: Callback) {
        let mut queue = self.shared.lock();
        let Queue { order, files, .. } = &mut *queue;
        let waiting = files.entry(commit.file.path.clone()).or_insert_with(|| Waiting {
            file: commit.file.clone(),
            index: None,
            callbacks: Vec::new(),
            runs: false,
        });
        waiting.file = commit.file;
        waiting.index = commit.index.or(waiting.index.take());
        if waiting.callbacks.is_empty() && !waiting.runs {
            order.push_back(waiting.file.path.clone());
        }
        waiting.callbacks.push(callback);
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Closes a file, which may wait for the disk.
    pub(super) fn close(&self, path: &Path, connection: GuardedConnection) {
        let (shared, path) = (self.shared.clone(), path.to_owned());
        shared.lock().closing.insert(path.clone());
        self.run(move || {
            drop(connection);
            shared.lock().closing.remove(&path);
            shared.closed.notify_all();
        });
    }

    /// Waits until a file is closed that is being closed.
    pub(super) fn wait_closed(&self, path: &Path) {
        let mut queue = self.shared.lock();
        while queue.closing.contains(path) {
            queue = self.shared.closed.wait(queue).expect("nothing panics while the lock is held");
        }
    }

    /// Runs a task on one of the threads.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) {
        self.shared.lock().tasks.push_back(Box::new(task));
        self.shared.filled.notify_one();
    }
}

impl Drop for Durability {
    fn drop(&mut self) {
        self.shared.lock().ends = true;
        self.shared.filled.notify_all();
        for thread in self.threads.drain(..) {
            // The last handle of a store may be dropped by a callback, on one of the threads.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while the lock is held")
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(path) = queue.order.pop_front() {
                let Some(waiting) = queue.files.get_mut(&path) else { continue };
                waiting.runs = true;
                let (file, index) = (waiting.file.clone(), waiting.index.take());
                let callbacks = std::mem::take(&mut waiting.callbacks);
                drop(queue);
                // An alarm has to be in the index before its actor may be acknowledged.
                let synced = index.map_or(Ok(()), |index| index.sync()).and_then(|()| file.sync());
                for callback in callbacks {
                    callback(synced.clone());
                }
                queue = self.lock();
                if let Some(waiting) = queue.files.get_mut(&path) {
                    waiting.runs = false;
                    match waiting.callbacks.is_empty() {
                        true => drop(queue.files.remove(&path)),
                        false => queue.order.push_back(path),
                    }
                }
            } else if let Some(task) = queue.tasks.pop_front() {
                drop(queue);
                task();
                queue = self.lock();
            } else if queue.ends {
                return;
            } else {
                queue = self.filled.wait(queue).expect("nothing panics while the lock is held");
            }
        }
    }
}
