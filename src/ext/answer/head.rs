//! Parser for the heads of answers, in the format that JavaScript passes.

use bytes::Bytes;
use deno_core::OpState;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{StatusCode, ext::ReasonPhrase};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::ext::OpError;
use crate::ext::exchange::Exchanges;
use crate::http::Answer;

/// Parses a head; `headers` has alternating lines of names and values.
pub(in crate::ext) fn head(
    state: &OpState,
    status: u16,
    reason: &str,
    headers: &str,
) -> Result<Answer, OpError> {
    let status = StatusCode::from_u16(status).map_err(|_| OpError::Header(format!("status {status}")))?;
    let mut answer = Answer::empty(status);
    if !reason.is_empty()
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        answer.extensions.insert(reason);
    }
    // The values share one copy of the text.
    let text = Bytes::copy_from_slice(headers.as_bytes());
    let mut at = 0;
    let mut lines = headers.split_terminator('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let begin = at + name.len() + 1;
        let range = begin..begin + value.len();
        at = range.end + 1;
        let invalid = || OpError::Header(format!("{name}: {value}"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        // The connection sets the headers for framing (RFC 9112 section 6). A 426 says what to upgrade to (RFC 9110 section
        // 15.5.22).
        let is_framing = [CONNECTION, TRANSFER_ENCODING].contains(&header) || header == "keep-alive";
        if is_framing || (header == UPGRADE && status != StatusCode::UPGRADE_REQUIRED) {
            continue;
        }
        if value.is_ascii() && header != LOCATION {
            let value = HeaderValue::from_maybe_shared(text.slice(range)).map_err(|_| invalid())?;
            answer.headers.append(header, value);
            continue;
        }
        let mut bytes = if value.is_ascii() || state.borrow::<Exchanges>().host.has_utf8_headers {
            value.as_bytes().to_vec()
        } else {
            // A JavaScript byte string: one byte for each UTF-16 unit.
            value.chars().map(|c| u8::try_from(c).map_err(|_| invalid())).collect::<Result<_, _>>()?
        };
        if header == LOCATION {
            bytes = escaped(&bytes).into_bytes();
        }
        answer.headers.append(header, HeaderValue::from_bytes(&bytes).map_err(|_| invalid())?);
    }
    Ok(answer)
}

/// Percent-encodes an address to ASCII. Bytes beyond ASCII are UTF-8, or if they are not valid, Latin-1, as
/// browsers decode them; existing escapes stay.
fn escaped(address: &[u8]) -> String {
    const NOT_OF_ADDRESSES: &AsciiSet = &CONTROLS.add(b' ');
    let one_by_one = || address.iter().copied().map(char::from).collect();
    let text = std::str::from_utf8(address).map_or_else(|_| one_by_one(), str::to_owned);
    utf8_percent_encode(text.trim(), NOT_OF_ADDRESSES).to_string()
}

/// The value of `Content-Length`, if all its values are the same valid number.
pub(super) fn length_of(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        let text = value.to_str().ok()?.trim();
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    });
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_ascii_and_not_escaped_twice() {
        for (given, meant) in [
            (&b"/plain?a=b&c=%20#d"[..], "/plain?a=b&c=%20#d"),
            ("/caf\u{e9}".as_bytes(), "/caf%C3%A9"),
            (b"/caf\xe9", "/caf%C3%A9"),
            (b"/caf%C3%A9", "/caf%C3%A9"),
            ("/\u{65e5}\u{672c}?q=\u{e9}".as_bytes(), "/%E6%97%A5%E6%9C%AC?q=%C3%A9"),
            (b" /a b ", "/a%20b"),
            (b"http://example.org/100%", "http://example.org/100%"),
        ] {
            assert_eq!(escaped(given), meant);
        }
    }

    #[test]
    fn a_length_stands_there_once_and_as_a_number() {
        let length = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            length_of(&headers)
        };
        assert_eq!(length(&["12"]), Some(12));
        assert_eq!(length(&["12", "12"]), Some(12));
        for bad in
            [&[][..], &[""], &["-1"], &["+1"], &["1", "2"], &["1, 1"], &["0x1"], &["99999999999999999999"]]
        {
            assert_eq!(length(bad), None, "{bad:?}");
        }
    }
}
