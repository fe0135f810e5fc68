//! `cargo xtask bench --smoke`: the bench's own machinery over liveline and the baseline, tiny, without figures.
//! Whatever is slow passes; whatever is lost, doubled, out of order or not opened fails.

use std::time::{Duration, Instant};

use super::actors;
use super::connect::runs_per_view;
use super::echo::Echo;
use super::fanout::{Fanout, Pace};
use super::fastify;
use super::http::{answers, at_rate};
use super::load::{LoadGenerator, Transport};
use super::peers::{ACTORS, BASELINE, FASTIFY, LIVELINE, NUMBERED, OBJECTS, Peer, RAW, TOPICS, TREE};
use super::server::Server;
use super::setup::BenchSetup;
use super::topics;
use crate::engine::{self, Engine};
use crate::failure::{Outcome, While, fail};
use crate::machine::Machine;

const BRIEFLY: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 8;
const LISTENERS: usize = 20;
const IDLE: usize = 100;
const VIEWS: usize = 10;

pub fn run(setup: &BenchSetup<'_>) -> Outcome {
    let has_v8 = matches!(engine::choose(setup.checkout, &Machine)?.engine, Engine::V8 { .. });
    match setup.plan.groups.as_slice() {
        // Asked for by its name: Fastify itself as well, which is installed from npm.
        ["fastify"] => return fastify::smoke(setup, &[TREE, FASTIFY]),
        ["topics"] => {
            for peer in setup.gather(&[TOPICS])? {
                topics::smoke(&peer, BRIEFLY, |what, count| passed(&peer, what, count))?;
            }
            return Ok(());
        }
        _ if has_v8 => fastify::smoke(setup, &[TREE])?,
        _ => {}
    }
    let mut names = vec![BASELINE, LIVELINE, NUMBERED, RAW, TOPICS];
    if has_v8 {
        names.push(ACTORS);
    }
    if !setup.plan.only.is_empty() {
        // It is installed from npm, so that it has to be asked for.
        names.push(OBJECTS);
    }
    for peer in setup.gather(&names)? {
        match peer.name {
            BASELINE => requests(&peer)?,
            NUMBERED | RAW => state(&peer)?,
            TOPICS => topics::smoke(&peer, BRIEFLY, |what, count| passed(&peer, what, count))?,
            ACTORS | OBJECTS => actors::smoke(&peer, BRIEFLY, |what, count| passed(&peer, what, count))?,
            _ => {
                requests(&peer)?;
                lines(&peer)?;
            }
        }
    }
    Ok(())
}

fn requests(peer: &Peer) -> Outcome {
    answers(peer).while_doing(peer.name)?;
    let server = Server::start(&peer.launch, None)?;
    let count = at_rate(&server, 200.0, CONNECTIONS, BRIEFLY)?.len();
    passed(peer, "requests", count as u64)
}

/// The subprotocol, and raw sockets.
fn state(peer: &Peer) -> Outcome {
    let server = Server::start(&peer.launch, None)?;
    echo(peer, &server)?;
    if peer.name == NUMBERED { views(peer, &server) } else { Ok(()) }
}

fn lines(peer: &Peer) -> Outcome {
    let server = Server::start(&peer.launch, None)?;
    echo(peer, &server)?;
    let (speaker, events) = (peer.announcer(), peer.events());
    fanout(peer, &server, "fan-out", &speaker, &peer.room())?;
    fanout(peer, &server, "events", &speaker, &events)?;

    let mut idle = LoadGenerator::new(server.port)?;
    idle.grow(IDLE, &peer.idle())?;
    idle.run(Instant::now() + BRIEFLY, &mut |_, _, _| {})?;
    if idle.ended > 0 {
        return fail(format!("{} of {IDLE} idle lines ended: {}", idle.ended, idle.last_end));
    }
    passed(peer, "idle lines", IDLE as u64)?;

    views(peer, &server)
}

fn views(peer: &Peer, server: &Server) -> Outcome {
    match runs_per_view(peer, server, VIEWS)? {
        1.0 => passed(peer, "views with one run each", VIEWS as u64),
        runs => fail(format!("a live view runs its handler {runs} times")),
    }
}

fn echo(peer: &Peer, server: &Server) -> Outcome {
    let mut echo = Echo::open(&peer.echo(), server, CONNECTIONS, 4)?;
    echo.run(BRIEFLY)?;
    passed(peer, "echoes", echo.finish().while_doing("echo")?)
}

fn fanout(peer: &Peer, server: &Server, what: &str, speaker: &Transport, listener: &Transport) -> Outcome {
    for pace in [Pace::Saturated, Pace::Every(Duration::from_millis(20))] {
        let mut fanout = Fanout::open(speaker, listener, server, LISTENERS)?;
        fanout.run(pace, BRIEFLY)?;
        passed(peer, what, fanout.finish().while_doing(what)?)?;
    }
    Ok(())
}

fn passed(peer: &Peer, what: &str, count: u64) -> Outcome {
    println!("smoke: {}: {count} {what}", peer.name);
    if count > 0 { Ok(()) } else { fail(format!("{}: nothing came of {what}", peer.name)) }
}
