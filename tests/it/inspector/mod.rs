//! `--inspect`: a debugger attaches over the protocol that Chrome DevTools and editors use.

mod debugger;
mod generations;
mod pausing;
mod reports;
mod security;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use self::debugger::Debugger;
use crate::support::{Host, Request, Site};

/// Where debuggers attach to a host that has just started.
#[track_caller]
fn debugger_address(host: &Host) -> SocketAddr {
    let line = host.log.next("debugger at ");
    let address = line.strip_prefix("debugger at ").and_then(|rest| rest.split_once(": "));
    address.and_then(|(address, _)| address.parse().ok()).unwrap_or_else(|| panic!("not an address: {line}"))
}

/// The targets that debuggers can attach to.
#[track_caller]
fn targets(address: SocketAddr) -> Vec<Value> {
    let list = Request::new(address, "GET", "/json/list").send();
    list.json().as_array().expect("a list of targets").clone()
}

/// Attaches to the only target.
#[track_caller]
fn attach(address: SocketAddr) -> Debugger {
    let targets = targets(address);
    assert_eq!(targets.len(), 1, "{targets:?}");
    Debugger::attach(&targets[0])
}

/// Sends a request whose answer is read to the end of its connection.
#[track_caller]
fn ask(host: &Host, path: &str) -> TcpStream {
    let mut stream = host.connect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("the host reads");
    stream
}

/// A handler whose local variable `local` is 41 when it pauses.
const PAUSES: &str = r#"
    export default (event, next) => {
      if (next.stepname) return next();
      const local = 41;
      debugger;
      return { local };
    };
"#;

/// A site with that handler and one at `/plain` that answers at once.
fn pausing() -> Site {
    Site::new().file("handler.js", PAUSES).file("plain/handler.js", r#"export default () => "plain";"#)
}
