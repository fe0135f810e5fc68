//! The values of a database's fields, and of a statement's parameters.

use std::hash::{Hash, Hasher};

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// The value of one field. Values are equal if they have the same type and the same bits: 1 is not 1.0.
#[derive(Debug, Clone)]
pub enum Value {
    /// `NULL`.
    Null,
    /// A whole number of 64 bits.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The fields of one row, in the order of the columns.
pub type Row = Box<[Value]>;

/// The values for the `?` or the `:name` of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Params {
    /// In the order of the `?`.
    Positional(Vec<Value>),
    /// Names with or without their `:`, `@` or `$`.
    Named(Vec<(String, Value)>),
}

impl Default for Params {
    fn default() -> Self {
        Params::Positional(Vec::new())
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            // SQLite also stores texts that are not UTF-8.
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(blob) => Value::Blob(blob.to_owned()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Blob(a), Value::Blob(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Value::Null => {}
            Value::Integer(integer) => integer.hash(state),
            Value::Real(real) => real.to_bits().hash(state),
            Value::Text(text) => text.hash(state),
            Value::Blob(blob) => blob.hash(state),
        }
    }
}
