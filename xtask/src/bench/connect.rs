//! L1, L2: how soon a line has its first message, how many can be opened, and how often the handler runs for it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::cores::OnLoaderCore;
use super::load::{ClientEvent, LoadGenerator, Protocol, Sender, Transport};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{BUN, DENO, LIVELINE, NUMBERED, Peer, RAW, UWS, WS};
use super::rounds::{interleaved, ours};
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::{percentile, spread};
use crate::failure::{Outcome, While, fail};

/// Connections one after the other.
const TRIES: usize = 300;
/// Connections that are opened as fast as possible.
const STORM: usize = 5000;
const VIEWS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(5);

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[LIVELINE, RAW, BUN, UWS, WS, DENO])?;
    println!("\nconnect: {TRIES} connections one after the other");
    let rounds = setup.plan.rounds;
    let [median, p99] = interleaved(rounds, &peers, ["us to the first message", "us p99"], |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        let times = first_messages(peer, &server, TRIES)?;
        let at = |share| percentile(&times, share).unwrap_or(f64::NAN);
        Ok([at(0.5), at(0.99)])
    });
    println!("\nconnect: {STORM} connections at once");
    let [storm] = interleaved(rounds, &peers, ["connections per CPU second"], |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        let _core = OnLoaderCore::enter();
        let before = server.cpu()?;
        LoadGenerator::new(server.port)?.grow(STORM, &peer.idle())?;
        Ok([STORM as f64 / server.cpu()?.saturating_sub(before).as_secs_f64()])
    });
    let tail = |one: &Series| Some(format!("{}: p99 {:.0} us", one.name, spread(&one.values)?.median));
    let raw = median.iter().find(|series| series.name == RAW && !series.values.is_empty());
    Ok(vec![
        Metric {
            id: "L1",
            title: "first byte of the answer to the first live message; others: connect and one echo"
                .to_owned(),
            unit: "us, median",
            better: Better::Less,
            ours: LIVELINE,
            bar: Some(Bar { against: Against::One(raw.map_or(BUN, |raw| raw.name)), gate: 1.3, goal: 1.1 }),
            series: median.clone(),
            notes: p99.iter().filter_map(tail).collect(),
        },
        Metric {
            id: "L1 storm",
            title: format!("{STORM} connections at once; a line is a request and a socket"),
            unit: "connections per server CPU second",
            better: Better::More,
            ours: LIVELINE,
            series: storm,
            bar: None,
            notes: Vec::new(),
        },
    ])
}

/// L2.
pub fn views(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[LIVELINE, NUMBERED])?;
    let [series] = interleaved(1, &peers, ["runs"], |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        runs_per_view(peer, &server, VIEWS).map(|runs| [runs])
    });
    Ok(vec![Metric {
        id: "L2",
        title: format!(
            "handler runs per live view, of {VIEWS}; with {NUMBERED}, also after each was cut off"
        ),
        unit: "runs",
        better: Better::Less,
        ours: ours(&series, NUMBERED),
        series,
        bar: Some(Bar { against: Against::Absolute, gate: 1.0, goal: 1.0 }),
        notes: Vec::new(),
    }])
}

/// Microseconds until each connection, opened when the one before was done, has its first message.
fn first_messages(peer: &Peer, server: &Server, tries: usize) -> Outcome<Vec<f64>> {
    let _core = OnLoaderCore::enter();
    let is_line = peer.name == LIVELINE;
    let transport = if is_line { Transport::new(Protocol::Line, "/greet", "message") } else { peer.echo() };
    let transport = Rc::new(transport);
    let mut generator = LoadGenerator::new(server.port)?;
    let mut times = Vec::new();
    for _ in 0..tries {
        let deadline = Instant::now() + PATIENCE;
        let mut start = Instant::now();
        let done = times.len();
        generator.begin(&transport)?;
        while times.len() == done && generator.ended == 0 && Instant::now() < deadline {
            generator.turn(
                PATIENCE,
                &mut |_, event: ClientEvent<'_>, sender: &mut Sender<'_>| match event {
                    ClientEvent::Answered => start = Instant::now(),
                    ClientEvent::Opened if !is_line => sender.send("#hello"),
                    ClientEvent::Message(_) => times.push(start.elapsed().as_secs_f64() * 1e6),
                    ClientEvent::Opened | ClientEvent::Ended => {}
                },
            )?;
        }
        if times.len() == done {
            return fail(format!("connection {} got no message: {}", done + 1, generator.last_end));
        }
    }
    Ok(times)
}

/// Opens `views` live views, resumes each of those that can be resumed on a new connection, and asks the route how
/// often its handler ran.
pub fn runs_per_view(peer: &Peer, server: &Server, views: usize) -> Outcome<f64> {
    let mut generator = LoadGenerator::new(server.port)?;
    generator.grow(views, &peer.views())?;
    if peer.name == NUMBERED {
        (0..views).try_for_each(|index| generator.resume(index))?;
        let deadline = Instant::now() + PATIENCE;
        while generator.open < views && generator.ended == 0 && Instant::now() < deadline {
            generator.turn(PATIENCE, &mut |_, _, _| {})?;
        }
        if generator.open < views {
            return fail(format!("{} of {views} views were resumed: {}", generator.open, generator.last_end));
        }
    }
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get_path("/views?runs"));
    let runs: f64 =
        answer.while_doing("asking how often the handler ran")?.body.parse().while_doing("reading that")?;
    Ok(runs / views as f64)
}
