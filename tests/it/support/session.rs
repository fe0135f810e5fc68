//! Sessions: visitors that keep their cookie, and cookies that a test signs itself with the key of its host.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Answer, Host};

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

/// A visitor: a browser with its cookies, as far as sessions go.
pub struct Visitor<'h> {
    host: &'h Host,
    pub cookie: Option<String>,
}

impl<'h> Visitor<'h> {
    pub fn new(host: &'h Host) -> Self {
        Visitor { host, cookie: None }
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        let mut request = self.host.request("GET", path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.send();
        if let Some(cookie) = answer.session_cookie() {
            self.cookie = Some(cookie);
        }
        answer
    }
}
