//! The cookies of a request, and the cookies that its answer sets. Half of `runtime-js/cookies/cookies.js`.

use deno_core::{OpState, op2};

use super::OpError;
use super::exchange::ExchangeState;
use crate::http::{SetCookie, cookies, set_cookie, unescaped};

/// The cookies of the request: name, value, name, value.
#[op2]
#[serde]
pub(crate) fn op_cookies(state: &mut OpState, id: f64) -> Result<Vec<String>, OpError> {
    let head = state.exchange(id).slot()?.request.parts();
    Ok(cookies(&head.headers)
        .flat_map(|cookie| [cookie.name().to_owned(), unescaped(cookie.value_trimmed())])
        .collect())
}

/// Adds a cookie to the answer. It replaces a cookie that was added before with the same name, path, domain
/// and partitioning.
#[op2]
pub(crate) fn op_cookie_set(state: &mut OpState, id: f64, #[serde] given: SetCookie) -> Result<(), OpError> {
    let mut exchange = state.exchange(id);
    if exchange.is_answered() {
        return Err(OpError::HeadersSent("a cookie"));
    }
    let (place, value) = set_cookie(given).map_err(|invalid| OpError::Header(invalid.0))?;
    let cookies = &mut exchange.slot()?.rare.get_or_insert_default().cookies;
    cookies.retain(|(known, _)| *known != place);
    cookies.push((place, value));
    Ok(())
}
