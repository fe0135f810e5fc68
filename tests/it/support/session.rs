//! Sessions that a test gives out itself, with the key that its host was started with.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The cookie of the session with this id: `__sessid=<id>.<mac>`.
pub fn session_cookie(key: &str, id: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length is one");
    mac.update(id.as_bytes());
    let mut cookie = format!("__sessid={id}.");
    for byte in mac.finalize().into_bytes() {
        write!(cookie, "{byte:02x}").expect("a string can be written to");
    }
    cookie
}
