//! What the dialect of aiwebengine needs of the host. Half of `runtime-js/aiwebengine/`, whose scripts are loaded when a
//! project has scripts of aiwebengine.

mod fetch;

use deno_core::{OpState, op2};
use deno_error::JsError;
use liveline_store::SqlError;
use liveline_store::bindings::{ScriptStore, ScriptStoreError};

use super::Exchanges;

pub(super) use fetch::op_fetch_blocking;

/// One entry of [`embed!`](crate::embed): the specifier and the source of a lazily loaded module.
macro_rules! module {
    ($file:literal, $path:expr) => {
        (concat!("ext:liveline_aiwebengine/", $file), include_str!($path))
    };
}

/// The modules, by specifier.
pub(crate) static SCRIPTS: &[(&str, &str)] = embed!(
    module,
    "runtime-js/aiwebengine",
    [
        "answers.js",
        "app.js",
        "dispatcher.js",
        "fetch.js",
        "graphql_http.js",
        "graphql_page.js",
        "graphql_registry.js",
        "graphql_schema.js",
        "graphql_socket.js",
        "jsx.js",
        "registry.js",
        "request.js",
        "scheduler.js",
        "scope.js",
        "sockets.js",
        "storage.js",
        "streams.js",
        "testing.js",
    ]
);

/// The package graphql of npm in one module with its licence, as `xtask/bundle/embedded.mjs` makes it. Without npm it is
/// empty, and queries fail.
pub(crate) const GRAPHQL: (&str, &str) =
    ("ext:liveline_aiwebengine/graphql_package.js", include_str!(concat!(env!("OUT_DIR"), "/graphql.js")));

/// Why a value of a script is not read or stored.
#[derive(Debug, thiserror::Error, JsError)]
pub(crate) enum ScriptError {
    #[class("DOMExceptionQuotaExceededError")]
    #[error("{0}")]
    Limit(String),
    #[class(generic)]
    #[error("the values of scripts cannot be read or stored: {}", .0.message)]
    Sql(SqlError),
    #[class(generic)]
    #[error("values of scripts are not available while the code is only checked")]
    Absent,
}

impl From<SqlError> for ScriptError {
    fn from(error: SqlError) -> Self {
        ScriptError::Sql(error)
    }
}

impl From<ScriptStoreError> for ScriptError {
    fn from(error: ScriptStoreError) -> Self {
        match error {
            ScriptStoreError::Limit(message) => ScriptError::Limit(message),
            ScriptStoreError::Sql(error) => ScriptError::Sql(error),
        }
    }
}

fn store(state: &OpState) -> Result<ScriptStore, ScriptError> {
    let stores = state.borrow::<Exchanges>().host.stores.clone().ok_or(ScriptError::Absent)?;
    Ok(stores.scripts()?)
}

/// A value that a script has stored.
#[op2]
#[string]
pub(crate) fn op_script_get(
    state: &mut OpState,
    #[string] space: &str,
    #[string] key: &str,
) -> Result<Option<String>, ScriptError> {
    Ok(store(state)?.get(space, key)?)
}

/// Stores a value.
#[op2(fast)]
pub(crate) fn op_script_set(
    state: &mut OpState,
    #[string] space: &str,
    #[string] key: &str,
    #[string] value: &str,
) -> Result<(), ScriptError> {
    Ok(store(state)?.set(space, key, value)?)
}

/// Removes a value. False: there was none.
#[op2(fast)]
pub(crate) fn op_script_remove(
    state: &mut OpState,
    #[string] space: &str,
    #[string] key: &str,
) -> Result<bool, ScriptError> {
    Ok(store(state)?.remove(space, key)?)
}

/// Removes all values of a space.
#[op2(fast)]
pub(crate) fn op_script_clear(state: &mut OpState, #[string] space: &str) -> Result<(), ScriptError> {
    Ok(store(state)?.clear(space)?)
}

/// Registers a schedule. Returns its next time in milliseconds since 1970; 0: it has run for the last time.
#[op2(fast)]
pub(crate) fn op_schedule_set(
    state: &mut OpState,
    #[string] key: &str,
    at: f64,
    interval: f64,
) -> Result<f64, ScriptError> {
    Ok(store(state)?.schedule(key, at as i64, interval as i64)? as f64)
}

/// Whether the isolate is to run the handler of a schedule: it is of the newest generation, and no other one runs it.
#[op2(fast)]
pub(crate) fn op_schedule_claim(
    state: &mut OpState,
    #[string] key: &str,
    time: f64,
    next: f64,
) -> Result<bool, ScriptError> {
    if !super::workers::is_newest(state) {
        return Ok(false);
    }
    Ok(store(state)?.claim(key, time as i64, next as i64)?)
}

/// Removes all schedules but those with these keys.
#[op2]
pub(crate) fn op_schedule_keep(state: &mut OpState, #[serde] keys: Vec<String>) -> Result<(), ScriptError> {
    let has_file = state.borrow::<Exchanges>().host.stores.as_ref().is_some_and(super::Stores::has_scripts);
    if keys.is_empty() && !has_file {
        return Ok(());
    }
    Ok(store(state)?.keep_schedules(&keys)?)
}

/// Removes the schedules whose keys begin with a prefix.
#[op2(fast)]
pub(crate) fn op_schedule_clear(state: &mut OpState, #[string] prefix: &str) -> Result<(), ScriptError> {
    Ok(store(state)?.clear_schedules(prefix)?)
}
