//! The cookies of a request, and those that its answer sets. Half of `runtime-js/cookies/cookies.js`; what a cookie may be is
//! checked in `cookies/rules.js`, for browsers as well.

use cookie::time::{Duration, OffsetDateTime};
use cookie::{Cookie, SameSite};
use deno_core::{OpState, op2};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::exchange::exchange_id;
use super::{Exchanges, OpError};

/// The cookies of a request as they came, whatever is wrong with others beside them.
pub(super) fn of(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'static>> + '_ {
    headers.get_all(COOKIE).iter().flat_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Cookie::split_parse(text).filter_map(Result::ok)
    })
}

/// Names and values in turn.
#[op2]
#[serde]
pub(crate) fn op_cookies(state: &mut OpState, id: f64) -> Result<Vec<String>, OpError> {
    let head = state.borrow_mut::<Exchanges>().known(id)?.request.parts();
    Ok(of(&head.headers)
        .flat_map(|cookie| [cookie.name().to_owned(), unescaped(cookie.value_trimmed())])
        .collect())
}

/// A value as it was before `encodeURIComponent()`. One that was escaped otherwise is taken as it is.
fn unescaped(value: &str) -> String {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    let escapes = value.split('%').skip(1).map(str::as_bytes);
    let are_whole = escapes.clone().all(|escape| escape.len() >= 2 && escape[..2].iter().all(is_hex));
    let decoded = percent_decode_str(value).decode_utf8().ok().filter(|_| are_whole);
    decoded.map_or_else(|| value.to_owned(), Into::into)
}

/// A cookie that keeps to the rules; what is undefined is absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Given {
    name: String,
    value: String,
    path: String,
    domain: Option<String>,
    /// Seconds.
    max_age: Option<f64>,
    /// Milliseconds.
    expires: Option<f64>,
    http_only: bool,
    secure: bool,
    same_site: String,
    partitioned: bool,
}

/// Which cookies a browser takes for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    name: String,
    path: String,
    domain: Option<String>,
    partitioned: bool,
}

/// The answer will set this cookie, in place of another in its place.
#[op2]
pub(crate) fn op_cookie_set(state: &mut OpState, id: f64, #[serde] given: Given) -> Result<(), OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    if exchanges.is_answered(exchange_id(id)) {
        return Err(OpError::HeadersSent("a cookie"));
    }
    let (place, value) = written(given)?;
    let slot = exchanges.known(id)?;
    slot.cookies.retain(|(known, _)| *known != place);
    slot.cookies.push((place, value));
    Ok(())
}

fn written(given: Given) -> Result<(Place, HeaderValue), OpError> {
    let Given { name, value, path, domain, max_age, expires, .. } = given;
    let place = Place { name, path, domain, partitioned: given.partitioned };
    let mut cookie = Cookie::new(place.name.clone(), value);
    cookie.set_path(place.path.clone());
    if let Some(domain) = &place.domain {
        cookie.set_domain(domain.clone());
    }
    // The range of floating-point numbers is cut, not overrun.
    cookie.set_max_age(max_age.map(|seconds| Duration::seconds(seconds as i64)));
    let expires = expires.map(|time| OffsetDateTime::from_unix_timestamp((time / 1000.0) as i64));
    if let Some(expires) = expires.transpose().map_err(|error| OpError::Header(error.to_string()))? {
        cookie.set_expires(expires);
    }
    cookie.set_http_only(given.http_only);
    cookie.set_secure(given.secure);
    cookie.set_same_site(match given.same_site.as_str() {
        "Strict" => SameSite::Strict,
        "None" => SameSite::None,
        _ => SameSite::Lax,
    });
    cookie.set_partitioned(given.partitioned);
    let text = cookie.to_string();
    let value = HeaderValue::from_str(&text).map_err(|_| OpError::Header(format!("set-cookie: {text}")))?;
    Ok((place, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_values(headers: &[&'static str]) -> Vec<(String, String)> {
        let mut all = HeaderMap::new();
        for value in headers {
            all.append(COOKIE, HeaderValue::from_static(value));
        }
        of(&all).map(|cookie| (cookie.name().to_owned(), unescaped(cookie.value_trimmed()))).collect()
    }

    #[test]
    fn whatever_is_wrong_with_one_the_others_are_read() {
        for (header, meant) in [
            ("a=1; b=2", &[("a", "1"), ("b", "2")][..]),
            ("a=1;b=2;;c=3;", &[("a", "1"), ("b", "2"), ("c", "3")]),
            ("nothing; =nameless; a=1", &[("a", "1")]),
            ("a==b=; b=\"c=d\"", &[("a", "=b="), ("b", "c=d")]),
            ("a=100%; b=%zz; c=%e9; d=a%20b", &[("a", "100%"), ("b", "%zz"), ("c", "%e9"), ("d", "a b")]),
            ("a=%; b=%2; c=%C3%BC", &[("a", "%"), ("b", "%2"), ("c", "\u{fc}")]),
            (" a = 1 ;\tb=\"", &[("a", "1"), ("b", "\"")]),
            ("$Version=1; Path=/x; a=1", &[("$Version", "1"), ("Path", "/x"), ("a", "1")]),
            ("", &[]),
        ] {
            let meant: Vec<_> = meant.iter().map(|&(name, value)| (name.into(), value.into())).collect();
            assert_eq!(names_and_values(&[header]), meant, "{header}");
        }
        let two = names_and_values(&["a=1; b=2", "c=3"]);
        assert_eq!(two.len(), 3, "{two:?}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in ".{0,60}") {
            let _ = unescaped(&text);
            let _: Vec<_> = Cookie::split_parse(text).collect();
        }
    }
}
