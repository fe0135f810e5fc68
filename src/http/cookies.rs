//! The cookies of a request, and those that an answer sets. What a cookie may be is checked in
//! `runtime-js/cookies/rules.js`, for browsers as well.

use cookie::time::{Duration, OffsetDateTime};
use cookie::{Cookie, SameSite};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The cookies of a request as they came, whatever is wrong with others beside them.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'static>> + '_ {
    headers.get_all(COOKIE).iter().flat_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Cookie::split_parse(text).filter_map(Result::ok)
    })
}

/// A value as it was before `encodeURIComponent()`. One that was escaped otherwise is taken as it is.
pub(crate) fn unescaped(value: &str) -> String {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    let escapes = value.split('%').skip(1).map(str::as_bytes);
    let are_whole = escapes.clone().all(|escape| escape.len() >= 2 && escape[..2].iter().all(is_hex));
    let decoded = percent_decode_str(value).decode_utf8().ok().filter(|_| are_whole);
    decoded.map_or_else(|| value.to_owned(), Into::into)
}

/// A cookie that keeps to the rules; what is undefined is absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetCookie {
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
pub(crate) struct CookiePlace {
    name: String,
    path: String,
    domain: Option<String>,
    partitioned: bool,
}

/// A cookie that no header can hold, with what is wrong.
#[derive(Debug)]
pub(crate) struct InvalidCookie(pub String);

/// The `Set-Cookie` header, and which cookie it replaces.
pub(crate) fn set_cookie(given: SetCookie) -> Result<(CookiePlace, HeaderValue), InvalidCookie> {
    let SetCookie { name, value, path, domain, max_age, expires, .. } = given;
    let place = CookiePlace { name, path, domain, partitioned: given.partitioned };
    let mut cookie = Cookie::new(place.name.clone(), value);
    cookie.set_path(place.path.clone());
    if let Some(domain) = &place.domain {
        cookie.set_domain(domain.clone());
    }
    // The range of floating-point numbers is cut, not overrun.
    cookie.set_max_age(max_age.map(|seconds| Duration::seconds(seconds as i64)));
    let expires = expires.map(|time| OffsetDateTime::from_unix_timestamp((time / 1000.0) as i64));
    if let Some(expires) = expires.transpose().map_err(|error| InvalidCookie(error.to_string()))? {
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
    let value = HeaderValue::from_str(&text).map_err(|_| InvalidCookie(format!("set-cookie: {text}")))?;
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
        cookies(&all).map(|cookie| (cookie.name().to_owned(), unescaped(cookie.value_trimmed()))).collect()
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
