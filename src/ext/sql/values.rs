//! Converts rows and parameters: a row is an object by column; parameters are an array or object of values.

use std::convert::Infallible;
use std::sync::Arc;

use deno_core::{FromV8, ResourceId, ToV8, v8};
use deno_error::JsErrorBox;

use crate::ext::Memory;
use liveline_store::{Change, Outcome, Params, ResultSet, Row, Value};

/// The largest integer that a JavaScript number represents exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;

/// The first result of a live query, and its number.
pub(super) struct FirstResult {
    pub id: ResourceId,
    pub result: Arc<ResultSet>,
}

/// A change of the result of a live query.
pub(super) struct NextChange(pub Arc<Change>);

/// A result that is copied to the isolate if its memory limit allows.
pub(super) struct Found<T> {
    pub what: T,
    pub memory: Memory,
}

impl<'s> ToV8<'s> for Found<Outcome> {
    type Error = JsErrorBox;

    fn to_v8<'i>(self, scope: &mut v8::PinScope<'s, 'i>) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
        let Found { what, memory } = self;
        make_room(scope, &memory, &what.result)?;
        let object = v8::Object::new(scope);
        let changes = v8::Number::new(scope, what.changes as f64).into();
        let rowid = match what.last_insert_rowid {
            Some(rowid) => integer(scope, rowid),
            None => v8::null(scope).into(),
        };
        put_result(scope, object, &what.result);
        put(scope, object, "changes", changes);
        put(scope, object, "lastInsertRowid", rowid);
        Ok(object.into())
    }
}

impl<'s> ToV8<'s> for Found<FirstResult> {
    type Error = JsErrorBox;

    fn to_v8<'i>(self, scope: &mut v8::PinScope<'s, 'i>) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
        let Found { what: FirstResult { id, result }, memory } = self;
        make_room(scope, &memory, &result)?;
        let object = v8::Object::new(scope);
        let id = v8::Integer::new_from_unsigned(scope, id).into();
        put(scope, object, "follower", id);
        put_result(scope, object, &result);
        Ok(object.into())
    }
}

/// Checks that the isolate has room for a copy.
fn make_room(
    scope: &mut v8::PinScope<'_, '_>,
    memory: &Memory,
    result: &ResultSet,
) -> Result<(), JsErrorBox> {
    let room = memory.make_room(scope, result.held.bytes());
    room.map_err(|error| JsErrorBox::range_error(error.to_string()))
}

/// `{ fields: [old index, { column: value }, ...], places: [index, old index or -1, row or null, ...], length
/// }`
impl<'s> ToV8<'s> for NextChange {
    type Error = Infallible;

    fn to_v8<'i>(self, scope: &mut v8::PinScope<'s, 'i>) -> Result<v8::Local<'s, v8::Value>, Infallible> {
        let Change { to, fields, places, .. } = &*self.0;
        let names = names(scope, &to.columns);
        let mut flat = Vec::with_capacity(2 * fields.len());
        for (old, new, columns) in fields {
            let changed = v8::Object::new(scope);
            for column in columns {
                let field = value(scope, &to.rows[*new][*column]);
                changed.create_data_property(scope, names[*column], field);
            }
            flat.push(index(scope, *old));
            flat.push(changed.into());
        }
        let fields = v8::Array::new_with_elements(scope, &flat).into();
        let mut flat = Vec::with_capacity(3 * places.len());
        for (at, origin) in places {
            flat.push(index(scope, *at));
            match origin {
                Some(origin) => flat.extend([index(scope, *origin), v8::null(scope).into()]),
                None => {
                    flat.push(v8::Integer::new(scope, -1).into());
                    flat.push(row(scope, &names, &to.rows[*at]));
                }
            }
        }
        let places = v8::Array::new_with_elements(scope, &flat).into();
        let length = index(scope, to.rows.len());
        let object = v8::Object::new(scope);
        put(scope, object, "fields", fields);
        put(scope, object, "places", places);
        put(scope, object, "length", length);
        Ok(object.into())
    }
}

/// The parameters of a query: an array of values, or an object with a value for each name.
pub(super) struct Given(pub Params);

impl<'s> FromV8<'s> for Given {
    type Error = JsErrorBox;

    fn from_v8<'i>(
        scope: &mut v8::PinScope<'s, 'i>,
        given: v8::Local<'s, v8::Value>,
    ) -> Result<Self, JsErrorBox> {
        if let Ok(array) = v8::Local::<v8::Array>::try_from(given) {
            let mut values = Vec::with_capacity(array.length() as usize);
            for index in 0..array.length() {
                let item = array.get_index(scope, index);
                values.push(parameter(scope, item, &(index + 1).to_string())?);
            }
            return Ok(Given(Params::Positional(values)));
        }
        let Some(object) = given.to_object(scope) else { return Ok(Given(Params::default())) };
        let names = object.get_own_property_names(scope, v8::GetPropertyNamesArgs::default());
        let Some(names) = names else { return Ok(Given(Params::default())) };
        let mut values = Vec::with_capacity(names.length() as usize);
        for index in 0..names.length() {
            let Some(name) = names.get_index(scope, index) else { continue };
            let item = object.get(scope, name);
            let name = name.to_rust_string_lossy(scope);
            values.push((name.clone(), parameter(scope, item, &name)?));
        }
        Ok(Given(Params::Named(values)))
    }
}

