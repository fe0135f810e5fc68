//! wrk, the load generator: where it is, how it is called, what it reports.

use std::path::PathBuf;
use std::time::Duration;

use super::HEADER;
use super::cores;
use crate::failure::{Outcome, While, fail};
use crate::machine::{apt_install, find_program, may_use_apt};

const CONNECTIONS: &str = "64";

pub struct Wrk {
    program: PathBuf,
}

/// What is asked for.
pub struct Request {
    pub path: &'static str,
    /// A Lua script for the rest of the request.
    pub script: Option<String>,
}

/// What one run of wrk counted.
#[derive(Debug, PartialEq)]
pub struct Load {
    pub requests: u64,
    pub per_second: f64,
}

impl Wrk {
    pub fn find() -> Outcome<Self> {
        if find_program("wrk").is_none() && may_use_apt() {
            apt_install(&["wrk"])?;
        }
        match find_program("wrk") {
            Some(program) => Ok(Self { program }),
            None => fail("the benchmark needs wrk: install it (Debian, Ubuntu: sudo apt-get install wrk)"),
        }
    }

    /// Saturates a server, which runs on the other core or, unpinned, wherever it likes.
    pub fn load(&self, port: u16, request: &Request, duration: Duration, pin: bool) -> Outcome<Load> {
        let mut command = super::server::pinned(&self.program, pin.then_some(cores::LOADER));
        command.args(["-t1", "-c", CONNECTIONS, "-d"]).arg(format!("{}s", duration.as_secs().max(1)));
        command.arg("-H").arg(format!("{}: {}", HEADER.0, HEADER.1));
        if let Some(script) = &request.script {
            command.arg("-s").arg(script);
        }
        let url = format!("http://127.0.0.1:{port}{}", request.path);
        let output = command.arg(url).output().while_doing("starting wrk")?;
        let report = String::from_utf8_lossy(&output.stdout);
        parse(&report).while_doing(format_args!("reading wrk's report:\n{report}"))
    }
}

/// Reads wrk's report; a run with failed requests counts for nothing.
fn parse(report: &str) -> Result<Load, String> {
    let (mut requests, mut per_second) = (None, None);
    for line in report.lines().map(str::trim) {
        if line.starts_with("Socket errors") || line.starts_with("Non-2xx") {
            return Err(line.to_owned());
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            per_second = rate.trim().parse().ok();
        } else if let Some((count, _)) = line.split_once(" requests in ") {
            requests = count.parse().ok();
        }
    }
    match (requests, per_second) {
        (Some(requests), Some(per_second)) if requests > 0 => Ok(Load { requests, per_second }),
        _ => Err("no requests were answered".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 2s test @ http://127.0.0.1:40000/hello
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms  210.11us   9.51ms   92.13%
    Req/Sec    60.51k     3.10k   65.22k    80.00%
  120345 requests in 2.00s, 15.26MB read
Requests/sec:  60111.20
Transfer/sec:      7.62MB
";

    #[test]
    fn parse_report_has_count_and_rate() {
        assert_eq!(parse(REPORT), Ok(Load { requests: 120_345, per_second: 60_111.2 }));
    }

    #[test]
    fn parse_failed_answers_are_an_error() {
        let line = "  Non-2xx or 3xx responses: 12\n";
        assert_eq!(parse(&format!("{REPORT}{line}")), Err(line.trim().to_owned()));
    }

    #[test]
    fn parse_socket_errors_are_an_error() {
        let report = format!("{REPORT}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert!(parse(&report).is_err());
    }

    #[test]
    fn parse_refused_connection_is_an_error() {
        assert!(parse("unable to connect to 127.0.0.1:1 Connection refused\n").is_err());
    }
}
