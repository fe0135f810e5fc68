//! L1, L2: how soon a line speaks, how many can be opened, and how often the handler runs for that.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::contestants::{BUN, Contestant, DENO, LIVELINE, NUMBERED, RAW, UWS, WS};
use super::cores::OnLoaderCore;
use super::load::{Crowd, Dialect, Happening, Mouth, Way};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::rounds::{interleaved, ours};
use super::server::Server;
use super::stats::{percentile, spread};
use super::workshop::Workshop;
use crate::failure::{Outcome, While, fail};

/// Connections one after the other.
const TRIES: usize = 300;
/// Connections as fast as they can be had.
const STORM: usize = 5000;
const VIEWS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(5);

pub fn measure(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    let contestants = workshop.gather(&[LIVELINE, RAW, BUN, UWS, WS, DENO])?;
    println!("\nconnect: {TRIES} connections one after the other");
    let rounds = workshop.plan.rounds;
    let [median, p99] =
        interleaved(rounds, &contestants, ["us to the first message", "us p99"], |contestant| {
            let server = Server::start_pinned(&contestant.launch)?;
            let times = first_messages(contestant, &server, TRIES)?;
            let at = |share| percentile(&times, share).unwrap_or(f64::NAN);
            Ok([at(0.5), at(0.99)])
        });
    println!("\nconnect: {STORM} connections at once");
    let [storm] = interleaved(rounds, &contestants, ["connections per CPU second"], |contestant| {
        let server = Server::start_pinned(&contestant.launch)?;
        let _core = OnLoaderCore::enter();
        let before = server.cpu()?;
        Crowd::new(server.port)?.grow(STORM, &contestant.idle())?;
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
pub fn views(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    let contestants = workshop.gather(&[LIVELINE, NUMBERED])?;
    let [series] = interleaved(1, &contestants, ["runs"], |contestant| {
        let server = Server::start_pinned(&contestant.launch)?;
        runs_per_view(contestant, &server, VIEWS).map(|runs| [runs])
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
fn first_messages(contestant: &Contestant, server: &Server, tries: usize) -> Outcome<Vec<f64>> {
    let _core = OnLoaderCore::enter();
    let is_line = contestant.name == LIVELINE;
    let way = if is_line { Way::new(Dialect::Line, "/greet", "message") } else { contestant.echo() };
    let way = Rc::new(way);
    let mut crowd = Crowd::new(server.port)?;
    let mut times = Vec::new();
    for _ in 0..tries {
        let deadline = Instant::now() + PATIENCE;
        let mut start = Instant::now();
        let done = times.len();
        crowd.begin(&way)?;
        while times.len() == done && crowd.ended == 0 && Instant::now() < deadline {
            crowd.turn(
                PATIENCE,
                &mut |_, happening: Happening<'_>, mouth: &mut Mouth<'_>| match happening {
                    Happening::Answered => start = Instant::now(),
                    Happening::Opened if !is_line => mouth.say("#hello"),
                    Happening::Message(_) => times.push(start.elapsed().as_secs_f64() * 1e6),
                    Happening::Opened | Happening::Ended => {}
                },
            )?;
        }
        if times.len() == done {
            return fail(format!("connection {} got no message: {}", done + 1, crowd.last_end));
        }
    }
    Ok(times)
}

/// Opens so many live views, cuts off and resumes each of those that can be, and asks the route how often its
/// handler ran for them.
pub fn runs_per_view(contestant: &Contestant, server: &Server, views: usize) -> Outcome<f64> {
    let mut crowd = Crowd::new(server.port)?;
    crowd.grow(views, &contestant.views())?;
    if contestant.name == NUMBERED {
        (0..views).try_for_each(|index| crowd.resume(index))?;
        let deadline = Instant::now() + PATIENCE;
        while crowd.open < views && crowd.ended == 0 && Instant::now() < deadline {
            crowd.turn(PATIENCE, &mut |_, _, _| {})?;
        }
        if crowd.open < views {
            return fail(format!("{} of {views} views were resumed: {}", crowd.open, crowd.last_end));
        }
    }
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get_path("/views?runs"));
    let runs: f64 =
        answer.while_doing("asking how often the handler ran")?.body.parse().while_doing("reading that")?;
    Ok(runs / views as f64)
}
