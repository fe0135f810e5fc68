//! Who made a request, so that no other client can join its line.

use std::net::IpAddr;

/// The sender of a request, as far as a server can tell.
///
/// A line's token is 128 random bits that work once, so a client that presents it got it with the answer. If the request
/// had a session, the joining client must have the same one. The address only counts for quotas: it changes from Wi-Fi
/// to mobile, from IPv6 to IPv4, and from one exit of a carrier to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The name of its session, if the request had one.
    pub session: Option<Box<str>>,
    /// The address that it was sent from.
    pub address: IpAddr,
}

impl Visitor {
    /// Whether `joiner`, which has the line's token, may be the sender of the request.
    pub fn is_same(&self, joiner: &Visitor) -> bool {
        match &self.session {
            Some(session) => joiner.session.as_ref() == Some(session),
            None => true,
        }
    }
}

/// A client that asks for a line: who it is, and which page it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Who it is.
    pub visitor: &'a Visitor,
    /// The `Origin` header of its request. Only browsers send one.
    pub origin: Option<&'a str>,
    /// The origin that the request is for, or `HOST:PORT` alone where the scheme is not known.
    pub host: Option<&'a str>,
}

/// A client that is not a browser.
impl<'a> From<&'a Visitor> for Caller<'a> {
    fn from(visitor: &'a Visitor) -> Caller<'a> {
        Caller { visitor, origin: None, host: None }
    }
}

/// The origins whose pages may join lines (RFC 6455 section 10.2).
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// `allowed` are further origins (`https://app.example`) besides the server's own.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Origins(allowed.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// Whether a request with this `Origin` header is allowed. `own` is the origin that the request is for, or `HOST:PORT`
    /// alone where the scheme is not known. Clients that are not browsers send no Origin and are allowed.
    pub fn allow(&self, origin: Option<&str>, own: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        own.is_some_and(|own| is_same_origin(origin, own))
            || self.0.iter().any(|allowed| is_same_origin(origin, allowed))
    }
}

/// Whether two origins have the same scheme, host and port (RFC 6454 section 5). A scheme's default port may be left
/// out. `own` may be `HOST:PORT` alone, for either scheme.
pub fn is_same_origin(origin: &str, own: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let own = match own.split_once("://") {
        Some((own_scheme, _)) if !own_scheme.eq_ignore_ascii_case(scheme) => return false,
        Some((_, own)) => own,
        None => own,
    };
    !authority.is_empty() && without_port(scheme, authority).eq_ignore_ascii_case(without_port(scheme, own))
}

/// An authority without its scheme's default port.
fn without_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let authority = authority.strip_suffix(port).unwrap_or(authority);
    // The port may be empty: `host:`.
    authority.strip_suffix(':').unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(session: Option<&str>, last: u8) -> Visitor {
        Visitor { session: session.map(Box::from), address: [127, 0, 0, last].into() }
    }

    #[test]
    fn is_same_session_wins_over_address() {
        assert!(visitor(Some("a"), 1).is_same(&visitor(Some("a"), 2)));
        assert!(!visitor(Some("a"), 1).is_same(&visitor(Some("b"), 1)));
        assert!(!visitor(Some("a"), 1).is_same(&visitor(None, 1)));
    }

    #[test]
    fn is_same_without_session_is_any_client_with_the_token() {
        assert!(visitor(None, 1).is_same(&visitor(Some("new"), 1)));
        assert!(visitor(None, 1).is_same(&visitor(None, 2)));
    }

    #[test]
    fn allow_own_listed_and_absent_origins() {
        let origins = Origins::new(["https://App.example/".to_owned()]);
        assert!(origins.allow(None, Some("here:1")));
        assert!(origins.allow(Some("http://here:1"), Some("here:1")));
        assert!(origins.allow(Some("https://app.example"), Some("here:1")));
        assert!(!origins.allow(Some("http://here:2"), Some("here:1")));
        assert!(!origins.allow(Some("null"), Some("null")));
    }

    #[test]
    fn a_schemes_own_port_may_be_left_out() {
        for (origin, own) in [
            ("https://shop.example", "shop.example:443"),
            ("https://shop.example:443", "shop.example"),
            ("http://shop.example", "Shop.Example:80"),
            ("http://[::1]", "[::1]:80"),
            ("https://shop.example", "https://shop.example:443"),
            ("https://shop.example", "shop.example"),
            ("https://shop.example", "shop.example:"),
        ] {
            assert!(is_same_origin(origin, own), "{origin} {own}");
        }
        for (origin, own) in [
            ("https://shop.example", "shop.example:80"),
            ("http://shop.example", "shop.example:443"),
            ("http://shop.example", "https://shop.example"),
            ("https://shop.example", "shop.example:8443"),
            ("https://shop.example.evil", "shop.example"),
            ("https://", ""),
            ("shop.example", "shop.example"),
            ("null", "null"),
        ] {
            assert!(!is_same_origin(origin, own), "{origin} {own}");
        }
    }
}
