//! The addresses that `--deny-net=private` means.

use super::PRIVATE;

/// Networks that the internet does not route: this machine, its local networks and its links, and the IPv6 forms in which
/// an IPv4 address can be written. Mapped addresses (`::ffff:0:0/96`) are compared as IPv4.
const NETWORKS: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    // The unspecified address, loopback, and addresses that contain one of IPv4.
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
];

/// The hosts and networks that one value of `--deny-net` means.
pub(super) fn meant(value: &str) -> Vec<String> {
    match value {
        PRIVATE => NETWORKS.map(str::to_owned).to_vec(),
        _ => vec![value.to_owned()],
    }
}
