//! Memory that is none of V8's heap: buffers, bodies of requests, results of a database.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::bystanders::{Bystanders, Seen};
use super::client::{begin_upload, get};
use super::target::{Target, settled, until_well};
use super::{PATIENCE, Report, seconds};
use crate::bench::server::Server;
use crate::failure::Outcome;

const MIB: f64 = (1 << 20) as f64;
const LINES: usize = 5;
const MAX_HEAP: f64 = 128.0 * MIB;
/// By how much a limit may be exceeded before it is checked.
const SLACK: f64 = 192.0 * MIB;

/// Uploads, each within the default limit of a body; more than a gigabyte together.
const UPLOADS: usize = 150;
const LENGTH: usize = 10 << 20;
const SENT: usize = 9 << 20;
/// How long they stay.
const STAY: Duration = Duration::from_secs(4);

pub fn run(target: &Target) -> Outcome {
    // Memory of a handler counts against its isolate's heap, wherever it is.
    asking(target, "memory: a handler's buffers, 1 GiB", "/buffers", MAX_HEAP + SLACK)?;
    asking(target, "memory: rows of a query, 500 MB", "/rows", 2.0 * MAX_HEAP + SLACK)?;
    uploads(target)
}

/// A request whose handler wants much.
fn asking(target: &Target, what: &str, path: &str, bound: f64) -> Outcome {
    attack(target, what, &["--workers=1", "--max-heap=128MiB"], bound, |server| {
        let answer = get(server.port, path, PATIENCE).map_err(|error| error.to_string());
        Ok(format!("answered with {}", answer.as_ref().map_or_else(String::clone, u16::to_string)))
    })
}

/// Uploads that do not end.
fn uploads(target: &Target) -> Outcome {
    let what = format!("memory: {UPLOADS} unfinished uploads of {} MiB", SENT >> 20);
    let half = UPLOADS as f64 * SENT as f64 / 2.0;
    attack(target, &what, &["--workers=1"], half, |server| {
        let port = server.port;
        let begin = |thread: usize| {
            let own = (thread..UPLOADS).step_by(8);
            own.filter_map(move |index| begin_upload(port, index, LENGTH, SENT).ok())
                .collect::<Vec<TcpStream>>()
        };
        let held: Vec<TcpStream> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || begin(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        // Others are served meanwhile.
        let beside = until_well(server);
        thread::sleep(STAY);
        let beside = beside.map_or("never".to_owned(), |after| format!("after {} ms", after.as_millis()));
        Ok(format!("{} were taken; others were answered {beside}", held.len()))
    })
}

fn attack(
    target: &Target,
    what: &str,
    options: &[&str],
    bound: f64,
    act: impl FnOnce(&Server) -> Outcome<String>,
) -> Outcome {
    let server = target.start(options)?;
    let bystanders = Bystanders::come(server.port, LINES)?;
    let before = server.resident()?;
    let start = Instant::now();
    let note = act(&server)?;
    let took = seconds(start);
    let answered_after = until_well(&server);
    let Seen { lines, closed, ends, silent } = bystanders.report()?;
    let most_after = before * 1.2 + 64.0 * MIB;
    let after = settled(&server, most_after)?;
    let peak = server.peak()?;
    let closed = (closed, lines);
    Report {
        what: what.to_owned(),
        seconds: took,
        before,
        peak,
        after,
        closed: Some(closed),
        answered_after,
        note,
    }
    .print();
    if peak - before > bound {
        let (grown, bound) = ((peak - before) / MIB, bound / MIB);
        target.fault(format!("{what}: it took {grown:.0} MiB more than before, of {bound:.0}"));
    }
    if after > most_after {
        target.fault(format!("{what}: {:.0} MiB were kept, of {:.0}", after / MIB, most_after / MIB));
    }
    if closed.0 > 0 || silent > 0 {
        let ends: Vec<_> = ends.into_iter().collect();
        target.fault(format!(
            "{what}: {} lines of bystanders were closed ({}), {silent} got nothing",
            closed.0,
            ends.join("; ")
        ));
    }
    if answered_after.is_none() {
        target.fault(format!("{what}: the host did not answer any more"));
    }
    Ok(())
}
