//! `cargo xtask bench --smoke`: the bench's own machinery over liveline and the floor, tiny, without figures.
//! Whatever is slow passes; whatever is lost, doubled, out of order or not opened fails.

use std::time::{Duration, Instant};

use super::connect::runs_per_view;
use super::contestants::{Contestant, FLOOR, LIVELINE, NUMBERED, RAW};
use super::echo::Echo;
use super::fanout::{Fanout, Pace};
use super::http::{answers, at_rate};
use super::load::{Crowd, Way};
use super::server::Server;
use super::workshop::Workshop;
use crate::failure::{Outcome, While, fail};

const BRIEFLY: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 8;
const LISTENERS: usize = 20;
const IDLE: usize = 100;
const VIEWS: usize = 10;

pub fn run(workshop: &Workshop<'_>) -> Outcome {
    for contestant in workshop.gather(&[FLOOR, LIVELINE, NUMBERED, RAW])? {
        match contestant.name {
            FLOOR => requests(&contestant)?,
            NUMBERED | RAW => talk(&contestant)?,
            _ => {
                requests(&contestant)?;
                lines(&contestant)?;
            }
        }
    }
    Ok(())
}

fn requests(contestant: &Contestant) -> Outcome {
    answers(contestant).while_doing(contestant.name)?;
    let server = Server::start(&contestant.launch, None)?;
    let count = at_rate(&server, 200.0, CONNECTIONS, BRIEFLY)?.len();
    passed(contestant, "requests", count as u64)
}

/// The subprotocol, and raw sockets.
fn talk(contestant: &Contestant) -> Outcome {
    let server = Server::start(&contestant.launch, None)?;
    echo(contestant, &server)?;
    if contestant.name == NUMBERED { views(contestant, &server) } else { Ok(()) }
}

fn lines(contestant: &Contestant) -> Outcome {
    let server = Server::start(&contestant.launch, None)?;
    echo(contestant, &server)?;
    let (speaker, events) = (contestant.announcer(), contestant.events());
    fanout(contestant, &server, "fan-out", &speaker, &contestant.room())?;
    fanout(contestant, &server, "events", &speaker, &events)?;

    let mut idle = Crowd::new(server.port)?;
    idle.grow(IDLE, &contestant.idle())?;
    idle.run(Instant::now() + BRIEFLY, &mut |_, _, _| {})?;
    if idle.ended > 0 {
        return fail(format!("{} of {IDLE} idle lines ended: {}", idle.ended, idle.last_end));
    }
    passed(contestant, "idle lines", IDLE as u64)?;

    views(contestant, &server)
}

fn views(contestant: &Contestant, server: &Server) -> Outcome {
    match runs_per_view(contestant, server, VIEWS)? {
        1.0 => passed(contestant, "views with one run each", VIEWS as u64),
        runs => fail(format!("a live view runs its handler {runs} times")),
    }
}

fn echo(contestant: &Contestant, server: &Server) -> Outcome {
    let mut echo = Echo::open(contestant, server, CONNECTIONS, 4)?;
    echo.run(BRIEFLY)?;
    passed(contestant, "echoes", echo.finish().while_doing("echo")?)
}

fn fanout(contestant: &Contestant, server: &Server, what: &str, speaker: &Way, listener: &Way) -> Outcome {
    for pace in [Pace::Saturated, Pace::Every(Duration::from_millis(20))] {
        let mut fanout = Fanout::open(speaker, listener, server, LISTENERS)?;
        fanout.run(pace, BRIEFLY)?;
        passed(contestant, what, fanout.finish().while_doing(what)?)?;
    }
    Ok(())
}

fn passed(contestant: &Contestant, what: &str, count: u64) -> Outcome {
    println!("smoke: {}: {count} {what}", contestant.name);
    if count > 0 { Ok(()) } else { fail(format!("{}: nothing came of {what}", contestant.name)) }
}
