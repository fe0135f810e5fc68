//! Requests that run into the CPU limit: each ends one exchange and affects no other client.

use std::time::Instant;

use super::bystanders::{Bystanders, Seen};
use super::client::{get, post};
use super::target::{Target, settled, until_well};
use super::{PATIENCE, Report, seconds};
use crate::failure::Outcome;

/// Lines that are open from the beginning; one more comes before each request.
const LINES: usize = 5;
/// What one form with a body within the default limit can have.
const PARTS: usize = 180_000;
const BOUNDARY: &str = "b";

const OPTIONS: [&str; 1] = ["--workers=1"];

pub fn run(target: &Target) -> Outcome {
    let form = form();
    for count in [9, 30] {
        attack(target, &format!("trips: {count} slow regexps"), count, |port| {
            get(port, "/regexp", PATIENCE)
        })?;
        attack(target, &format!("trips: {count} forms of {PARTS} parts"), count, |port| {
            let kind = format!("multipart/form-data; boundary={BOUNDARY}");
            post(port, "/form", &kind, &form, PATIENCE)
        })?;
    }
    Ok(())
}

fn attack(
    target: &Target,
    what: &str,
    count: usize,
    request: impl Fn(u16) -> std::io::Result<u16>,
) -> Outcome {
    let server = target.start(&OPTIONS)?;
    let bystanders = Bystanders::come(server.port, LINES)?;
    let before = server.resident()?;
    let start = Instant::now();
    let mut answers = Vec::new();
    for _ in 0..count {
        // Visitors go on coming, so that each isolate that is replaced has lines.
        if let Err(failure) = bystanders.one_more() {
            target.fault(format!("{what}: a visitor was not served between the attacks: {failure}"));
            break;
        }
        answers.push(request(server.port).map_err(|error| error.to_string()));
    }
    let took = seconds(start);
    let answered_after = until_well(&server);
    let Seen { lines, closed, ends, silent } = bystanders.report()?;
    let after = settled(&server, before * 1.5)?;
    let peak = server.peak()?;
    let mut kinds: Vec<String> =
        answers.iter().map(|answer| answer.as_ref().map_or_else(String::clone, u16::to_string)).collect();
    kinds.sort();
    kinds.dedup();
    let note = format!("answered with {}", kinds.join(", "));
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
    if closed.0 > 0 {
        let ends: Vec<_> = ends.into_iter().collect();
        target.fault(format!("{what}: {} lines of bystanders were closed ({})", closed.0, ends.join("; ")));
    }
    if silent > 0 {
        target.fault(format!("{what}: nothing came on {silent} lines of bystanders"));
    }
    if answers.iter().any(Result::is_err) {
        target.fault(format!("{what}: not every request was answered ({})", kinds.join(", ")));
    }
    if answered_after.is_none() {
        target.fault(format!("{what}: the host did not answer any more"));
    }
    Ok(())
}

fn form() -> Vec<u8> {
    let part = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n");
    let mut form = part.repeat(PARTS).into_bytes();
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}
