//! Who asked, so that nobody else can join the line.

use std::net::IpAddr;

/// The sender of a request, as far as a server can tell.
///
/// A line may be joined by its visitor only: the same session where the request had one, else the same address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub session: Option<String>,
    pub address: IpAddr,
}

impl Visitor {
    /// Whether `joiner` is who made the request.
    pub fn is_same(&self, joiner: &Visitor) -> bool {
        match &self.session {
            Some(session) => joiner.session.as_ref() == Some(session),
            None => self.address == joiner.address,
        }
    }
}

/// Which pages may join lines from a browser (RFC 6455 section 10.2).
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// `allowed` are further origins (`https://app.example`) besides the server's own.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Origins(allowed.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// Whether a join with these headers may go on. Clients that are not browsers send no Origin.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        let origin = origin.to_ascii_lowercase();
        let same = origin
            .split_once("://")
            .is_some_and(|(_, authority)| host.is_some_and(|host| authority.eq_ignore_ascii_case(host)));
        same || self.0.contains(&origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(session: Option<&str>, last: u8) -> Visitor {
        Visitor { session: session.map(str::to_owned), address: [127, 0, 0, last].into() }
    }

    #[test]
    fn is_same_session_wins_over_address() {
        assert!(visitor(Some("a"), 1).is_same(&visitor(Some("a"), 2)));
        assert!(!visitor(Some("a"), 1).is_same(&visitor(Some("b"), 1)));
        assert!(!visitor(Some("a"), 1).is_same(&visitor(None, 1)));
    }

    #[test]
    fn is_same_without_session_is_the_address() {
        assert!(visitor(None, 1).is_same(&visitor(Some("new"), 1)));
        assert!(!visitor(None, 1).is_same(&visitor(None, 2)));
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
}
