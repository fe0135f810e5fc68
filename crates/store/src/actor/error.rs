//! Errors of actors' storage.

use std::path::{Path, PathBuf};

use crate::SqlError;

/// Why a call of an actor's storage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// SQLite refused the statement; nothing of it was written.
    #[error(transparent)]
    Statement(#[from] SqlError),
    /// A key, a value, a statement or the file would be larger than the limit that is named.
    #[error("{0}")]
    Limit(String),
    /// The call is not allowed here.
    #[error("{0}")]
    Misuse(String),
    /// The actor has another owner by now, so that this one may not write.
    #[error("the actor {0} has another owner by now: this instance may not use its storage any more")]
    NotOwner(String),
    /// The file failed. What the turn has written is rolled back, and the actor has to be reset.
    #[error("the file of an actor, {path}: {message}", path = .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What kind of fault it is.
        fault: FileFault,
        /// What happened, and what helps.
        message: String,
    },
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// Its content is no database, or a damaged one.
    Corrupt,
    /// The disk is full.
    Full,
    /// The file or its folder may not be written.
    ReadOnly,
    /// It cannot be opened or created.
    CannotOpen,
    /// Reading or writing failed.
    Io,
}

impl StorageError {
    /// Whether the actor has to be reset, because its instance may know of writes that are not in the file.
    pub fn is_fatal(&self) -> bool {
        matches!(self, StorageError::File { .. } | StorageError::NotOwner(_))
    }

    /// The error of a statement or of the file, whichever SQLite reports.
    pub(super) fn of(error: SqlError, path: &Path) -> StorageError {
        let (fault, help) = match error.code {
            "SQLITE_CORRUPT" | "SQLITE_NOTADB" => (
                FileFault::Corrupt,
                "the file is damaged. Put a copy back, or move the file away to begin with an empty one",
            ),
            "SQLITE_FULL" => (FileFault::Full, "the disk is full. Nothing of this turn was stored"),
            "SQLITE_READONLY" | "SQLITE_PERM" => {
                (FileFault::ReadOnly, "the file or its folder is read-only. Nothing of this turn was stored")
            }
            "SQLITE_CANTOPEN" => (
                FileFault::CannotOpen,
                "it cannot be opened or created. Check that the folder exists and may be written",
            ),
            "SQLITE_IOERR" => (FileFault::Io, "reading or writing failed. Nothing of this turn was stored"),
            _ => return StorageError::Statement(error),
        };
        StorageError::File { path: path.to_owned(), fault, message: format!("{help} ({})", error.message) }
    }

    /// The error of a call to the operating system.
    pub(super) fn io(error: &std::io::Error, path: &Path) -> StorageError {
        use std::io::ErrorKind;
        let fault = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => FileFault::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileFault::ReadOnly,
            ErrorKind::NotFound => FileFault::CannotOpen,
            _ => FileFault::Io,
        };
        StorageError::File { path: path.to_owned(), fault, message: error.to_string() }
    }
}
