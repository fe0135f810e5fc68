//! Bookmarks: snapshots of an actor's file, to which it can be restored.
//!
//! A bookmark is the name of a snapshot. It is made at the end of the turn that asks for it, and for a time that a
//! caller may ask for later once per interval in which the actor was used. The number of snapshots and their age are
//! bounded. A restore happens before the actor's next instance opens the file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use super::durability::{sync_folder, wal_of};
use super::store::make_folder;
use super::{ActorStorage, Address, StorageError};
use crate::SqlError;
use crate::sqlite::BUSY_LIMIT;

/// How many snapshots of an actor are kept, and how long.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotLimits {
    /// The most snapshots of one actor. The oldest are deleted.
    pub most: usize,
    /// Older snapshots are deleted.
    pub age: Duration,
    /// A snapshot is made without a request when the file is opened and has changed for so long. None: never.
    pub every: Option<Duration>,
    /// Bytes of the largest file of which a snapshot is made without a request.
    pub largest: u64,
}

impl Default for SnapshotLimits {
    fn default() -> SnapshotLimits {
        let day = Duration::from_secs(24 * 60 * 60);
        SnapshotLimits { most: 16, age: 30 * day, every: Some(day), largest: 64 << 20 }
    }
}

/// Makes the names of snapshots of the same millisecond different.
static COUNT: AtomicU32 = AtomicU32::new(0);

impl ActorStorage {
    /// The name of the state at the end of this turn. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotOwner`] if another instance owns the actor by now.
    pub fn current_bookmark(&mut self, now: i64) -> Result<String, StorageError> {
        self.check_lease()?;
        let changed = self.has_writes() || self.bookmarked.is_none();
        if let Some(name) = self.bookmark.as_ref().or(self.bookmarked.as_ref().filter(|_| !changed)) {
            return Ok(name.clone());
        }
        let name = name_at(now.max(0).cast_unsigned());
        self.bookmark = Some(name.clone());
        Ok(name)
    }

    /// The name of the latest snapshot that is not newer than `time`; for a time that has not come, the current one.
    /// Both in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: no snapshot is kept that is as old as `time`.
    /// - [`StorageError::NotOwner`]: `time` is not before `now`, and another instance owns the actor by now.
    pub fn bookmark_for_time(&mut self, time: i64, now: i64) -> Result<String, StorageError> {
        if time >= now {
            return self.current_bookmark(now);
        }
        let all = snapshots_in(&self.address().snapshots(self.store().folder()));
        let found =
            all.iter().rev().find(|(millis, _)| i64::try_from(*millis).is_ok_and(|millis| millis <= time));
        found.map(|(_, path)| name_of(path)).ok_or_else(|| {
            StorageError::Misuse("the object has no snapshot that is as old as this time".to_owned())
        })
    }

