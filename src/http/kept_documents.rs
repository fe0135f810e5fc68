//! Documents that browsers are about to load.
//!
//! A page of the app requests data. If the answer is not a state of that page, the browser has to load it as a document
//! of its own, and the handlers must not run twice for that. So the host keeps the answer for a moment, names it in a
//! cookie, and answers the load of the same address with it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use hyper::{StatusCode, Uri};

use super::AnswerBody;
use crate::random;

/// The names of the cookies begin with this; one of [`MAX_PER_ADDRESS`] numbers follows, so that a browser whose tabs load
/// documents at the same time has a cookie for each.
const PREFIX: &str = "__liveline_document_";
/// What else is said of a cookie, when it is set and when it is deleted.
const SCOPE: &str = "Path=/; HttpOnly; SameSite=Strict";
/// How long a document is kept. A browser loads it at once.
const AGE: Duration = Duration::from_secs(30);
/// Documents of one client address. Beyond that the oldest is dropped.
const MAX_PER_ADDRESS: usize = 8;
/// All documents: those that are files or streams hold no bytes here. Beyond that the oldest are dropped.
const MAX_DOCUMENTS: usize = 1024;
/// Bytes of all documents. Beyond that the oldest are dropped.
const MAX_BYTES: usize = 64 << 20;
/// Bytes of one document. A larger one is not kept, and the browser sends the request again.
const MAX_SIZE: usize = 8 << 20;

/// A kept answer.
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
pub(crate) struct KeptDocuments(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    /// From the oldest on.
    kept: VecDeque<Kept>,
    /// The number of the next one's cookie.
    next: usize,
}

impl Table {
    /// Drops the documents that no browser will load any more.
    fn drop_old(&mut self, now: Instant) {
        self.kept.retain(|kept| now.duration_since(kept.since) < AGE);
    }
}

struct Kept {
    /// Name and value.
    cookie: String,
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
        let token = random::hexadecimal(&random::bytes::<16>());
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cookie = format!("{PREFIX}{}={token}", table.next);
        table.next = (table.next + 1) % MAX_PER_ADDRESS;
        let (secure, age) = (if is_secure { "; Secure" } else { "" }, AGE.as_secs());
        let set = format!("{cookie}; {SCOPE}; Max-Age={age}{secure}");
        table.drop_old(now);
        let all = &mut table.kept;
        all.push_back(Kept { cookie, target: target_of(target), address, since: now, document });
        let excess =
            all.iter().filter(|kept| kept.address == address).count().saturating_sub(MAX_PER_ADDRESS);
        for _ in 0..excess {
            let oldest = all.iter().position(|kept| kept.address == address);
            oldest.and_then(|oldest| all.remove(oldest));
        }
        while all.len() > MAX_DOCUMENTS
            || all.iter().map(|kept| kept.document.size()).sum::<usize>() > MAX_BYTES
        {
            all.pop_front();
        }
        Some(HeaderValue::try_from(set).expect("the token is hexadecimal"))
    }

    /// Takes out the document that one of a request's cookies names. Its headers delete the cookie.
    pub(crate) fn take(&self, target: &Uri, headers: &HeaderMap, now: Instant) -> Option<KeptDocument> {
        let mut cookies = cookies_of(headers).peekable();
        cookies.peek()?;
        let target = target_of(target);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.drop_old(now);
        let is_it = |kept: &Kept, cookie| kept.cookie == cookie && kept.target == target;
        let found = cookies.find_map(|cookie| table.kept.iter().position(|kept| is_it(kept, cookie)))?;
        let Kept { cookie, mut document, .. } = table.kept.remove(found)?;
        let name = cookie.split('=').next().unwrap_or_default();
        let deleted = HeaderValue::try_from(format!("{name}=; {SCOPE}; Max-Age=0"));
        document.headers.append(SET_COOKIE, deleted.expect("the name is ASCII"));
        Some(document)
    }
}

fn target_of(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// The cookies that may name a document, each as name and value.
fn cookies_of(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(';')).map(str::trim).filter(|cookie| cookie.starts_with(PREFIX))
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
    fn take_has_a_cookie_for_each_of_several_and_deletes_only_its_own() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let pairs: Vec<_> = ["/a", "/b"]
            .map(|path| documents.keep(&uri(path), HERE, document(3), false, now).unwrap())
            .iter()
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pairs.join("; ")).unwrap())]);
        for (path, pair) in ["/b", "/a"].into_iter().zip(pairs.iter().rev()) {
            let taken = documents.take(&uri(path), &headers, now).unwrap();
            let deleted = taken.headers[SET_COOKIE].to_str().unwrap();
            let name = pair.split('=').next().unwrap();
            assert!(deleted.starts_with(&format!("{name}=; ")) && deleted.contains("Max-Age=0"), "{deleted}");
        }
    }

    #[test]
    fn take_after_a_while_is_nothing() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let cookie = documents.keep(&uri("/a"), HERE, document(3), false, now).unwrap();
        assert!(documents.take(&uri("/a"), &asking(&cookie), now + AGE).is_none());
    }

    #[test]
    fn old_documents_are_dropped_when_others_are_taken() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        let of = |cookie: Option<HeaderValue>| asking(&cookie.expect("a document that is kept"));
        of(documents.keep(&uri("/a"), HERE, document(3), false, now));
        let headers = of(documents.keep(&uri("/b"), HERE, document(3), false, now + AGE / 2));
        assert!(documents.take(&uri("/none"), &headers, now + AGE).is_none());
        assert_eq!(documents.0.lock().unwrap().kept.len(), 1);
    }

    #[test]
    fn documents_without_bytes_are_counted() {
        let (documents, now) = (KeptDocuments::default(), Instant::now());
        for number in 0..=MAX_DOCUMENTS as u32 {
            let address = IpAddr::V4(Ipv4Addr::from_bits(number));
            documents.keep(&uri("/a"), address, document(0), false, now).unwrap();
        }
        assert_eq!(documents.0.lock().unwrap().kept.len(), MAX_DOCUMENTS);
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
        assert_eq!(documents.0.lock().unwrap().kept.len(), MAX_BYTES / MAX_SIZE);
    }
}
