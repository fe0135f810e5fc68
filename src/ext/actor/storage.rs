//! The ops of an actor's storage. They work on the isolate's thread; what a turn has written is committed at its end.

use deno_core::convert::Uint8Array;
use deno_core::{FromV8, OpState, ToJsBuffer, ToV8, op2, v8};
use deno_error::JsErrorBox;
use serde::{Deserialize, Serialize};

use super::alarms::now;
use super::running::Running;
use crate::ext::OpError;
use crate::ext::sql::to_v8;
use liveline_proto::actor::{AlarmEnd, EventId};
use liveline_store::Value;
use liveline_store::actor::{ActorStorage, Cursor, DueAlarm, KeyRange, StorageError};

/// Runs a call of an actor's storage.
fn with<T>(
    state: &mut OpState,
    instance: u32,
    work: impl FnOnce(&mut ActorStorage) -> Result<T, StorageError>,
) -> Result<T, OpError> {
    state.borrow_mut::<Running>().with_storage(instance, work).map_err(OpError::from)
}

/// The value of a key as it was serialized; null if there is none.
#[op2]
pub(crate) fn op_actor_kv_get(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] key: &str,
) -> Result<Option<Uint8Array>, OpError> {
    Ok(with(state, instance, |storage| storage.get(key))?.map(Uint8Array::from))
}

/// Keys and values.
type Entries = Vec<(String, ToJsBuffer)>;

fn entries(found: Vec<(String, Vec<u8>)>) -> Entries {
    found.into_iter().map(|(key, value)| (key, value.into())).collect()
}

/// The values of those keys that there are.
#[op2]
#[serde]
pub(crate) fn op_actor_kv_get_many(
    state: &mut OpState,
    #[smi] instance: u32,
    #[serde] keys: Vec<String>,
) -> Result<Entries, OpError> {
    with(state, instance, |storage| storage.get_many(&keys)).map(entries)
}

/// Stores the value of a key.
#[op2(fast)]
pub(crate) fn op_actor_kv_put(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] key: &str,
    #[buffer] value: &[u8],
) -> Result<(), OpError> {
    with(state, instance, |storage| storage.put(key, value))
}

/// Deletes keys. Returns how many there were.
#[op2]
#[smi]
pub(crate) fn op_actor_kv_delete(
    state: &mut OpState,
    #[smi] instance: u32,
    #[serde] keys: Vec<String>,
) -> Result<u32, OpError> {
    with(state, instance, |storage| storage.delete_many(&keys)).map(|count| count as u32)
}

/// Which keys are listed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListOptions {
    start: Option<String>,
    start_after: Option<String>,
    end: Option<String>,
    prefix: Option<String>,
    reverse: bool,
    limit: Option<u32>,
}

/// The keys and values of a range, in order.
#[op2]
#[serde]
pub(crate) fn op_actor_kv_list(
    state: &mut OpState,
    #[smi] instance: u32,
    #[serde] options: ListOptions,
) -> Result<Entries, OpError> {
    let ListOptions { start, start_after, end, prefix, reverse, limit } = options;
    let range = KeyRange { start, start_after, end, prefix, reverse, limit };
    with(state, instance, |storage| storage.list(&range)).map(entries)
}

/// Deletes all keys and tables, and with `and_alarm` the alarm.
#[op2(fast)]
pub(crate) fn op_actor_delete_all(
    state: &mut OpState,
    #[smi] instance: u32,
    and_alarm: bool,
) -> Result<(), OpError> {
    with(state, instance, |storage| storage.delete_all(and_alarm))
}

/// The values that are bound to a statement.
pub(crate) struct Binds(Vec<Value>);

impl<'s> FromV8<'s> for Binds {
    type Error = JsErrorBox;

    fn from_v8<'i>(
        scope: &mut v8::PinScope<'s, 'i>,
        given: v8::Local<'s, v8::Value>,
    ) -> Result<Self, JsErrorBox> {
        let array = v8::Local::<v8::Array>::try_from(given)
            .map_err(|_| JsErrorBox::type_error("the bindings are an array"))?;
        let mut values = Vec::with_capacity(array.length() as usize);
        for index in 0..array.length() {
            let item = array.get_index(scope, index);
            values.push(match item {
                None => Value::Null,
                Some(item) => bound(scope, item, index)?,
            });
        }
        Ok(Binds(values))
    }
}