    /// Requests that the actor's next instance begins with the state of a bookmark. Returns the bookmark of the state
    /// now, with which the restore can be undone.
    ///
    /// # Errors
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Misuse`]: there is no such bookmark of the actor: it was never made, or its snapshot was
    ///   deleted.
    /// - [`StorageError::File`]: the request cannot be written to the disk.
    pub fn restore_at_next_open(&mut self, bookmark: &str, now: i64) -> Result<String, StorageError> {
        self.check_lease()?;
        let folder = self.store().folder().to_owned();
        let snapshots = self.address().snapshots(&folder);
        let is_pending = self.bookmark.as_deref() == Some(bookmark);
        if !is_pending && !snapshots_in(&snapshots).iter().any(|(_, path)| name_of(path) == bookmark) {
            return Err(StorageError::Misuse(format!(
                "there is no bookmark `{bookmark}` of this object: it was never made, or it is too old"
            )));
        }
        let undo = self.current_bookmark(now)?;
        let path = self.address().restore(&folder);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        write_whole(&path, |file| fs::write(file, bookmark))?;
        self.may_restore = false;
        Ok(undo)
    }

    /// Makes the snapshot that a bookmark of this turn names.
    pub(super) fn snapshot_if_requested(&mut self) -> Result<(), StorageError> {
        let Some(name) = self.bookmark.take() else { return Ok(()) };
        let snapshots = self.address().snapshots(self.store().folder());
        let limits = self.store().options().snapshots;
        let request = self.address().restore(self.store().folder());
        snapshot(self.path(), &snapshots, &name, &request, limits)?;
        self.bookmarked = Some(name);
        Ok(())
    }

    /// Makes a snapshot on another thread where the last one is old and the file has changed since.
    pub(super) fn snapshot_if_due(&self) {
        let limits = self.store().options().snapshots;
        let Some(every) = limits.every else { return };
        let changed = [self.path().clone(), wal_of(self.path())].into_iter().filter_map(|path| {
            let metadata = fs::metadata(&path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        });
        let (changed, bytes) =
            changed.fold((UNIX_EPOCH, 0), |(time, bytes), (other, more)| (time.max(other), bytes + more));
        let snapshots = self.address().snapshots(self.store().folder());
        let last = snapshots_in(&snapshots).last().map(|(millis, _)| *millis);
        let last =
            last.map_or_else(|| created(self.path()), |millis| UNIX_EPOCH + Duration::from_millis(millis));
        let now = SystemTime::now();
        let is_old = now.duration_since(last).is_ok_and(|age| age >= every);
        if !is_old || changed <= last || bytes > limits.largest {
            return;
        }
        let name = name_at(now.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as u64));
        let (path, request) = (self.path().clone(), self.address().restore(self.store().folder()));
        self.store().durability().run(move || {
            if let Err(error) = snapshot(&path, &snapshots, &name, &request, limits) {
                tracing::warn!("a snapshot of an actor was not made: {error}");
            }
        });
    }
}

fn created(path: &Path) -> SystemTime {
    fs::metadata(path)
        .and_then(|it| it.created().or_else(|_| it.modified()))
        .unwrap_or_else(|_| SystemTime::now())
}

/// A new name. Names sort by their times.
fn name_at(millis: u64) -> String {
    format!("{millis:016x}-{:08x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The snapshots of a folder with their times in milliseconds since 1970, the oldest first.
fn snapshots_in(folder: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let time_of = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".sqlite")?;
        let (millis, count) = name.split_once('-')?;
        u32::from_str_radix(count, 16).ok()?;
        u64::from_str_radix(millis, 16).ok()
    };
    let mut found: Vec<_> =
        entries.flatten().filter_map(|it| Some((time_of(&it.path())?, it.path()))).collect();
    found.sort_unstable_by(|a, b| a.1.cmp(&b.1));
    found
}

/// Copies what is committed in a file, without the pages that are not in use. An empty file stands for none.
/// The snapshot that `request` names is kept for that.
fn snapshot(
    path: &Path,
    folder: &Path,
    name: &str,
    request: &Path,
    limits: SnapshotLimits,
) -> Result<(), StorageError> {
    make_folder(folder)?;
    let target = folder.join(format!("{name}.sqlite"));
    write_whole(&target, |new| match path.exists() {
        true => vacuum_into(path, new),
        false => File::create(new).map(drop),
    })?;
    let all = snapshots_in(folder);
    let excess = all.len().saturating_sub(limits.most.max(1));
    let oldest = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(limits.age);
    let requested = fs::read_to_string(request).unwrap_or_default();
    for (index, (millis, path)) in all.iter().enumerate() {
        if *path != target
            && name_of(path) != requested
            && (index < excess || u128::from(*millis) < oldest.as_millis())
        {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

fn vacuum_into(path: &Path, new: &Path) -> std::io::Result<()> {
    let copy = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = Connection::open_with_flags(path, flags)?;
        sqlite.busy_timeout(BUSY_LIMIT)?;
        sqlite.execute("VACUUM INTO ?", [new.to_string_lossy()])
    };
    copy().map(drop).map_err(|error| std::io::Error::other(error.to_string()))
}

/// Writes a file so that it is whole or not there: under another name first.
fn write_whole(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let done = remove(&new)
        .and_then(|()| write(&new))
        .and_then(|()| File::open(&new)?.sync_all())
        .and_then(|()| fs::rename(&new, path));
    done.map_err(|error| StorageError::io(&error, path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts the snapshot in place that a request names. The file is not open. Where the process ends in between, the
/// request is still there and is carried out again.
pub(super) fn restore_if_requested(address: &Address, folder: &Path) -> Result<(), StorageError> {
    let request = address.restore(folder);
    let bookmark = match fs::read_to_string(&request) {
        Ok(bookmark) => bookmark,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StorageError::io(&error, &request)),
    };
    let file = address.file(folder);
    let found = snapshots_in(&address.snapshots(folder)).into_iter().find(|(_, it)| name_of(it) == bookmark);
    match found {
        None => tracing::error!("{}: the snapshot {bookmark} is gone; nothing is restored", file.display()),
        Some((_, snapshot)) => {
            let failed = |error: std::io::Error| StorageError::io(&error, &file);
            // The WAL belongs to the old content: it must be gone before the new content is in place.
            close_wal(&file)?;
            if fs::metadata(&snapshot).map_err(failed)?.len() == 0 {
                remove(&file).map_err(failed)?;
            } else {
                write_whole(&file, |new| fs::copy(&snapshot, new).map(drop))?;
            }
        }
    }
    remove(&request).map_err(|error| StorageError::io(&error, &request))?;
    request.parent().map_or(Ok(()), sync_folder)
}

/// Moves the WAL into the file, and removes it.
fn close_wal(file: &Path) -> Result<(), StorageError> {
    if !wal_of(file).exists() {
        return Ok(());
    }
    let close = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = Connection::open_with_flags(file, flags)?;
        sqlite.busy_timeout(BUSY_LIMIT)?;
        sqlite.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    close().map_err(|error| StorageError::of(SqlError::from(error), file))?;
    remove(&wal_of(file)).map_err(|error| StorageError::io(&error, file))
}

/// Deletes an actor's file, its snapshots and its facets.
pub(super) fn delete_files(address: &Address, folder: &Path) -> Result<(), StorageError> {
    let file = address.file(folder);
    let mut shared_memory = file.as_os_str().to_owned();
    shared_memory.push("-shm");
    // The file last: with it the WAL would begin to count again.
    for path in [address.restore(folder), wal_of(&file), shared_memory.into(), file] {
        remove(&path).map_err(|error| StorageError::io(&error, &path))?;
    }
    for path in [address.snapshots(folder), address.facets_folder(folder)] {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StorageError::io(&error, &path));
            }
            _ => {}
        }
    }
    Ok(())
}
