//! However a client's bytes are cut, the guard decides the same; bytes that it passes are decided the same once more; and
//! a host or path that it accepts is one for a URL parser.

use liveline_proto::http1::{Framing, Unreadable, is_host, is_resolved};
use url::Url;

/// How many requests of a connection are checked.
const REQUESTS: usize = 8;

/// The first byte is the length of the pieces.
pub(crate) fn check(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = follow(bytes, bytes.len().max(1));
    for piece in [1, 1 + usize::from(cut % 64)] {
        let cut = follow(bytes, piece);
        assert_eq!((cut.unreadable, cut.is_broken), (whole.unreadable, whole.is_broken));
    }
    assert!(whole.kept.len() <= bytes.len());
    // Single bytes have no whole chunks to merge.
    assert!(bytes.starts_with(&follow(bytes, 1).kept));
    let again = follow(&whole.kept, whole.kept.len().max(1));
    assert!(!again.is_broken);
    if !whole.is_broken {
        assert_eq!((again.unreadable, &again.kept), (whole.unreadable, &whole.kept));
    }
    for word in bytes.split(|byte| byte.is_ascii_whitespace()) {
        check_host(word);
        check_path(word);
    }
}

struct Followed {
    unreadable: [Option<Unreadable>; REQUESTS],
    is_broken: bool,
    kept: Vec<u8>,
}

fn follow(bytes: &[u8], piece: usize) -> Followed {
    let mut framing = Framing::default();
    let mut kept = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let length = framing.follow(&mut piece);
        kept.extend_from_slice(&piece[..length]);
    }
    let unreadable = std::array::from_fn(|number| framing.unreadable(number));
    Followed { unreadable, is_broken: framing.is_broken(), kept }
}

fn check_host(word: &[u8]) {
    if is_host(word) {
        let host = std::str::from_utf8(word).expect("a host is ASCII");
        let url = Url::parse(&format!("http://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
        assert!(url.has_host() && url.username().is_empty() && url.path() == "/", "{host}");
    }
}

fn check_path(word: &[u8]) {
    let is_path = |it: &u8| it.is_ascii_graphic() && !b"?#".contains(it);
    let Some(path) = std::str::from_utf8(word).ok().filter(|path| path.starts_with('/')) else { return };
    if path.bytes().all(|it| is_path(&it)) && is_resolved(path) {
        let url = Url::parse(&format!("http://x{path}")).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(url.path().matches('/').count(), path.matches('/').count(), "{path}");
    }
}