fn bound<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    item: v8::Local<'s, v8::Value>,
    index: u32,
) -> Result<Value, JsErrorBox> {
    if item.is_null_or_undefined() {
        return Ok(Value::Null);
    }
    if let Ok(number) = v8::Local::<v8::Number>::try_from(item) {
        // A number of JavaScript has a fraction: `? / 2` of 5 is 2.5. A column of integers stores it as an integer.
        return Ok(Value::Real(number.value()));
    }
    if item.is_boolean() {
        return Ok(Value::Integer(item.is_true().into()));
    }
    if item.is_string() {
        return Ok(Value::Text(item.to_rust_string_lossy(scope)));
    }
    if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(item) {
        let mut bytes = vec![0; view.byte_length()];
        view.copy_contents(&mut bytes);
        return Ok(Value::Blob(bytes));
    }
    if let Ok(buffer) = v8::Local::<v8::ArrayBuffer>::try_from(item)
        && let Some(view) = v8::Uint8Array::new(scope, buffer, 0, buffer.byte_length())
    {
        let mut bytes = vec![0; view.byte_length()];
        view.copy_contents(&mut bytes);
        return Ok(Value::Blob(bytes));
    }
    Err(JsErrorBox::type_error(format!(
        "binding {} is no value that a database has: string, number, null or ArrayBuffer",
        index + 1
    )))
}

/// What statements have returned, for JavaScript: the names of columns, the rows as arrays, and two counts.
pub(crate) struct Returned(Cursor);

impl<'s> ToV8<'s> for Returned {
    type Error = std::convert::Infallible;

    fn to_v8<'i>(
        self,
        scope: &mut v8::PinScope<'s, 'i>,
    ) -> Result<v8::Local<'s, v8::Value>, std::convert::Infallible> {
        let Returned(cursor) = self;
        let columns: Vec<_> =
            cursor.columns.iter().map(|name| to_v8(scope, &Value::Text(name.clone()))).collect();
        let columns = v8::Array::new_with_elements(scope, &columns).into();
        let mut rows: Vec<v8::Local<'s, v8::Value>> = Vec::with_capacity(cursor.rows.len());
        for row in &cursor.rows {
            let mut fields = Vec::with_capacity(row.len());
            for field in row {
                fields.push(field_to_v8(scope, field));
            }
            rows.push(v8::Array::new_with_elements(scope, &fields).into());
        }
        let rows = v8::Array::new_with_elements(scope, &rows).into();
        let read = v8::Number::new(scope, cursor.rows_read as f64).into();
        let written = v8::Number::new(scope, cursor.rows_written as f64).into();
        Ok(v8::Array::new_with_elements(scope, &[columns, rows, read, written]).into())
    }
}

/// A field. Integers are numbers, as everywhere in Workers, and bytes are ArrayBuffers.
fn field_to_v8<'s>(scope: &mut v8::PinScope<'s, '_>, field: &Value) -> v8::Local<'s, v8::Value> {
    match field {
        Value::Integer(integer) => v8::Number::new(scope, *integer as f64).into(),
        Value::Blob(bytes) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes.clone()).make_shared();
            v8::ArrayBuffer::with_backing_store(scope, &store).into()
        }
        other => to_v8(scope, other),
    }
}

/// Runs statements; the values are bound to the last one.
#[op2]
pub(crate) fn op_actor_sql(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] sql: &str,
    #[scoped] binds: Binds,
) -> Result<Returned, OpError> {
    with(state, instance, |storage| storage.exec(sql, &binds.0)).map(Returned)
}

/// Bytes of the actor's file.
#[op2(fast)]
pub(crate) fn op_actor_database_size(state: &mut OpState, #[smi] instance: u32) -> Result<f64, OpError> {
    with(state, instance, |storage| storage.database_size()).map(|bytes| bytes as f64)
}

/// Begins a part of the turn's writes that can be undone on its own, and may go on in later turns. Returns how many are
/// open.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_savepoint(
    state: &mut OpState,
    #[smi] instance: u32,
    spans_turns: bool,
) -> Result<u32, OpError> {
    let running = state.borrow_mut::<Running>();
    let savepoint = running.with_storage(instance, |storage| storage.savepoint(spans_turns))?;
    Ok(running.push_savepoint(instance, savepoint))
}

