//! Memory of heads that a thread uses again, so that a request whose answer comes at once allocates hardly anything.

use std::cell::RefCell;
use std::ops::Deref;

use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};

use super::Answer;

/// How many of each kind a thread keeps.
const MOST: usize = 32;

/// Maps of headers that have grown beyond this are not kept.
const HEADERS: usize = 32;

/// See the module.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "the boxes are what is used again")]
struct Spare {
    headers: Vec<HeaderMap>,
    requests: Vec<Box<Parts>>,
    answers: Vec<Box<Answer>>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// An empty map.
pub(crate) fn headers() -> HeaderMap {
    SPARE.with_borrow_mut(|spare| spare.headers.pop()).unwrap_or_default()
}

/// Takes back a map whose headers are not needed any more.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    if !(1..=HEADERS).contains(&headers.capacity()) {
        return;
    }
    headers.clear();
    keep(|spare| &mut spare.headers, headers);
}

/// A request's head in memory that is used again.
pub(crate) struct RequestBox(Option<Box<Parts>>);

impl RequestBox {
    pub(super) fn new(parts: Parts) -> RequestBox {
        RequestBox(Some(match SPARE.with_borrow_mut(|spare| spare.requests.pop()) {
            Some(mut request) => {
                *request = parts;
                request
            }
            None => Box::new(parts),
        }))
    }
}

impl Deref for RequestBox {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.0.as_deref().expect("it is there until the end")
    }
}

impl Drop for RequestBox {
    fn drop(&mut self) {
        if let Some(mut request) = self.0.take() {
            keep_headers(std::mem::take(&mut request.headers));
            request.uri = Uri::default();
            request.method = Method::default();
            request.extensions.clear();
            keep(|spare| &mut spare.requests, request);
        }
    }
}

/// `answer` in a box.
pub(crate) fn boxed_answer(answer: Answer) -> Box<Answer> {
    match SPARE.with_borrow_mut(|spare| spare.answers.pop()) {
        Some(mut kept) => {
            *kept = answer;
            kept
        }
        None => Box::new(answer),
    }
}

/// What [`boxed_answer`] has put into the box.
pub(crate) fn unboxed_answer(mut kept: Box<Answer>) -> Answer {
    let answer = std::mem::replace(&mut *kept, Answer::with_headers(StatusCode::OK, HeaderMap::new()));
    keep(|spare| &mut spare.answers, kept);
    answer
}

fn keep<T>(of: impl FnOnce(&mut Spare) -> &mut Vec<T>, kept: T) {
    // While the thread ends there is nothing to be kept any more.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        let all = of(&mut spare);
        if all.len() < MOST {
            all.push(kept);
        }
    });
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use hyper::header::{COOKIE, HOST, HeaderValue};

    use super::*;

    #[test]
    fn nothing_of_a_request_is_in_the_next() {
        let mut request = Request::new(());
        *request.uri_mut() = "/secret".parse().expect("an address");
        let mut map = headers();
        map.insert(COOKIE, HeaderValue::from_static("secret"));
        *request.headers_mut() = map;
        let request = RequestBox::new(request.into_parts().0);
        let place: *const Parts = &raw const *request;
        drop(request);

        let next = RequestBox::new(Request::new(()).into_parts().0);

        assert_eq!(place, &raw const *next, "the box is used again");
        assert_eq!(next.uri, "/");
        let map = headers();
        assert!(map.is_empty() && map.capacity() > 0);
    }

    #[test]
    fn no_more_is_kept_than_requests_need() {
        let mut map = HeaderMap::with_capacity(10 * HEADERS);
        map.insert(HOST, HeaderValue::from_static("a"));
        keep_headers(map);
        assert_eq!(headers().capacity(), 0);

        for _ in 0..2 * MOST {
            let mut map = HeaderMap::new();
            map.insert(HOST, HeaderValue::from_static("a"));
            keep_headers(map);
        }
        assert_eq!(SPARE.with_borrow(|spare| spare.headers.len()), MOST);
    }
}
