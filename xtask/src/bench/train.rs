//! The load under which a build for `cargo xtask dist --pgo` counts: what the benchmarks measure, of each a little.

use std::path::Path;
use std::time::Duration;

use super::echo::Echo;
use super::fanout::{Fanout, Pace};
use super::peers::{self, LIVELINE, RAW};
use super::server::Server;
use super::setup::BenchSetup;
use super::wrk::{Request, Wrk};
use crate::failure::{Outcome, While};

/// A program that counts is slow.
const BRIEFLY: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 32;
const LISTENERS: usize = 200;
/// Processes that start and answer once.
const STARTS: usize = 5;

/// Puts the load on `program`. Each of its processes ends by SIGTERM, because it writes its counts when it ends.
pub fn run(setup: &BenchSetup<'_>, program: &Path) -> Outcome {
    let wrk = Wrk::find()?;
    let liveline = peers::of_program(setup, LIVELINE, program)?;
    let raw = peers::of_program(setup, RAW, program)?;
    for _ in 0..STARTS {
        let server = Server::start(&liveline.launch, None)?;
        server.first_answer()?;
        server.stop()?;
    }
    println!("training: requests");
    let server = Server::start(&liveline.launch, None)?;
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
    server.stop()?;
    for peer in [&liveline, &raw] {
        println!("training: echoes of {}", peer.name);
        let server = Server::start(&peer.launch, None)?;
        for window in [1, 16] {
            let mut echo = Echo::open(&peer.echo(), &server, CONNECTIONS, window)?;
            echo.run(BRIEFLY)?;
            echo.finish()?;
        }
        server.stop()?;
    }
    println!("training: fan-out");
    let server = Server::start(&liveline.launch, None)?;
    let mut room = Fanout::open(&liveline.room(), &liveline.room(), &server, LISTENERS)?;
    room.run(Pace::Saturated, BRIEFLY)?;
    room.finish()?;
    server.stop()
}
