//! Where a host listens: by an address, a name, or the environment's word.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use crate::support::Site;

fn site() -> Site {
    Site::new().file("handler.js", "export default (event) => event.url.host;")
}

/// Whether this machine has IPv6 at all.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn localhost_is_both_of_its_addresses() {
    for name in ["localhost", "LOCALHOST"] {
        let host = site().host(name).serve();
        let port = host.address().port();
        assert_eq!(host.printed().trim(), format!("listening on http://localhost:{port}"));
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        if has_ipv6() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
        }
        let answer = host.request("GET", "/").header("host", &format!("localhost:{port}")).send();
        assert_eq!((answer.status, answer.text()), (200, &*format!("localhost:{port}")));
    }
}

#[test]
fn localhost_in_dev_answers_for_its_names() {
    let host = site().host("localhost").dev();
    let port = host.address().port();
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let answer = host.request("GET", "/").header("host", &format!("{name}:{port}")).send();
        assert_eq!((answer.status, answer.text()), (200, &*format!("{name}:{port}")));
    }
    assert_eq!(host.request("GET", "/").header("host", "elsewhere.example").send().status, 421);
}

#[test]
fn a_port_that_is_taken_at_one_address_of_a_name_is_taken() {
    if !has_ipv6() {
        return;
    }
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let finished = site().arg("--host").arg("localhost").arg("--port").arg(&port).run("serve");
    assert_eq!(finished.code, Some(1), "{}", finished.output());
    assert!(finished.stderr.contains(&format!("port {port} is in use on ::1")), "{}", finished.output());
}

#[test]
fn addresses_are_taken_with_and_without_brackets() {
    if !has_ipv6() {
        return;
    }
    for address in ["::1", "[::1]"] {
        let host = site().host(address).serve();
        assert_eq!(host.address().ip(), Ipv6Addr::LOCALHOST, "{address}");
        assert_eq!(host.get("/").status, 200, "{address}");
    }
}

#[test]
fn an_unknown_host_name_is_an_error_that_names_the_remedy() {
    let finished = site().arg("--host").arg("no-such-host.invalid").arg("--port").arg("0").run("serve");
    assert_eq!(finished.code, Some(1), "{}", finished.output());
    for words in ["no-such-host.invalid", "localhost", "0.0.0.0"] {
        assert!(finished.stderr.contains(words), "{}", finished.output());
    }
}

#[test]
fn a_host_in_the_environment_counts_where_it_is_an_address() {
    for (name, value, address) in [
        // What shells and their tools put there.
        ("HOST", "x86_64-apple-darwin13.4.0", "127.0.0.1"),
        ("HOST", "x86_64-conda-linux-gnu", "127.0.0.1"),
        ("HOST", "my-laptop.local", "127.0.0.1"),
        ("HOST", "example.com", "127.0.0.1"),
        ("HOST", "http://localhost:3000", "127.0.0.1"),
        ("HOST", "", "127.0.0.1"),
        ("LIVELINE_HOST", "", "127.0.0.1"),
        // What platforms put there.
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("HOST", "127.0.0.2", "127.0.0.2"),
        ("HOST", "localhost", "localhost"),
        ("LIVELINE_HOST", "127.0.0.2", "127.0.0.2"),
        ("LIVELINE_HOST", "localhost", "localhost"),
    ] {
        let host = site().without_address().variable(name, value).serve();
        let printed = host.printed();
        let expected = format!("listening on http://{address}:");
        assert!(printed.starts_with(&expected), "{name}={value}: {printed}");
    }
}

#[test]
fn the_hosts_own_variable_comes_first_and_an_argument_before_it() {
    let both = || site().variable("HOST", "127.0.0.2").variable("LIVELINE_HOST", "127.0.0.3");
    assert!(both().without_address().serve().printed().contains("//127.0.0.3:"));
    assert!(both().host("127.0.0.4").serve().printed().contains("//127.0.0.4:"));
    let finished =
        site().variable("LIVELINE_HOST", "no-such-host.invalid").arg("--port").arg("0").run("serve");
    assert_eq!(finished.code, Some(1), "{}", finished.output());
}