fn parameter<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    given: Option<v8::Local<'s, v8::Value>>,
    name: &str,
) -> Result<Value, JsErrorBox> {
    let refuse = |what: &str| JsErrorBox::type_error(format!("the query's parameter {name} is {what}"));
    let Some(given) = given.filter(|given| !given.is_undefined()) else {
        return Err(refuse("undefined; an absent value is null"));
    };
    if given.is_null() {
        return Ok(Value::Null);
    }
    if given.is_boolean() {
        return Ok(Value::Integer(given.is_true().into()));
    }
    if let Ok(number) = v8::Local::<v8::Number>::try_from(given) {
        return Ok(integer_or_real(number.value()));
    }
    if let Ok(big) = v8::Local::<v8::BigInt>::try_from(given) {
        let (integer, is_exact) = big.i64_value();
        return if is_exact { Ok(Value::Integer(integer)) } else { Err(refuse("beyond 64 bits")) };
    }
    if given.is_string() {
        return Ok(Value::Text(given.to_rust_string_lossy(scope)));
    }
    if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(given) {
        let mut bytes = vec![0; view.byte_length()];
        view.copy_contents(&mut bytes);
        return Ok(Value::Blob(bytes));
    }
    Err(refuse("no value that a database has; store objects as JSON.stringify(...)"))
}

/// A number as SQLite stores it.
pub(in crate::ext) fn integer_or_real(number: f64) -> Value {
    let is_integer = number.trunc() == number && number.abs() <= MAX_SAFE as f64;
    if is_integer { Value::Integer(number as i64) } else { Value::Real(number) }
}

fn put_result<'s>(scope: &mut v8::PinScope<'s, '_>, object: v8::Local<'s, v8::Object>, result: &ResultSet) {
    let names = names(scope, &result.columns);
    let rows: Vec<_> = result.rows.iter().map(|fields| row(scope, &names, fields)).collect();
    let rows = v8::Array::new_with_elements(scope, &rows).into();
    let columns: Vec<v8::Local<'s, v8::Value>> = names.iter().map(|name| (*name).into()).collect();
    let columns = v8::Array::new_with_elements(scope, &columns).into();
    put(scope, object, "rows", rows);
    put(scope, object, "columns", columns);
}

/// The column names, created once for all rows.
fn names<'s>(scope: &mut v8::PinScope<'s, '_>, columns: &[String]) -> Vec<v8::Local<'s, v8::Name>> {
    let name = |column: &String| {
        let name = v8::String::new_from_utf8(scope, column.as_bytes(), v8::NewStringType::Internalized);
        name.map_or_else(|| v8::String::empty(scope).into(), Into::into)
    };
    columns.iter().map(name).collect()
}

fn row<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    names: &[v8::Local<'s, v8::Name>],
    fields: &Row,
) -> v8::Local<'s, v8::Value> {
    let object = v8::Object::new(scope);
    for (name, field) in names.iter().zip(fields) {
        let field = value(scope, field);
        // Defined, not assigned: a column may have the name `__proto__`.
        object.create_data_property(scope, *name, field);
    }
    object.into()
}

pub(in crate::ext) fn value<'s>(scope: &mut v8::PinScope<'s, '_>, value: &Value) -> v8::Local<'s, v8::Value> {
    match value {
        Value::Null => v8::null(scope).into(),
        Value::Integer(number) => integer(scope, *number),
        Value::Real(number) => v8::Number::new(scope, *number).into(),
        // Null if the text is longer than V8 allows, about half a gigabyte.
        Value::Text(text) => v8::String::new(scope, text).map_or_else(|| v8::null(scope).into(), Into::into),
        Value::Blob(bytes) => {
            let length = bytes.len();
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes.clone()).make_shared();
            let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
            v8::Uint8Array::new(scope, buffer, 0, length).map_or_else(|| v8::null(scope).into(), Into::into)
        }
    }
}

/// A number, or a BigInt if a number would not be exact.
fn integer<'s>(scope: &mut v8::PinScope<'s, '_>, integer: i64) -> v8::Local<'s, v8::Value> {
    if (-MAX_SAFE..=MAX_SAFE).contains(&integer) {
        v8::Number::new(scope, integer as f64).into()
    } else {
        v8::BigInt::new_from_i64(scope, integer).into()
    }
}

fn index<'s>(scope: &mut v8::PinScope<'s, '_>, index: usize) -> v8::Local<'s, v8::Value> {
    v8::Number::new(scope, index as f64).into()
}

fn put<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    key: &str,
    value: v8::Local<'s, v8::Value>,
) {
    let key = v8::String::new(scope, key).expect("a short string");
    object.create_data_property(scope, key.into(), value);
}
