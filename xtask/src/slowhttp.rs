//! `cargo xtask slowhttp`: Debian's slowhttptest in its four modes against liveline, and ordinary clients beside it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::server::{Launch, Ready, Server};
use crate::checkout::{Checkout, complete, show};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, apt_install, find_program, may_use_apt};

pub const PROGRAM: &str = "slowhttptest";
/// How long the host waits for each of its clients; slowhttptest has to outlast it.
const PATIENCE: u64 = 3;
/// Seconds for each mode, at most: it ends when all its connections are closed. A slow reader notices that late,
/// after what it still has to read.
const SECONDS: u64 = 15;
/// Hostile connections at a time.
const CONNECTIONS: &str = "500";

const HANDLER: &str = r#"
export default async (event, next) => {
  if (next.stepname) return next();
  await event.request.text();
  return "fine";
};
"#;

/// The reason for its end that slowhttptest prints.
const ALL_CLOSED: &str = "No open connections left";

/// One mode of slowhttptest.
struct Mode {
    name: &'static str,
    arguments: &'static [&'static str],
    path: &'static str,
    /// Whether the host has to close every such connection.
    closes: bool,
}

const MODES: [Mode; 4] = [
    Mode { name: "slow headers", arguments: &["-H", "-i", "1"], path: "/", closes: true },
    Mode {
        name: "slow body",
        arguments: &["-B", "-i", "1", "-s", "8192", "-x", "10"],
        path: "/",
        closes: true,
    },
    Mode { name: "ranges", arguments: &["-R", "-t", "HEAD"], path: "/large.bin", closes: false },
    Mode {
        name: "slow read",
        arguments: &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "256"],
        path: "/large.bin",
        closes: true,
    },
];

/// What slowhttptest saw: a row for each second.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    closed: u32,
    open: u32,
    /// Seconds in which its own probe was not answered.
    unavailable: usize,
}

/// What the ordinary clients saw.
struct Neighbours {
    answered: u32,
    failed: u32,
    slowest: Duration,
}

/// Runs all modes; fails where the host was not there for others, or did not get rid of a slow client.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let seconds = match arguments {
        [] => SECONDS,
        ["--seconds", number] => number.parse().while_doing(format_args!("--seconds {number}"))?,
        [other, ..] => return fail(format!("slowhttp: unknown option {other}")),
    };
    if find_program(PROGRAM).is_none() && may_use_apt() {
        apt_install(&[PROGRAM])?;
    }
    let Some(program) = find_program(PROGRAM) else {
        return fail(format!(
            "{PROGRAM} is not on the PATH: install it, as with `apt-get install {PROGRAM}`"
        ));
    };
    let folder = checkout.target.join(PROGRAM);
    let site = folder.join("site");
    fs::create_dir_all(site.join("public")).while_doing(format_args!("creating {}", site.display()))?;
    // More than the system takes for a client that does not read.
    let large = vec![0; 16 * 1024 * 1024];
    for (file, content) in [("handler.js", HANDLER.as_bytes()), ("public/large.bin", &large)] {
        fs::write(site.join(file), content).while_doing(format_args!("writing {file}"))?;
    }
    let launch = Launch {
        program: liveline(checkout)?,
        arguments: host_arguments(&site),
        variables: Vec::new(),
        ready: Ready::Says,
        log: folder.join("liveline.log"),
    };
    let server = Server::start(&launch, None)?;
    println!(
        "\n{:14} {:>8} {:>6} {:>11} {:>9} {:>8} {:>10}",
        "mode", "closed", "open", "unavailable", "answered", "failed", "slowest"
    );
    let mut faults = Vec::new();
    for mode in &MODES {
        let (seen, neighbours) =
            beside_neighbours(server.port, || attack(&program, mode, server.port, seconds, &folder))?;
        let Neighbours { answered, failed, slowest } = neighbours;
        println!(
            "{:14} {:>8} {:>6} {:>9} s {:>9} {:>8} {:>7} ms",
            mode.name,
            seen.closed,
            seen.open,
            seen.unavailable,
            answered,
            failed,
            slowest.as_millis()
        );
        if seen.unavailable > 0 || failed > 0 || answered == 0 {
            faults.push(format!("{}: others were not answered", mode.name));
        }
        if mode.closes && seen.open > 0 {
            faults.push(format!("{}: {} connections were still open", mode.name, seen.open));
        }
    }
    if faults.is_empty() { Ok(()) } else { fail(faults.join("; ")) }
}

