//! One file for browsers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response};

use super::origins::Source;
use crate::http::Verdict;

/// A text with its type and a tag of its content.
pub(crate) struct Asset {
    kind: &'static str,
    body: Bytes,
    /// The tag and the compressed text, made for the first request.
    etag: OnceLock<HeaderValue>,
    gzip: OnceLock<Bytes>,
    extra: Option<(HeaderName, HeaderValue)>,
    /// The author's file from which the text was made, if there is one.
    pub source: Option<Source>,
}

impl Asset {
    /// A script.
    pub(crate) fn script(text: impl Into<Bytes>) -> Asset {
        Asset::new("text/javascript;charset=UTF-8", text)
    }

    /// A text of JSON.
    pub(crate) fn json(text: String) -> Asset {
        Asset::new("application/json", text)
    }

    /// A module of WebAssembly.
    pub(crate) fn wasm(bytes: Vec<u8>) -> Asset {
        Asset::new("application/wasm", bytes)
    }

    fn new(kind: &'static str, text: impl Into<Bytes>) -> Asset {
        let body = text.into();
        Asset { kind, body, etag: OnceLock::new(), gzip: OnceLock::new(), extra: None, source: None }
    }

    /// The asset as one made from a file.
    pub(crate) fn made_of(mut self, source: Source) -> Asset {
        self.source = Some(source);
        self
    }

    /// The asset with another header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Asset {
        self.extra = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// The answer to a GET with these headers: the text, or that it is unchanged.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        let head = response.headers_mut();
        head.insert(ETAG, self.etag().clone());
        // Browsers ask again with the tag, so that they run new code at once.
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(status) = Verdict::of(&Method::GET, headers, head).status() {
            *response.status_mut() = status;
            return response;
        }
        head.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        head.extend(self.extra.clone());
        if accepts_gzip(headers) {
            head.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = self.compressed();
        } else {
            *response.body_mut() = self.body.clone();
        }
        response
    }

    fn etag(&self) -> &HeaderValue {
        self.etag.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            self.body.hash(&mut hasher);
            // Weak: the compressed form has the same tag.
            let etag = format!("W/\"{:016x}\"", hasher.finish());
            HeaderValue::from_str(&etag).expect("hexadecimal digits are a header's value")
        })
    }

    fn compressed(&self) -> Bytes {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&self.body).expect("memory can be written to");
            encoder.finish().expect("memory can be written to").into()
        };
        self.gzip.get_or_init(compress).clone()
    }
}

/// Whether `gzip` is among the accepted encodings.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_taken_unless_weighted_zero() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(accepts("br, GZIP;q=0.5"));
        assert!(!accepts("br, gzip;q=0"));
        assert!(!accepts("identity"));
    }
}
