//! The static files of `public/`, which answer after the last step of every route.

use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use hyper_staticfile::{AcceptEncoding, Body, ResolveResult, Resolver, ResponseBuilder};

use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::open::PublicOpener;
use super::path::{holds_separator, segments};
use super::private_files::PrivateFiles;
use crate::http::{Verdict, is_get_or_head, wants_range};

/// The ASCII characters of an address that are escaped. Escapes are left as they are.
const NOT_IN_ADDRESSES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');

/// `public/`, or nothing where there is no such folder. Clones share it.
#[derive(Clone)]
pub(crate) struct PublicFiles(Option<Resolver<PublicOpener>>);

/// Which files are served besides those in `public/`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FileRules {
    /// Whether symbolic links may lead out of the folder.
    pub follow_links: bool,
}

impl PublicFiles {
    /// The files of a folder, by its canonical path, except for those that are `private`.
    pub(crate) fn new(folder: Option<&Path>, rules: FileRules, private: &PrivateFiles) -> PublicFiles {
        let FileRules { follow_links } = rules;
        PublicFiles(folder.map(|folder| Resolver {
            opener: Arc::new(PublicOpener {
                root: folder.to_owned(),
                follow_links,
                private: private.clone(),
            }),
            allowed_encodings: AcceptEncoding::none(),
            rewrite: None,
        }))
    }

    /// Whether [`answer`](PublicFiles::answer) returns something else than 404 for a path. Blocks on the file system.
    pub(crate) fn hold(&self, path: &str) -> bool {
        let Some(resolver) = &self.0 else { return false };
        if segments(path).any(holds_separator) {
            return false;
        }
        let Ok(name) = percent_decode_str(path).decode_utf8() else { return false };
        let name = Path::new(name.trim_matches('/'));
        // A path with `..` is no path of a file.
        let is_plain = name.components().all(|component| matches!(component, Component::Normal(_)));
        is_plain && resolver.opener.holds(name, path.ends_with('/'))
    }

    /// The answer for a path with or without a query: the file with its type, ETag and ranges, 301 to a folder with its
    /// slash, 304, 412, 416, 503 where no more files can be opened, or 404. Files outside of the folder are not served,
    /// unless the rules allow links to them.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        headers: &HeaderMap,
        target: &str,
    ) -> io::Result<Response<Body>> {
        let Some(resolver) = self.0.as_ref().filter(|_| is_get_or_head(method)) else {
            return Ok(not_found());
        };
        let Ok(target) = target.parse::<PathAndQuery>() else { return Ok(not_found()) };
        let path = target.path();
        // For handlers an escaped slash is part of a segment. A file system would read it as the end of one, and so
        // hand out a folder's files past the handler that guards the folder.
        if segments(path).any(holds_separator) {
            return Ok(not_found());
        }
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        let Ok(uri) = path.parse() else { return Ok(not_found()) };
        *request.uri_mut() = uri;
        let result = match resolver.resolve_request(&request).await {
            // Clients can cause this, and it is temporary.
            Err(error) if is_out_of_files(&error) => {
                tracing::debug!("{path}: {error}");
                return Ok(unavailable());
            }
            result => result?,
        };
        let found = match &result {
            ResolveResult::Found(file) => {
                // The tags of files are weak (size and time), and If-Range needs a strong one.
                if wants_range(headers, None, file.modified) {
                    let range = headers.get(RANGE).filter(|range| is_modest(range, file.size));
                    request.headers_mut().extend(range.map(|range| (RANGE, range.clone())));
                }
                Some((file.content_type.clone(), file.size))
            }
            ResolveResult::IsDirectory { .. } => return Ok(moved_to_folder(&target)),
            _ => None,
        };
        // Conditions are evaluated below: the builder supports one of them only, without their precedence.
        let mut response =
            ResponseBuilder::new().request(&request).build(result).map_err(io::Error::other)?;
        if response.status() == StatusCode::NOT_FOUND || response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(not_found());
        }
        let verdict = found.as_ref().map(|_| Verdict::of(method, headers, response.headers()));
        if let Some(status) = verdict.and_then(Verdict::status) {
            *response.status_mut() = status;
            *response.body_mut() = Body::Empty;
            response.headers_mut().remove(CONTENT_LENGTH);
            response.headers_mut().remove(CONTENT_RANGE);
        }
        let status = response.status();
        let headers = response.headers_mut();
        if let Some((kind, size)) = found {
            if status == StatusCode::RANGE_NOT_SATISFIABLE {
                headers.insert(CONTENT_RANGE, header(format!("bytes */{size}")));
            } else if let Some(kind) = kind.filter(|_| !is_multipart(headers)) {
                // One name for the type of scripts, whatever their ending (RFC 9239).
                let kind = match kind.split(';').next() {
                    Some("application/javascript") => "text/javascript".to_owned(),
                    _ => kind,
                };
                // The types of some endings have it already.
                let lacks_charset = kind.starts_with("text/") && !kind.contains("charset=");
                let charset = if lacks_charset { ";charset=UTF-8" } else { "" };
                headers.insert(CONTENT_TYPE, header(kind + charset));
            }
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The ETag decides, so an edited file is seen at once.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        Ok(response)
    }
}

/// Ranges of one answer. More count as none, as for answers of handlers.
const MOST_RANGES: usize = 16;

/// Whether ranges are few, and together no longer than the file of `size` bytes: otherwise a small request would have a
/// huge answer (RFC 9110 section 14.2).
fn is_modest(range: &HeaderValue, size: u64) -> bool {
    let Some(list) = range.to_str().ok().and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return true;
    };
    let length = |one: &str| -> Option<u64> {
        Some(match one.trim().split_once('-')? {
            ("", last) => last.parse::<u64>().ok()?.min(size),
            (first, "") => size.saturating_sub(first.parse().ok()?),
            (first, last) => {
                last.parse::<u64>().ok()?.saturating_add(1).min(size).saturating_sub(first.parse().ok()?)
            }
        })
    };
    let lengths = list.split(',').filter_map(length);
    list.split(',').count() <= MOST_RANGES && lengths.fold(0, u64::saturating_add) <= size
}

/// Whether the type contains the boundary of ranges, which belongs to this answer.
fn is_multipart(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"))
}

fn header(text: String) -> HeaderValue {
    text.parse().expect("media types, numbers and escaped addresses are header values")
}

/// Whether the process has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// The folder's address with a slash at the end, and the query. It never begins with two slashes, which would be the
/// address of another host.
fn moved_to_folder(target: &PathAndQuery) -> Response<Body> {
    let mut address = String::from("/");
    for segment in segments(target.path()) {
        address.extend(utf8_percent_encode(segment, NOT_IN_ADDRESSES));
        address.push('/');
    }
    if let Some(query) = target.query() {
        address.push('?');
        address.extend(utf8_percent_encode(query, NOT_IN_ADDRESSES));
    }
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, header(address));
    response
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    response
}