/// The executable to attack: its speed does not matter.
pub fn liveline(checkout: &Checkout) -> Outcome<PathBuf> {
    if let Some(named) = Machine.variable("LIVELINE_BIN") {
        return Ok(checkout.caller.join(named));
    }
    let choice = engine::choose(checkout, &Machine)?;
    let mut cargo = checkout.cargo("build");
    complete(choice.build(checkout)?.apply(&mut cargo).args(["--bin", "liveline"]))?;
    Ok(checkout.liveline(&checkout.target, "debug"))
}

fn host_arguments(site: &Path) -> Vec<String> {
    let limits = ["--header-timeout", "--keep-alive-timeout", "--body-timeout", "--write-timeout"];
    let start = ["serve".to_owned(), site.display().to_string(), "--port=0".to_owned()];
    start.into_iter().chain(limits.map(|limit| format!("{limit}={PATIENCE}s"))).collect()
}

/// Runs slowhttptest once.
fn attack(program: &Path, mode: &Mode, port: u16, seconds: u64, folder: &Path) -> Outcome<Seen> {
    let report = folder.join(mode.name.replace(' ', "-"));
    let mut command = Command::new(program);
    command.args(mode.arguments).args(["-c", CONNECTIONS, "-r", CONNECTIONS, "-p", "2", "-v", "1", "-g"]);
    command.args(["-l", &seconds.to_string(), "-u", &format!("http://127.0.0.1:{port}{}", mode.path), "-o"]);
    let shown = show(command.arg(&report));
    let output = command.stdin(Stdio::null()).output().while_doing(format_args!("starting `{shown}`"))?;
    let table = report.with_extension("csv");
    let text = fs::read_to_string(&table).while_doing(format_args!("reading {}", table.display()))?;
    match seen(&text) {
        // It ends early when all are closed, without a row that says so.
        Some(seen) if String::from_utf8_lossy(&output.stdout).contains(ALL_CLOSED) => {
            Ok(Seen { closed: seen.closed + seen.open, open: 0, ..seen })
        }
        Some(seen) => Ok(seen),
        None => fail(format!("{} is not in the known format", table.display())),
    }
}

/// Reads `Seconds,Closed,Pending,Connected,Service Available`; the last column is 0 where it was not.
fn seen(table: &str) -> Option<Seen> {
    let mut seen = None;
    for row in table.lines().skip(1) {
        let cells: Vec<u32> = row.split(',').map(|cell| cell.trim().parse().ok()).collect::<Option<_>>()?;
        let &[_, closed, pending, connected, available] = cells.as_slice() else { return None };
        let unavailable = seen.map_or(0, |seen: Seen| seen.unavailable) + usize::from(available == 0);
        seen = Some(Seen { closed, open: pending + connected, unavailable });
    }
    seen
}

/// Does something while ordinary clients ask, one after the other, each on a connection of its own.
fn beside_neighbours<T>(port: u16, work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Neighbours)> {
    let over = Arc::new(AtomicBool::new(false));
    let heard = over.clone();
    let neighbours = thread::spawn(move || {
        let mut seen = Neighbours { answered: 0, failed: 0, slowest: Duration::ZERO };
        while !heard.load(Ordering::Relaxed) {
            let start = Instant::now();
            match ask(port) {
                Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => seen.answered += 1,
                _ => seen.failed += 1,
            }
            seen.slowest = seen.slowest.max(start.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
        seen
    });
    let done = work();
    over.store(true, Ordering::Relaxed);
    match neighbours.join() {
        Ok(seen) => Ok((done?, seen)),
        Err(_) => fail("the ordinary clients' thread panicked"),
    }
}

fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(PATIENCE)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_counts_and_every_second_without_service() {
        let table = "Seconds,Closed,Pending,Connected,Service Available\n\
                     0,0,1,0,500\n1,0,100,400,0\n2,500,0,0,500\n";
        assert_eq!(seen(table), Some(Seen { closed: 500, open: 0, unavailable: 1 }));
        assert_eq!(seen("Seconds\n1,x\n"), None);
        assert_eq!(seen(""), None);
    }
}
