//! A request's head, kept for as long as JavaScript may read it.

use std::borrow::Cow;

use hyper::Request;
use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;

use super::spare::RequestBox;

/// A request without its body.
///
/// As it is parsed, it keeps alive the buffer that its connection read it into. A line lasts, so the request of a line
/// is folded: into a copy of its own bytes, which is parsed again when JavaScript reads it.
pub(crate) enum Head {
    Open(RequestBox),
    /// `method\nuri\nname\nvalue\nname\nvalue\n`: nothing in a head can hold a line break (RFC 9110 section 5.5).
    /// A name in [`NAMES`] is one byte: `KNOWN` and its place there.
    Folded(Box<[u8]>),
}

/// The names of headers that most requests of browsers have, and those of a line or a WebSocket.
static NAMES: [HeaderName; 34] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::ORIGIN,
    header::USER_AGENT,
    header::COOKIE,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::REFERER,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    header::UPGRADE_INSECURE_REQUESTS,
    header::FORWARDED,
    header::VIA,
    header::DNT,
    HeaderName::from_static("x-accept-live"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-platform"),
];

/// Added to a name's place in [`NAMES`]: no name has bytes as large (RFC 9110 section 5.6.2).
const KNOWN: u8 = 128;
const _: () = assert!(NAMES.len() <= 128);

impl Head {
    pub(crate) fn new(parts: Parts) -> Head {
        Head::Open(RequestBox::new(parts))
    }

    /// The parsed head.
    pub(crate) fn parts(&self) -> Cow<'_, Parts> {
        match self {
            Head::Open(parts) => Cow::Borrowed(parts),
            Head::Folded(bytes) => Cow::Owned(unfold(bytes)),
        }
    }

    /// Frees the memory that the head does not need.
    pub(crate) fn fold(&mut self) {
        if let Head::Open(parts) = self {
            *self = Head::Folded(folded(parts));
        }
    }
}

fn folded(parts: &Parts) -> Box<[u8]> {
    let uri = parts.uri.to_string();
    let mut bytes = Vec::new();
    let mut add = |line: &[u8]| {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    };
    add(parts.method.as_str().as_bytes());
    add(uri.as_bytes());
    for (name, value) in &parts.headers {
        match NAMES.iter().position(|known| known == name) {
            Some(place) => add(&[KNOWN + place as u8]),
            None => add(name.as_str().as_bytes()),
        }
        add(value.as_bytes());
    }
    bytes.into_boxed_slice()
}

fn unfold(bytes: &[u8]) -> Parts {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let mut request = Request::builder().method(line()).uri(line());
    loop {
        let (name, value) = (line(), line());
        if name.is_empty() {
            break;
        }
        request = match name[0].checked_sub(KNOWN).and_then(|place| NAMES.get(usize::from(place))) {
            Some(known) => request.header(known, value),
            None => request.header(name, value),
        };
    }
    request.body(()).expect("it was a request before").into_parts().0
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::header::HeaderValue;

    use super::*;

    fn head(uri: &str, headers: &[(&'static str, &Bytes)]) -> Head {
        let mut request = Request::builder().method("QUERY").uri(uri);
        for (name, value) in headers {
            let value = HeaderValue::from_maybe_shared(Bytes::clone(value)).expect("a value");
            request = request.header(*name, value);
        }
        Head::new(request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_folded_head_has_the_same_content() {
        for uri in ["/a/%20?b=c", "http://host.example/a", "*"] {
            let values = [&b"host.example"[..], b"a", b"\xe9 \xff", b""].map(Bytes::from_static);
            let [host, first, second, empty] = &values;
            let mut head =
                head(uri, &[("host", host), ("x-some", first), ("x-some", second), ("x-none", empty)]);
            let before = head.parts().into_owned();

            head.fold();

            let after = head.parts();
            assert!(matches!(head, Head::Folded(_)));
            assert_eq!((&after.method, &after.uri), (&before.method, &before.uri));
            assert_eq!(after.headers, before.headers);
        }
    }

    #[test]
    fn a_folded_head_has_short_names() {
        let value = Bytes::from_static(b"a");
        let mut head = head("/", &[("sec-websocket-version", &value), ("x-sec-websocket-version", &value)]);

        head.fold();

        let Head::Folded(bytes) = &head else { panic!("it is folded") };
        assert_eq!(bytes.len(), "QUERY\n/\n".len() + "?\na\n".len() + "x-sec-websocket-version\na\n".len());
        assert_eq!(head.parts().headers["sec-websocket-version"], "a");
    }

    #[test]
    fn a_folded_head_keeps_no_buffer() {
        let buffer = Bytes::from(b"host.example and what else was read".to_vec());
        let mut head = head("/", &[("host", &buffer.slice(..12))]);
        assert!(!buffer.is_unique());

        head.fold();

        assert!(buffer.is_unique());
    }

    #[test]
    fn a_head_is_small_where_many_are_kept() {
        const { assert!(size_of::<Head>() <= 24) };
    }
}
