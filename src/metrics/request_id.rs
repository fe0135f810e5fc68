//! The id that a client or proxy gave its request, so that its log and ours can be compared.

use std::fmt;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// An id that is safe to log: at most 128 characters, none of which has a meaning in a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId<'a>(&'a str);

const MAX_LENGTH: usize = 128;

impl RequestId<'_> {
    /// The header with the id, in the request and in the answer.
    pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// The id of a request: `x-request-id`, or else the trace of a `traceparent` (W3C Trace Context, section 3.2).
    pub(crate) fn of(headers: &HeaderMap) -> Option<RequestId<'_>> {
        let own = headers.get(Self::HEADER).and_then(RequestId::parse);
        own.or_else(|| trace(headers.get("traceparent")?.to_str().ok()?).map(RequestId))
    }

    /// The id in a header's value; None where it is not safe to log.
    pub(crate) fn parse(value: &HeaderValue) -> Option<RequestId<'_>> {
        let text = value.to_str().ok()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
        ((1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(fits)).then_some(RequestId(text))
    }
}

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The trace id of `<version>-<trace id>-<parent id>-<flags>`. Later versions may append to it.
fn trace(text: &str) -> Option<&str> {
    let mut fields = text.splitn(5, '-');
    let mut hex = |length: usize| {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        fields.next().filter(|field| field.len() == length && field.bytes().all(is_hex))
    };
    let (version, trace, parent, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    let ends_here = version != "00" || fields.next().is_none();
    (version != "ff" && !is_zero(trace) && !is_zero(parent) && ends_here).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn id(headers: &[(&'static str, &str)]) -> Option<String> {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let headers: HeaderMap =
            headers.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect();
        RequestId::of(&headers).map(|id| id.to_string())
    }

    #[test]
    fn valid_ids_are_taken() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(id(&[("x-request-id", "a-1")]).as_deref(), Some("a-1"));
        assert_eq!(id(&[("traceparent", &parent)]).as_deref(), Some(TRACE));
        assert_eq!(id(&[("traceparent", &parent), ("x-request-id", "a-1")]).as_deref(), Some("a-1"));
        assert_eq!(id(&[("traceparent", &format!("01{}-more", &parent[2..]))]).as_deref(), Some(TRACE));
    }

    #[test]
    fn what_could_fill_or_fake_the_log_is_not() {
        for bad in ["", "a b", "a\"b", "a\\b", "{}", &"x".repeat(129)] {
            assert_eq!(id(&[("x-request-id", bad)]), None, "{bad}");
        }
        let zero = "0".repeat(32);
        for bad in [
            TRACE,
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{zero}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        ] {
            assert_eq!(id(&[("traceparent", bad)]), None, "{bad}");
        }
    }
}
