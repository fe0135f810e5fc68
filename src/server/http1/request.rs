//! A request's head as the rest of the program uses it.

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri, Version};
use liveline_proto::http1::{self, Head, Known};

use crate::http::spare;

/// Makes a request of a head. `bytes` are those of the head, which the request keeps. `None`: its target is no address.
pub(super) fn request<B>(head: &Head, bytes: &Bytes, body: B) -> Option<Request<B>> {
    let mut headers = spare::headers();
    headers.reserve(head.fields.len());
    for field in &head.fields {
        let name = match field.known {
            Some(known) => name(known),
            None => HeaderName::from_bytes(field.name.of(bytes)).ok()?,
        };
        headers.append(name, HeaderValue::from_maybe_shared(bytes.slice(field.value.range())).ok()?);
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(head.method.of(bytes)).ok()?;
    *request.uri_mut() = Uri::from_maybe_shared(bytes.slice(head.target.range())).ok()?;
    *request.version_mut() = match head.version {
        http1::Version::Http10 => Version::HTTP_10,
        http1::Version::Http11 => Version::HTTP_11,
    };
    *request.headers_mut() = headers;
    Some(request)
}

/// The name of a field that was recognized.
fn name(known: Known) -> HeaderName {
    match known {
        Known::Accept => header::ACCEPT,
        Known::AcceptEncoding => header::ACCEPT_ENCODING,
        Known::AcceptLanguage => header::ACCEPT_LANGUAGE,
        Known::Authorization => header::AUTHORIZATION,
        Known::CacheControl => header::CACHE_CONTROL,
        Known::Connection => header::CONNECTION,
        Known::ContentLength => header::CONTENT_LENGTH,
        Known::ContentType => header::CONTENT_TYPE,
        Known::Cookie => header::COOKIE,
        Known::Expect => header::EXPECT,
        Known::Host => header::HOST,
        Known::IfModifiedSince => header::IF_MODIFIED_SINCE,
        Known::IfNoneMatch => header::IF_NONE_MATCH,
        Known::Origin => header::ORIGIN,
        Known::Pragma => header::PRAGMA,
        Known::Range => header::RANGE,
        Known::Referer => header::REFERER,
        Known::SecWebSocketExtensions => header::SEC_WEBSOCKET_EXTENSIONS,
        Known::SecWebSocketKey => header::SEC_WEBSOCKET_KEY,
        Known::SecWebSocketProtocol => header::SEC_WEBSOCKET_PROTOCOL,
        Known::SecWebSocketVersion => header::SEC_WEBSOCKET_VERSION,
        Known::Te => header::TE,
        Known::TransferEncoding => header::TRANSFER_ENCODING,
        Known::Upgrade => header::UPGRADE,
        Known::UpgradeInsecureRequests => header::UPGRADE_INSECURE_REQUESTS,
        Known::UserAgent => header::USER_AGENT,
    }
}

#[cfg(test)]
mod tests {
    use liveline_proto::http1::HeadLimits;

    use super::*;

    #[test]
    fn every_recognized_name_is_the_one_that_was_sent() {
        for known in Known::ALL {
            assert_eq!(name(*known).as_str(), known.name());
        }
    }

    #[test]
    fn a_request_has_what_its_head_has() {
        let bytes =
            Bytes::from_static(b"G#T /a?b HTTP/1.0\r\nCookie: a\r\nx-a: \xe9\r\ncookie: b\r\nX-A:\r\n\r\n");
        let limits = HeadLimits { bytes: 1000, target: 100, fields: 10 };
        let mut head = Head::default();
        assert_eq!(head.parse(&bytes, &limits), Ok(Some(bytes.len())));

        let request = request(&head, &bytes, ()).expect("a request");

        assert_eq!((request.method().as_str(), request.version()), ("G#T", Version::HTTP_10));
        assert_eq!(request.uri(), "/a?b");
        let values = |name: &str| -> Vec<_> { request.headers().get_all(name).iter().cloned().collect() };
        assert_eq!(values("cookie"), ["a", "b"]);
        assert_eq!(values("x-a"), [&b"\xe9"[..], b""]);
    }

    #[test]
    fn a_target_that_is_no_address() {
        let bytes = Bytes::from_static(b"GET http:///a HTTP/1.1\r\n\r\n");
        let limits = HeadLimits { bytes: 1000, target: 100, fields: 10 };
        let mut head = Head::default();
        assert_eq!(head.parse(&bytes, &limits), Ok(Some(bytes.len())));
        assert!(request(&head, &bytes, ()).is_none());
    }
}
