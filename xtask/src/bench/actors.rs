//! A1: messages through actors, against Durable Objects on workerd. Both run the same application, `xtask/bench/actors`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::echo::Echo;
use super::fanout::{Fanout, Pace, full_speed};
use super::idle::{FULL, grow};
use super::load::{LoadGenerator, Protocol, Transport};
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{ACTORS, OBJECTS, Peer, on_free_port};
use super::rounds::{SATURATED, business, interleaved, saturated};
use super::server::{Launch, Server};
use super::setup::BenchSetup;
use crate::failure::{Outcome, While, fail};

const CONNECTIONS: usize = 64;
/// Connections to a hundred objects.
const SPREAD: usize = 200;
const WINDOW: usize = 16;
const LISTENERS: usize = 1000;

fn socket(path: &str) -> Transport {
    Transport::new(Protocol::WebSocket, path, "")
}

/// The programs and their arguments. The data of earlier runs is deleted.
pub fn launch(setup: &BenchSetup<'_>, name: &'static str, program: PathBuf) -> Outcome<Launch> {
    let data = setup.folder.join(format!("{name}-data"));
    if data.exists() {
        fs::remove_dir_all(&data).while_doing(format_args!("deleting {}", data.display()))?;
    }
    fs::create_dir_all(&data).while_doing(format_args!("creating {}", data.display()))?;
    let data = data.display().to_string();
    if name == ACTORS {
        let site = setup.script("actors");
        let arguments =
            ["serve", &site, "--host", "127.0.0.1", "--port", "0", "--workers", "1", "--data", &data];
        return Ok(setup.launch(name, program, &arguments));
    }
    let disk = format!("--directory-path=data={data}");
    on_free_port(setup, name, program, &setup.script("actors/workerd.capnp"), &[&disk])
}

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[ACTORS, OBJECTS])?;
    let mut metrics = Vec::new();
    for (path, connections, title) in [
        ("/echo", CONNECTIONS, "messages through one actor"),
        ("/echo/many", SPREAD, "messages through 100 actors"),
        ("/write", CONNECTIONS, "messages that are stored, one actor"),
        ("/write/many", SPREAD, "messages that are stored, 100 actors"),
    ] {
        println!("\nactors: {title}, {connections} connections, each with {WINDOW} messages on the way");
        let figures = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            let mut echo = Echo::open(&socket(path), &server, connections, WINDOW)?;
            echo.run(setup.plan.warmup)?;
            let figures = saturated(&server, setup.plan.duration, |duration| echo.run(duration))?;
            echo.finish()?;
            Ok(figures)
        });
        let is_bar = path == "/echo";
        metrics.extend(two("A1", title.to_owned(), "messages", figures, is_bar));
    }
    println!("\nactors: a room of {LISTENERS}, saturated");
    let figures = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
        full_speed(setup, peer, &socket("/room"), &socket("/room"), LISTENERS)
    });
    metrics.extend(two("A1", format!("broadcast of one actor to {LISTENERS}"), "deliveries", figures, true));
    metrics.push(sockets(&peers)?);
    Ok(metrics)
}

/// The figures per CPU second, and the rate.
fn two(
    id: &'static str,
    title: String,
    what: &'static str,
    [thrift, rate, loader]: [Vec<super::metric::Series>; 3],
    is_bar: bool,
) -> [Metric; 2] {
    let bar = is_bar.then_some(Bar { against: Against::One(OBJECTS), gate: 5.0, goal: 20.0 });
    let metric = |unit, series, bar, notes| Metric {
        id,
        title: title.clone(),
        unit,
        better: Better::More,
        ours: ACTORS,
        series,
        bar,
        notes,
    };
    let (per_second, per_cpu) = match what {
        "deliveries" => ("deliveries/s with the server saturated", "deliveries per server CPU second"),
        _ => ("messages/s with the server saturated", "messages per server CPU second"),
    };
    [metric(per_cpu, thrift, bar, Vec::new()), metric(per_second, rate, None, business(&loader))]
}

/// The memory of sockets of a hibernating actor.
fn sockets(peers: &[Peer]) -> Outcome<Metric> {
    let mut growths = Vec::new();
    for peer in peers {
        println!("\nactors: idle sockets of one actor: {}", peer.name);
        let server = Server::start_pinned(&peer.launch)?;
        let mut generator = LoadGenerator::new(server.port)?;
        match grow(&FULL, peer, &socket("/idle"), &server, &mut generator) {
            Ok(growth) => growths.push(growth),
            Err(failure) => println!("  {} is left out: {failure}", peer.name),
        }
    }
    Ok(Metric {
        id: "A1 memory",
        title: "marginal RSS of an idle socket of an actor".to_owned(),
        unit: "bytes",
        better: Better::Less,
        ours: ACTORS,
        series: growths.iter().map(super::idle::Growth::series).collect(),
        bar: None,
        notes: growths.iter().map(super::idle::Growth::note).collect(),
    })
}

/// A short run that checks that every message comes.
pub fn smoke(peer: &Peer, briefly: Duration, passed: impl Fn(&str, u64) -> Outcome) -> Outcome {
    let server = Server::start(&peer.launch, None)?;
    for path in ["/echo", "/echo/many", "/write", "/write/many"] {
        let mut echo = Echo::open(&socket(path), &server, 20, 4)?;
        echo.run(briefly)?;
        passed(path, echo.finish().while_doing(path)?)?;
    }
    let mut fanout = Fanout::open(&socket("/room"), &socket("/room"), &server, 20)?;
    fanout.run(Pace::Saturated, briefly)?;
    passed("broadcasts of an actor", fanout.finish().while_doing("a room")?)?;

    let mut idle = LoadGenerator::new(server.port)?;
    idle.grow(100, &socket("/idle"))?;
    idle.run(Instant::now() + briefly, &mut |_, _, _| {})?;
    match idle.ended {
        0 => passed("idle sockets of an actor", 100),
        ended => fail(format!("{ended} of 100 idle sockets ended: {}", idle.last_end)),
    }
}
