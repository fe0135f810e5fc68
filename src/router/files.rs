//! The static files past the last step of every route.

use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use hyper_staticfile::{AcceptEncoding, Body, ResolveResult, Resolver, ResponseBuilder};

use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use percent_encoding::percent_decode_str;

use super::open::PublicOpener;
use super::path::{holds_separator, segments};

/// `public/`, or nothing where there is no such folder. Clones share it.
#[derive(Clone)]
pub struct PublicFiles(Option<Resolver<PublicOpener>>);

/// What of `public/` has an address, besides its own files.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileRules {
    /// Links may lead out of the folder.
    pub follow_links: bool,
}

impl PublicFiles {
    /// The files of a folder, by its canonical path.
    pub fn new(folder: Option<&Path>, rules: FileRules) -> PublicFiles {
        let FileRules { follow_links } = rules;
        let opener = |root: &Path| PublicOpener { root: root.to_owned(), follow_links };
        PublicFiles(folder.map(|folder| Resolver {
            opener: Arc::new(opener(folder)),
            allowed_encodings: AcceptEncoding::none(),
            rewrite: None,
        }))
    }

    /// Whether [`answer`](PublicFiles::answer) has something else than 404 for a path. Asks the file system.
    pub fn hold(&self, path: &str) -> bool {
        let Some(resolver) = &self.0 else { return false };
        if segments(path).any(holds_separator) {
            return false;
        }
        let Ok(name) = percent_decode_str(path).decode_utf8() else { return false };
        let name = Path::new(name.trim_matches('/'));
        // Whoever writes steps upwards into a path is not asking for a file.
        let is_plain = name.components().all(|component| matches!(component, Component::Normal(_)));
        is_plain && resolver.opener.holds(name, path.ends_with('/'))
    }

    /// What stands at a path: the file with its type, ETag and ranges, 304, 416, 503 where no more files can be opened, or 404. Never leaves the folder, unless the
    /// rules allow it by a link.
    pub async fn answer(
        &self,
        method: &Method,
        headers: &HeaderMap,
        path: &str,
    ) -> io::Result<Response<Body>> {
        let Some(resolver) = self.0.as_ref().filter(|_| *method == Method::GET || *method == Method::HEAD)
        else {
            return Ok(not_found());
        };
        // For handlers an escaped slash is part of a segment. A file system would read it as the end of one, and so
        // hand out a folder's files past the handler that guards the folder.
        if segments(path).any(holds_separator) {
            return Ok(not_found());
        }
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers.clone();
        let Ok(uri) = path.parse() else { return Ok(not_found()) };
        *request.uri_mut() = uri;
        let result = match resolver.resolve_request(&request).await {
            // Clients can cause it, and it passes.
            Err(error) if is_out_of_files(&error) => {
                tracing::debug!("{path}: {error}");
                return Ok(unavailable());
            }
            result => result?,
        };
        let found = match &result {
            ResolveResult::Found(file) => Some((file.content_type.clone(), file.size)),
            _ => None,
        };
        let mut response =
            ResponseBuilder::new().request(&request).build(result).map_err(io::Error::other)?;
        if response.status() == StatusCode::NOT_FOUND || response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(not_found());
        }
        let unchanged = response.headers().get(ETAG).is_some_and(|tag| matches_etag(request.headers(), tag));
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
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
                let charset = if kind.starts_with("text/") { ";charset=UTF-8" } else { "" };
                headers.insert(CONTENT_TYPE, header(kind + charset));
            }
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The ETag decides, so an edited file is seen at once.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        Ok(response)
    }
}

/// Whether the type already says something that only the answer knows: the boundary between ranges.
fn is_multipart(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"))
}

fn header(text: String) -> HeaderValue {
    text.parse().expect("media types and numbers are header values")
}

/// Whether the client has this version already (RFC 9110 section 13.1.2; weak comparison).
pub fn matches_etag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Ok(tag) = tag.to_str().map(opaque) else { return false };
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || opaque(known) == tag)
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
