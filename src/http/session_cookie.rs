//! The cookie with a visitor's session id: `__sessid=<id>.<mac>`.

use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use sha2::Sha256;

use super::cookies;
use crate::random;

/// The cookie's name.
const NAME: &str = "__sessid";

/// Signs session ids, so that only ids of this server are accepted.
pub(crate) struct Signer {
    key: Hmac<Sha256>,
    attributes: String,
    is_secure: bool,
}

impl Signer {
    /// With `is_secure` every cookie is sent over TLS only.
    pub(crate) fn new(key: &[u8], max_age: u64, is_secure: bool) -> Signer {
        Signer {
            key: Hmac::new_from_slice(key).expect("a key of any length is one"),
            attributes: format!("; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}"),
            is_secure,
        }
    }

    /// The session id in a request, if its signature is valid.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Option<String> {
        let sessions = cookies(headers).filter(|cookie| cookie.name() == NAME);
        // There may be a forged cookie beside the real one.
        sessions.into_iter().find_map(|cookie| self.verify(cookie.value()).map(str::to_owned))
    }

    /// The `Set-Cookie` header with a session id. With `is_secure`, because the client uses TLS, it is sent over TLS only.
    pub(crate) fn write(&self, id: &str, is_secure: bool) -> HeaderValue {
        let signature = random::hexadecimal(&self.sign(id).finalize().into_bytes());
        let mut cookie = format!("{NAME}={id}.{signature}{}", self.attributes);
        if is_secure || self.is_secure {
            cookie.push_str("; Secure");
        }
        cookie.parse().expect("session ids are hexadecimal")
    }

    /// The id of a signed value. The comparison takes the same time wherever the first difference is.
    fn verify<'v>(&self, value: &'v str) -> Option<&'v str> {
        let (id, mac) = value.split_once('.')?;
        let mac = bytes_of(mac)?;
        self.sign(id).verify_slice(&mac).ok().map(|()| id)
    }

    fn sign(&self, id: &str) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(id.as_bytes());
        mac
    }
}

/// The bytes of a signature in lower-case hexadecimal.
fn bytes_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let digits = hexadecimal.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use hyper::header::COOKIE;

    use super::*;

    fn headers(cookies: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, cookies.parse().expect("a header"))])
    }

    #[test]
    fn only_what_was_signed_here_counts() {
        let (ours, theirs) = (Signer::new(b"ours", 1, false), Signer::new(b"theirs", 1, false));
        let cookie = |signer: &Signer| {
            let header = signer.write("0a", false);
            header.to_str().expect("a text").split(';').next().expect("a cookie").to_owned()
        };
        let (good, forged) = (cookie(&ours), cookie(&theirs));

        assert_eq!(ours.read(&headers(&good)).as_deref(), Some("0a"));
        assert_eq!(ours.read(&headers(&format!("a=1; {forged}; {good}"))).as_deref(), Some("0a"));
        for bad in [&forged, "__sessid=0a", "__sessid=0a.", "__sessid=0b.00", &good.replace("0a", "0b")] {
            assert_eq!(ours.read(&headers(bad)), None, "{bad}");
        }
        assert_eq!(ours.read(&headers(&good.to_uppercase())), None);
    }

    #[test]
    fn a_signature_is_rfc_4231s() {
        let signer = Signer::new(b"Jefe", 7, true);

        let header = signer.write("what do ya want for nothing?", false);

        let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let rest = "Path=/; HttpOnly; SameSite=Lax; Max-Age=7; Secure";
        assert_eq!(header, format!("__sessid=what do ya want for nothing?.{mac}; {rest}"));
    }
}
