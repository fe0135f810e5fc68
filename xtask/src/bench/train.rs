//! The load under which a build for `cargo xtask dist --pgo` counts, and under which `cargo xtask order` looks what runs:
//! what the benchmarks measure, of each a little.

use std::path::Path;
use std::time::{Duration, Instant};

use super::cores;
use super::echo::Echo;
use super::fanout::{Fanout, Pace};
use super::load::LoadGenerator;
use super::peers::{self, LIVELINE, Peer, RAW};
use super::server::Server;
use super::setup::BenchSetup;
use super::wrk::{Request, Wrk};
use crate::failure::{Outcome, While};

/// A program that counts is slow.
const BRIEFLY: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 32;
const LISTENERS: usize = 200;
/// Lines that wait: so many that V8 marks and compacts its heap.
const WAITING: usize = 10_000;
/// Processes that start and answer once.
const STARTS: usize = 5;

/// A server under a part of the load.
pub struct Observed<'a> {
    /// Its process.
    pub id: u32,
    /// Puts the load on it, as often as it is called.
    pub load: &'a mut dyn FnMut() -> Outcome,
}

/// Starts `program` several times and puts the whole load on it. Each of its processes ends by SIGTERM, because it writes
/// its counts when it ends.
pub fn run(setup: &BenchSetup<'_>, program: &Path) -> Outcome {
    let liveline = peers::of_program(setup, LIVELINE, program)?;
    for _ in 0..STARTS {
        let server = Server::start(&liveline.launch, None)?;
        server.first_answer()?;
        server.stop()?;
    }
    busy(setup, program, &mut |server| (server.load)())
}

/// Starts `program` for each part of the load, and passes it on to `observe`.
pub fn busy(
    setup: &BenchSetup<'_>,
    program: &Path,
    observe: &mut dyn FnMut(Observed<'_>) -> Outcome,
) -> Outcome {
    let wrk = Wrk::find()?;
    let liveline = peers::of_program(setup, LIVELINE, program)?;
    let raw = peers::of_program(setup, RAW, program)?;
    println!("load: requests");
    let server = Server::start(&liveline.launch, None)?;
    observe(Observed { id: server.id(), load: &mut || requests(setup, &wrk, &server) })?;
    server.stop()?;
    for peer in [&liveline, &raw] {
        println!("load: echoes of {}", peer.name);
        let server = Server::start(&peer.launch, None)?;
        observe(Observed { id: server.id(), load: &mut || echoes(peer, &server) })?;
        server.stop()?;
    }
    println!("load: fan-out");
    let server = Server::start(&liveline.launch, None)?;
    observe(Observed { id: server.id(), load: &mut || fan_out(&liveline, &server) })?;
    server.stop()?;
    println!("load: lines that wait");
    let server = Server::start(&liveline.launch, None)?;
    observe(Observed { id: server.id(), load: &mut || wait(&liveline, &server) })?;
    server.stop()
}

fn requests(setup: &BenchSetup<'_>, wrk: &Wrk, server: &Server) -> Outcome {
    for (path, script) in [
        (super::ROUTE, None),
        ("/json", None),
        ("/params/books/17?page=2&sort=title", None),
        ("/headers", Some("headers.lua")),
        ("/post", Some("post.lua")),
    ] {
        let request = Request { path, script: script.map(|script| setup.script(script)) };
        wrk.load(server.port, &request, BRIEFLY, false).while_doing(path)?;
    }
    Ok(())
}

fn echoes(peer: &Peer, server: &Server) -> Outcome {
    for window in [1, 16] {
        let mut echo = Echo::open(&peer.echo(), server, CONNECTIONS, window)?;
        echo.run(BRIEFLY)?;
        echo.finish()?;
    }
    Ok(())
}

fn fan_out(peer: &Peer, server: &Server) -> Outcome {
    let mut room = Fanout::open(&peer.room(), &peer.room(), server, LISTENERS)?;
    room.run(Pace::Saturated, BRIEFLY)?;
    room.finish().map(drop)
}

fn wait(peer: &Peer, server: &Server) -> Outcome {
    let mut generator = LoadGenerator::new(server.port)?;
    generator.grow(WAITING.min(cores::most_connections()), &peer.idle())?;
    generator.run(Instant::now() + BRIEFLY, &mut |_, _, _| {})
}
