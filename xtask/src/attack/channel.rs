//! Thousands of members of a channel that come and go at once.

use std::time::{Duration, Instant};

use super::client::text;
use super::target::{Target, settled, until_well};
use super::{PATIENCE, Report, seconds};
use crate::bench::cores;
use crate::bench::load::{ClientEvent, LoadGenerator, Protocol, Sender, Transport};
use crate::bench::server::Server;
use crate::failure::{Outcome, fail};

const MEMBERS: usize = 10_000;
/// The most frames a second to all members together, and the most frames to each besides. With a frame for each
/// that comes or goes it would be as many as there are members, for each of them.
const FRAMES_A_SECOND: f64 = 60_000.0;
const FRAMES_EACH: f64 = 20.0;
/// No pings, so that only presence is counted.
const OPTIONS: [&str; 2] = ["--ping-interval=1h", "--ping-timeout=2h"];
/// How long the members may take to enter, and to leave.
const LONGEST_ROUND: Duration = Duration::from_secs(240);

pub fn run(target: &Target) -> Outcome {
    let members = MEMBERS.min(cores::most_connections());
    let what = format!("channel: {members} come and go");
    let server = target.start(&OPTIONS)?;
    let empty = server.resident()?;
    let mut first = 0.0;
    for round in 1..=2 {
        let (report, full) = come_and_go(target, &server, &what, members)?;
        let after = report.after;
        Report { what: format!("{what}, round {round}"), ..report }.print();
        if after > full * 1.2 {
            target.fault(format!("{what}: more is occupied when all are gone than when all were there"));
        }
        if round == 2 && after > first * 1.2 {
            target.fault(format!("{what}: what is occupied grows with each group of members"));
        }
        first = after;
    }
    println!("{:38} {:>7} {:>10.0} MiB before the first came", "", "", empty / f64::from(1 << 20));
    Ok(())
}

/// One round; also returns how many bytes the host occupied when all members were there.
fn come_and_go(target: &Target, server: &Server, what: &str, members: usize) -> Outcome<(Report, f64)> {
    let before = server.resident()?;
    server.forget_peak()?;
    let transport = Transport::new(Protocol::Line, "/room", "room:message");
    let (mut frames, mut bytes) = (0_u64, 0_u64);
    let mut count = |_: usize, event: ClientEvent<'_>, _: &mut Sender<'_>| {
        if let ClientEvent::Message(message) = event {
            frames += 1;
            bytes += message.len() as u64;
        }
    };
    let start = Instant::now();
    let mut witness = LoadGenerator::new(server.port)?;
    witness.grow(1, &transport)?;
    let mut generator = LoadGenerator::new(server.port)?;
    generator.grow_and(members - 1, &transport, &mut count)?;
    settle(&mut generator, &mut count)?;
    let came = seconds(start);
    let full = server.resident()?;

    let start = Instant::now();
    let open = generator.open;
    drop(generator);
    let alone = until_alone(server, &mut witness, &mut count);
    settle(&mut witness, &mut count)?;
    let went = seconds(start);
    let answered_after = until_well(server);
    drop(witness);
    let after = settled(server, before * 1.2)?;
    let peak = server.peak()?;
    if let Err(failure) = alone {
        target.fault(format!("{what}: {failure}"));
    }
    if open < members - 1 {
        target.fault(format!("{what}: only {open} of them were there at the same time"));
    }
    let enough = FRAMES_A_SECOND * (came + went) + FRAMES_EACH * members as f64;
    if frames as f64 > enough {
        target.fault(format!("{what}: {frames} frames, where {enough:.0} are enough"));
    }
    if answered_after.is_none() {
        target.fault(format!("{what}: the host did not answer any more"));
    }
    let mib = f64::from(1 << 20);
    let note = format!(
        "came in {came:.1} s ({:.0} MiB then), went in {went:.1} s; {frames} frames, {:.0} MiB",
        full / mib,
        bytes as f64 / mib
    );
    let seconds = came + went;
    let closed = Some((members - 1 - open, members));
    Ok((Report { what: what.to_owned(), seconds, before, peak, after, closed, answered_after, note }, full))
}

/// Goes on until nothing comes for half a second.
fn settle(
    generator: &mut LoadGenerator,
    on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
) -> Outcome {
    let start = Instant::now();
    while generator.turn(Duration::from_millis(500), on)? > 0 {
        if start.elapsed() > LONGEST_ROUND {
            return fail("frames came and came");
        }
    }
    Ok(())
}

/// Waits until the witness is the only member.
fn until_alone(
    server: &Server,
    witness: &mut LoadGenerator,
    on: &mut impl FnMut(usize, ClientEvent<'_>, &mut Sender<'_>),
) -> Outcome {
    let start = Instant::now();
    while start.elapsed() < LONGEST_ROUND {
        witness.turn(Duration::from_millis(50), on)?;
        if text(server.port, "/size", PATIENCE).is_ok_and(|size| size.trim() == "1") {
            return Ok(());
        }
    }
    fail("the channel still had members long after their lines had ended")
}