/// Ends the part that was begun last, the one with this number.
#[op2(fast)]
pub(crate) fn op_actor_savepoint_end(
    state: &mut OpState,
    #[smi] instance: u32,
    #[smi] number: u32,
    keeps: bool,
) -> Result<(), OpError> {
    let running = state.borrow_mut::<Running>();
    let savepoint = running.savepoint(instance, number)?;
    running.with_storage(instance, |storage| match keeps {
        true => storage.release(savepoint),
        false => storage.rollback_to(savepoint),
    })?;
    running.pop_savepoint(instance);
    Ok(())
}

/// When the alarm is due, in milliseconds since 1970; -1 if there is none.
#[op2(fast)]
pub(crate) fn op_actor_alarm_get(state: &mut OpState, #[smi] instance: u32) -> Result<f64, OpError> {
    with(state, instance, |storage| storage.get_alarm()).map(|due| due.map_or(-1., |due| due as f64))
}

/// Sets the alarm. The name of the actor's id is remembered with it, if it has one.
#[op2]
pub(crate) fn op_actor_alarm_set(
    state: &mut OpState,
    #[smi] instance: u32,
    due: f64,
    #[string] name: Option<String>,
) -> Result<(), OpError> {
    with(state, instance, |storage| {
        storage.set_alarm(due as i64)?;
        match name.filter(|name| name.len() <= MAX_NAME) {
            Some(name) => storage.set_name(&name),
            None => Ok(()),
        }
    })
}

/// The longest name that is remembered, in bytes.
const MAX_NAME: usize = 1024;

/// The name of the actor's id that was remembered; null if there is none.
#[op2]
#[string]
pub(crate) fn op_actor_name(state: &mut OpState, #[smi] instance: u32) -> Result<Option<String>, OpError> {
    with(state, instance, |storage| storage.name())
}

/// Deletes the alarm.
#[op2(fast)]
pub(crate) fn op_actor_alarm_delete(state: &mut OpState, #[smi] instance: u32) -> Result<(), OpError> {
    with(state, instance, |storage| storage.delete_alarm())
}

/// The alarm of an actor has come. Returns whether its handler is to run now: the alarm may have been deleted or set to
/// another time.
#[op2(fast)]
pub(crate) fn op_actor_alarm_begin(state: &mut OpState, #[smi] instance: u32) -> Result<bool, OpError> {
    let in_file = match with(state, instance, |storage| storage.begin_alarm(now()))? {
        DueAlarm::Due(_) => return Ok(true),
        DueAlarm::Later(due) => Some(due),
        DueAlarm::Absent => None,
    };
    let running = state.borrow::<Running>();
    if let Some(found) = running.instance(instance) {
        running.actors.engine(|engine| engine.set_alarm(&found.actor, in_file));
    }
    Ok(false)
}

/// The handler of an alarm has ended. After a failure it runs again after a while, unless it has failed too often.
/// Returns whether it will not run again after a failure.
#[op2(fast)]
pub(crate) fn op_actor_alarm_end(
    state: &mut OpState,
    #[smi] instance: u32,
    #[number] event: u64,
    has_failed: bool,
) -> Result<bool, OpError> {
    let running = state.borrow::<Running>();
    let Some(found) = running.instance(instance) else { return Ok(false) };
    let id = found.id;
    let end = running.actors.engine(|engine| engine.alarm_finished(id, EventId(event), has_failed));
    let is_over = !matches!(end, AlarmEnd::Repeated(_));
    with(state, instance, |storage| storage.end_alarm(is_over))?;
    Ok(end == AlarmEnd::GivenUp)
}

/// Bookmarks of the actor's storage.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Bookmark(String);

/// The bookmark of the state at the end of this turn, or at a time in milliseconds since 1970 if that is not negative.
#[op2]
#[serde]
pub(crate) fn op_actor_bookmark(
    state: &mut OpState,
    #[smi] instance: u32,
    time: f64,
) -> Result<Bookmark, OpError> {
    with(state, instance, |storage| match time < 0. {
        true => storage.current_bookmark(now()),
        false => storage.bookmark_for_time(time as i64, now()),
    })
    .map(Bookmark)
}

/// The actor's next instance begins with the state of a bookmark. Returns the bookmark of the state now.
#[op2]
#[serde]
pub(crate) fn op_actor_restore(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] bookmark: &str,
) -> Result<Bookmark, OpError> {
    with(state, instance, |storage| storage.restore_at_next_open(bookmark, now())).map(Bookmark)
}
