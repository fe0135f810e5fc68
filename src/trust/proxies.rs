//! The addresses of trusted proxies.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// The trusted proxies. None is trusted that is not listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Vec<ProxyRange>);

/// An address, a network, or a word for several networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProxyRange {
    /// This machine.
    Loopback,
    /// The private networks (RFC 1918, RFC 4193).
    Private,
    Network(IpNet),
}

/// Why a range is invalid.
#[derive(Debug, thiserror::Error)]
#[error("give addresses such as 192.0.2.1, networks such as 10.0.0.0/8, or the words loopback and private")]
pub(crate) struct InvalidProxies;

impl Proxies {
    pub(crate) fn new(listed: Vec<ProxyRange>) -> Proxies {
        Proxies(listed)
    }

    /// Whether an address is a trusted proxy's.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(address))
    }
}

impl ProxyRange {
    fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (ProxyRange::Loopback, _) => address.is_loopback(),
            (ProxyRange::Private, IpAddr::V4(address)) => address.is_private(),
            (ProxyRange::Private, IpAddr::V6(address)) => address.is_unique_local(),
            (ProxyRange::Network(network), _) => network.contains(&address),
        }
    }
}

impl FromStr for ProxyRange {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<ProxyRange, InvalidProxies> {
        match text.trim() {
            "loopback" => Ok(ProxyRange::Loopback),
            "private" => Ok(ProxyRange::Private),
            text => {
                let network =
                    text.parse().or_else(|_| text.parse().map(|it: IpAddr| it.to_canonical().into()));
                network.map(ProxyRange::Network).map_err(|_: std::net::AddrParseError| InvalidProxies)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_and_words() {
        let listed = ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "loopback"];
        let proxies = Proxies::new(listed.map(|text| text.parse().expect("a range")).to_vec());
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "10.9.9.9", "2001:db8::7", "127.0.0.2", "::1"] {
            assert!(proxies.contain(address.parse().expect("an address")), "{address}");
        }
        for address in ["192.0.2.2", "11.0.0.1", "2001:db9::1", "192.168.0.1"] {
            assert!(!proxies.contain(address.parse().expect("an address")), "{address}");
        }
        let private = Proxies::new(vec![ProxyRange::Private]);
        for address in ["192.168.0.1", "172.16.0.1", "10.0.0.1", "fd00::1"] {
            assert!(private.contain(address.parse().expect("an address")), "{address}");
        }
        assert!(!private.contain("127.0.0.1".parse().expect("an address")));
        assert!(!Proxies::default().contain("127.0.0.1".parse().expect("an address")));
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0", "*"] {
            assert!(text.parse::<ProxyRange>().is_err(), "{text}");
        }
    }
}
