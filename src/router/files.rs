//! The static files past the last step of every route.

use std::io;
use std::path::Path;

use hyper_staticfile::{Body, Resolver, ResponseBuilder};

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

/// `public/`, or nothing where there is no such folder. Clones share it.
#[derive(Clone)]
pub struct PublicFiles(Option<Resolver>);

impl PublicFiles {
    pub fn new(folder: Option<&Path>) -> PublicFiles {
        PublicFiles(folder.map(Resolver::new))
    }

    /// What stands at a path: the file with its type, ETag and ranges, 304, 416, or 404. Never leaves the folder.
    pub async fn answer(&self, method: &Method, headers: &HeaderMap, path: &str) -> io::Result<Response<Body>> {
        let Some(resolver) = self.0.as_ref().filter(|_| *method == Method::GET || *method == Method::HEAD) else {
            return Ok(not_found());
        };
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers.clone();
        let Ok(uri) = path.parse() else { return Ok(not_found()) };
        *request.uri_mut() = uri;
        let result = resolver.resolve_request(&request).await?;
        let mut response = ResponseBuilder::new().request(&request).build(result).map_err(io::Error::other)?;
        if response.status() == StatusCode::NOT_FOUND || response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(not_found());
        }
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The ETag decides, so an edited file is seen at once.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        Ok(response)
    }
}

fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    response
}
