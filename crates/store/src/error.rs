//! Errors of databases.

use std::fmt;

use rusqlite::ffi;

/// How much of a statement an error shows on either side of its place.
const SHOWN: usize = 40;

/// An error as SQLite names it, with the statement it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// SQLite's name for it: `SQLITE_CONSTRAINT_UNIQUE`.
    pub code: &'static str,
    /// What went wrong, in a sentence.
    pub message: String,
    /// The statement, where there was one.
    pub sql: Option<String>,
    /// Where in the statement, in bytes, if SQLite reports it.
    pub offset: Option<usize>,
}

impl SqlError {
    /// An error without a statement.
    pub fn new(code: &'static str, message: impl Into<String>) -> SqlError {
        SqlError { code, message: message.into(), sql: None, offset: None }
    }

    /// The statement may be valid SQL, but not here.
    pub(super) fn misuse(message: impl Into<String>) -> SqlError {
        SqlError::new("SQLITE_MISUSE", message)
    }

    /// The database's thread has ended.
    pub(super) fn closed() -> SqlError {
        SqlError::new("SQLITE_ABORT", "the database was closed")
    }

    /// The same error, with its statement.
    pub(super) fn of(mut self, sql: &str) -> SqlError {
        self.sql.get_or_insert_with(|| sql.to_owned());
        self
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let Some(sql) = &self.sql else { return Ok(()) };
        let at = self.offset.unwrap_or(0);
        let start = sql.floor_char_boundary(at.saturating_sub(SHOWN));
        let end = sql.ceil_char_boundary(at + 2 * SHOWN);
        let excerpt = sql[start..end].split_whitespace().collect::<Vec<_>>().join(" ");
        let (before, after) = (if start > 0 { "..." } else { "" }, if end < sql.len() { "..." } else { "" });
        if self.offset.is_some() {
            write!(f, " at character {}", sql[..sql.floor_char_boundary(at)].chars().count() + 1)?;
        }
        write!(f, " in: {before}{excerpt}{after}")
    }
}

impl std::error::Error for SqlError {}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error;
        match error {
            Error::SqlInputError { error, msg, sql, offset } => SqlError {
                code: name_of(error.extended_code),
                message: msg,
                sql: Some(sql),
                offset: usize::try_from(offset).ok(),
            },
            Error::SqliteFailure(error, message) => {
                let message = message.unwrap_or_else(|| ffi::code_to_str(error.extended_code).to_owned());
                SqlError::new(name_of(error.extended_code), message)
            }
            Error::MultipleStatement => {
                SqlError::misuse("more than one statement; exec() runs several, without parameters")
            }
            Error::NulError(_) => SqlError::misuse("a statement cannot hold a NUL character"),
            other => SqlError::new("SQLITE_ERROR", other.to_string()),
        }
    }
}

/// SQLite's name for a result code: the exact one for constraints, else the general one.
fn name_of(extended: i32) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_CHECK => "SQLITE_CONSTRAINT_CHECK",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "SQLITE_CONSTRAINT_DATATYPE",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "SQLITE_CONSTRAINT_FOREIGNKEY",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "SQLITE_CONSTRAINT_NOTNULL",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => "SQLITE_CONSTRAINT_PRIMARYKEY",
        ffi::SQLITE_CONSTRAINT_ROWID => "SQLITE_CONSTRAINT_ROWID",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "SQLITE_CONSTRAINT_TRIGGER",
        ffi::SQLITE_CONSTRAINT_UNIQUE => "SQLITE_CONSTRAINT_UNIQUE",
        _ => match extended & 0xff {
            ffi::SQLITE_ABORT => "SQLITE_ABORT",
            ffi::SQLITE_AUTH => "SQLITE_AUTH",
            ffi::SQLITE_BUSY => "SQLITE_BUSY",
            ffi::SQLITE_CANTOPEN => "SQLITE_CANTOPEN",
            ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT",
            ffi::SQLITE_CORRUPT => "SQLITE_CORRUPT",
            ffi::SQLITE_FULL => "SQLITE_FULL",
            ffi::SQLITE_INTERRUPT => "SQLITE_INTERRUPT",
            ffi::SQLITE_IOERR => "SQLITE_IOERR",
            ffi::SQLITE_LOCKED => "SQLITE_LOCKED",
            ffi::SQLITE_MISMATCH => "SQLITE_MISMATCH",
            ffi::SQLITE_MISUSE => "SQLITE_MISUSE",
            ffi::SQLITE_NOMEM => "SQLITE_NOMEM",
            ffi::SQLITE_NOTADB => "SQLITE_NOTADB",
            ffi::SQLITE_PERM => "SQLITE_PERM",
            ffi::SQLITE_RANGE => "SQLITE_RANGE",
            ffi::SQLITE_READONLY => "SQLITE_READONLY",
            ffi::SQLITE_SCHEMA => "SQLITE_SCHEMA",
            ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG",
            _ => "SQLITE_ERROR",
        },
    }
}
