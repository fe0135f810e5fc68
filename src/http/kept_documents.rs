//! Documents that browsers are about to load.
//!
//! A page of the app asks for data. Where the answer is not a state of the page that is shown, the browser has to load
//! the answer as a document of its own, and the request must not be sent twice for that. So the host keeps the answer
//! for a moment, names it in a cookie, and gives it to the load of the same address that follows.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{COOKIE, HeaderMap, HeaderValue};
use hyper::{StatusCode, Uri};

use super::AnswerBody;

/// The name of the cookie.
const NAME: &str = "__liveline_document";
/// How long a document is kept. A browser asks for it at once.
const AGE: Duration = Duration::from_secs(30);
/// KeptDocuments of one address; its oldest makes room.
const MAX_PER_ADDRESS: usize = 8;
/// Bytes of all documents; the oldest make room.
const MAX_BYTES: usize = 64 << 20;
/// Bytes of one document. A larger one is not kept, and is asked for again.
const MAX_SIZE: usize = 8 << 20;

/// An answer as it is kept.
pub(crate) struct KeptDocument {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: AnswerBody,
}

impl KeptDocument {
    /// The bytes that it holds.
    fn size(&self) -> usize {
        if let AnswerBody::Data(data) = &self.body { data.len() } else { 0 }
    }
}

/// The documents of the process. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct KeptDocuments(Arc<Mutex<VecDeque<Kept>>>);

struct Kept {
    token: String,
    /// Path and query.
    target: String,
    address: IpAddr,
    since: Instant,
    document: KeptDocument,
}

impl KeptDocuments {
    /// Keeps a document for the next load of an address. Returns the cookie that names it, or `None` for one that is too
    /// large.
    pub(crate) fn keep(
        &self,
        target: &Uri,
        address: IpAddr,
        document: KeptDocument,
        is_secure: bool,
        now: Instant,
    ) -> Option<HeaderValue> {
        if document.size() > MAX_SIZE {
            return None;
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let token = random.iter().fold(String::new(), |mut token, byte| {
            write!(token, "{byte:02x}").expect("a string can be written to");
            token
        });
        let secure = if is_secure { "; Secure" } else { "" };
        let (path, age) = ("Path=/; HttpOnly; SameSite=Strict", AGE.as_secs());
        let cookie = format!("{NAME}={token}; {path}; Max-Age={age}{secure}");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(Kept { token, target: target_of(target), address, since: now, document });
        all.retain(|kept| now.duration_since(kept.since) < AGE);
        let excess =
            all.iter().filter(|kept| kept.address == address).count().saturating_sub(MAX_PER_ADDRESS);
        for _ in 0..excess {
            let oldest = all.iter().position(|kept| kept.address == address);
            oldest.and_then(|oldest| all.remove(oldest));
        }
        while all.iter().map(|kept| kept.document.size()).sum::<usize>() > MAX_BYTES {
            all.pop_front();
        }
        Some(HeaderValue::try_from(cookie).expect("the token is hexadecimal"))
    }

    /// The document that a request asks for by its cookie; it is given once.
    pub(crate) fn take(&self, target: &Uri, headers: &HeaderMap, now: Instant) -> Option<KeptDocument> {
        let token = token_of(headers)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().position(|kept| kept.token == token)?;
        let kept = &all[found];
        if kept.target != target_of(target) || now.duration_since(kept.since) >= AGE {
            return None;
        }
        all.remove(found).map(|kept| kept.document)
    }

    /// The cookie that takes the name back.
    pub(crate) fn forget() -> HeaderValue {
        let cookie = format!("{NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        HeaderValue::try_from(cookie).expect("it is ASCII")
    }
}

fn target_of(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

fn token_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, token)| token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn document(size: usize) -> KeptDocument {
        KeptDocument {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: AnswerBody::Data(vec![b'x'; size].into()),
        }
    }

    fn uri(path: &'static str) -> Uri {
        Uri::from_static(path)
    }

    fn asking(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(format!("a=b; {pair}")).unwrap())])
    }

    #[test]
    fn take_same_address_and_cookie_once() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let cookie = documents.keep(&uri("/a?b"), HERE, document(3), false, now).unwrap();
        let headers = asking(&cookie);
        assert!(documents.take(&uri("/a"), &headers, now).is_none());
        assert!(documents.take(&uri("/a?b"), &HeaderMap::new(), now).is_none());
        assert_eq!(documents.take(&uri("/a?b"), &headers, now).unwrap().size(), 3);
        assert!(documents.take(&uri("/a?b"), &headers, now).is_none());
    }

    #[test]
    fn take_after_a_while_is_nothing() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let cookie = documents.keep(&uri("/a"), HERE, document(3), false, now).unwrap();
        assert!(documents.take(&uri("/a"), &asking(&cookie), now + AGE).is_none());
    }

    #[test]
    fn keep_of_one_address_only_the_newest() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let other = IpAddr::V4(Ipv4Addr::BROADCAST);
        let of_other = documents.keep(&uri("/a"), other, document(3), false, now).unwrap();
        let own: Vec<_> =
            (0..10).map(|_| documents.keep(&uri("/a"), HERE, document(3), false, now).unwrap()).collect();
        let is_there = |cookie| documents.take(&uri("/a"), &asking(cookie), now).is_some();
        assert_eq!(own.iter().filter(|cookie| is_there(cookie)).count(), MAX_PER_ADDRESS);
        assert!(is_there(&of_other));
    }

    #[test]
    fn keep_too_large_is_refused_and_all_stay_within_the_budget() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        assert!(documents.keep(&uri("/a"), HERE, document(MAX_SIZE + 1), false, now).is_none());
        for last in 0..20 {
            let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
            assert!(documents.keep(&uri("/a"), address, document(MAX_SIZE), false, now).is_some());
        }
        assert_eq!(documents.0.lock().unwrap().len(), MAX_BYTES / MAX_SIZE);
    }
}
