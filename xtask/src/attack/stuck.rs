//! Code that V8 cannot stop: the isolate is lost, and others take over.

use std::thread;
use std::time::{Duration, Instant};

use super::bystanders::{Bystanders, Seen};
use super::client::get;
use super::target::{Target, settled, until_well};
use super::{PATIENCE, Report, seconds};
use crate::failure::{Outcome, While};

const KINDS: [&str; 5] = ["includes", "reverse", "replace", "power", "wait"];
const LINES: usize = 6;
/// How long the request has been running when others come.
const HEAD_START: Duration = Duration::from_millis(200);

pub fn run(target: &Target) -> Outcome {
    for workers in [1, 2] {
        for kind in KINDS {
            attack(target, kind, workers)?;
        }
    }
    Ok(())
}

fn attack(target: &Target, kind: &str, workers: usize) -> Outcome {
    let what = format!("stuck: {kind}, {workers} worker{}", if workers == 1 { "" } else { "s" });
    let server = target.start(&[&format!("--workers={workers}"), "--cpu-timeout=500ms"])?;
    let bystanders = Bystanders::come(server.port, LINES)?;
    let before = server.resident()?;
    let start = Instant::now();
    let (port, path) = (server.port, format!("/{kind}"));
    let request = thread::spawn(move || get(port, &path, PATIENCE).map_err(|error| error.to_string()));
    thread::sleep(HEAD_START);
    let answered_after = until_well(&server);
    let took = seconds(start);
    let answer = request.join().map_err(|_| "the asking thread panicked").while_doing("asking")?;
    let Seen { lines, closed, ends, silent } = bystanders.report()?;
    let after = settled(&server, before * 1.5)?;
    let peak = server.peak()?;
    let shown = answer.as_ref().map_or_else(String::clone, u16::to_string);
    let ends: Vec<_> = ends.into_iter().collect();
    let note = format!(
        "the request: {shown}; lines: {}",
        if ends.is_empty() { "open".to_owned() } else { ends.join("; ") }
    );
    let closed = (closed, lines);
    Report {
        what: what.clone(),
        seconds: took,
        before,
        peak,
        after,
        closed: Some(closed),
        answered_after,
        note,
    }
    .print();
    if answered_after.is_none() {
        target.fault(format!("{what}: the host did not answer any more"));
    }
    if answer.is_err() {
        target.fault(format!("{what}: the stuck request was not answered with 500 ({shown})"));
    }
    // The lines of an isolate that is lost end, and their clients get a close code.
    if silent > 0 {
        target.fault(format!("{what}: {silent} lines are neither served nor closed"));
    }
    if ends.iter().any(|end| !end.starts_with("closed with 1011") && !end.starts_with("closed with 1012")) {
        target.fault(format!("{what}: lines were closed in another way than 1011 ({})", ends.join("; ")));
    }
    Ok(())
}
