//! R5, R6: delays of ordinary clients beside slow clients, clients that never read, and handlers that never yield.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::client::Connection;
use super::cores;
use super::fanout::{Fanout, Pace};
use super::http::at_rate;
use super::load::{LoadGenerator, Protocol, Transport};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::LIVELINE;
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::percentile;
use crate::failure::{Outcome, While, fail};

/// Clients whose request never ends, and how often each sends one more byte of it.
const SLOW: usize = 10_000;
const DRIBBLE: Duration = Duration::from_secs(2);
/// Lines whose client never reads.
const NON_READING: usize = 100;
/// How long these clients read at the end, to see how their lines were closed.
const LAST_READS: Duration = Duration::from_secs(2);
const FLOOD: usize = 64 * 1024;
const FLOOD_EVERY: Duration = Duration::from_millis(50);

/// The ordinary clients: a room, and requests.
const LISTENERS: usize = 50;
const SEND_EVERY: Duration = Duration::from_millis(10);
const REQUESTS_PER_SECOND: f64 = 1000.0;
const REQUESTERS: usize = 16;

/// How long a handler may run without yielding, by default.
const CPU_LIMIT: Duration = Duration::from_secs(1);

const QUIET: &str = "quiet";
const HOSTILE: &str = "hostile";

/// p99 in ms of the room's last listener, and of requests.
struct Healthy {
    room: Vec<f64>,
    requests: Vec<f64>,
}

impl Healthy {
    fn measure(server: &Server, room: &mut Fanout, plan: (usize, Duration)) -> Outcome<Self> {
        let mut all = Self { room: Vec::new(), requests: Vec::new() };
        let p99 = |values: &[f64]| percentile(values, 0.99).unwrap_or(f64::NAN);
        for _ in 0..plan.0 {
            room.last_received.clear();
            room.run(Pace::Every(SEND_EVERY), plan.1)?;
            all.room.push(p99(&room.last_received));
            let requests = at_rate(server, REQUESTS_PER_SECOND, REQUESTERS, plan.1)?;
            all.requests.push(p99(&requests) / 1e3);
        }
        Ok(all)
    }
}

/// R5.
pub fn crowded(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let Some(liveline) = setup.gather(&[LIVELINE])?.pop() else { return Ok(Vec::new()) };
    let slow = SLOW.min(cores::most_connections() - NON_READING);
    println!("\nhostile: {slow} slow clients and {NON_READING} that never read");
    let rounds = (setup.plan.rounds.min(3), setup.plan.duration);
    let server = Server::start_pinned(&liveline.launch)?;
    let mut room = Fanout::open(&liveline.room(), &liveline.room(), &server, LISTENERS)?;
    room.run(Pace::Every(SEND_EVERY), setup.plan.warmup)?;
    let quiet = Healthy::measure(&server, &mut room, rounds)?;
    let (ready, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let (hostile, told) = thread::scope(|scope| {
        let attack = scope.spawn(|| attack(server.port, slow, &ready, &stop));
        while !ready.load(Ordering::Acquire) && !attack.is_finished() {
            thread::sleep(Duration::from_millis(10));
        }
        let hostile = Healthy::measure(&server, &mut room, rounds);
        stop.store(true, Ordering::Release);
        let told = attack.join().map_err(|_| "the hostile thread panicked");
        Ok((hostile?, told.while_doing("attacking")??))
    })?;
    room.finish()?;
    Ok(vec![
        held(
            "R5",
            "p99 of a room's last listener beside hostile clients",
            quiet.room,
            hostile.room,
            vec![told],
            2.0,
            1.2,
        ),
        held(
            "R5",
            "p99 of requests beside hostile clients",
            quiet.requests,
            hostile.requests,
            Vec::new(),
            2.0,
            1.2,
        ),
    ])
}

fn held(
    id: &'static str,
    title: &str,
    quiet: Vec<f64>,
    hostile: Vec<f64>,
    notes: Vec<String>,
    gate: f64,
    goal: f64,
) -> Metric {
    Metric {
        id,
        title: title.to_owned(),
        unit: "ms",
        better: Better::Less,
        ours: HOSTILE,
        series: vec![Series { name: HOSTILE, values: hostile }, Series { name: QUIET, values: quiet }],
        bar: Some(Bar { against: Against::One(QUIET), gate, goal }),
        notes,
    }
}

/// Slow clients and clients that do not read, until `stop` is set. Returns how they ended.
fn attack(port: u16, count: usize, ready: &AtomicBool, stop: &AtomicBool) -> Outcome<String> {
    let flood = Transport::new(Protocol::Line, "/flood", "flood:message");
    let mut non_reading = LoadGenerator::new(port)?;
    non_reading.grow(1 + NON_READING, &flood)?;
    (1..=NON_READING).for_each(|index| non_reading.stop_reading(index));
    let mut slow = Vec::new();
    for index in 0..count {
        slow.push(dial(port, index).while_doing(format_args!("opening slow client {index}"))?);
    }
    ready.store(true, Ordering::Release);
    let (mut next, mut refused) = (0, 0);
    let (start, mut flooded) = (Instant::now(), Instant::now());
    let text = "x".repeat(FLOOD);
    while !stop.load(Ordering::Acquire) {
        let due = (start.elapsed().as_secs_f64() / DRIBBLE.as_secs_f64() * count as f64) as usize;
        while next < due {
            refused += usize::from(!dribble(&mut slow[next % count]));
            next += 1;
        }
        if flooded.elapsed() >= FLOOD_EVERY {
            flooded = Instant::now();
            non_reading.send(0, &text);
        }
        non_reading.turn(Duration::from_millis(2), &mut |_, _, _| {})?;
    }
    (1..=NON_READING).try_for_each(|index| non_reading.read_again(index))?;
    non_reading.run(Instant::now() + LAST_READS, &mut |_, _, _| {})?;
    let gone = slow.iter().filter(|socket| socket.is_none()).count();
    Ok(format!(
        "{gone} of {count} slow clients were cut off ({refused} bytes refused); {} of {NON_READING} lines that did not read ({})",
        non_reading.ended, non_reading.last_end
    ))
}

/// A client that has sent the beginning of a request.
fn dial(port: u16, index: usize) -> std::io::Result<Option<TcpStream>> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 2, 1 + (index % 200) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")?;
    stream.set_nonblocking(true)?;
    Ok(Some(stream))
}

/// Sends one more byte. Returns false if the host has closed the connection.
fn dribble(client: &mut Option<TcpStream>) -> bool {
    let Some(socket) = client else { return false };
    match socket.write(b"x") {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => true,
        Err(_) => {
            *client = None;
            false
        }
    }
}

/// R6.
pub fn run_away(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let Some(liveline) = setup.gather(&[LIVELINE])?.pop() else { return Ok(Vec::new()) };
    let rounds = setup.plan.rounds.min(3);
    // The handlers run into their limits meanwhile.
    let beside_for = setup.plan.duration.max(Duration::from_secs(if setup.plan.quick { 2 } else { 3 }));
    let quiet_for = if setup.plan.quick { setup.plan.duration } else { beside_for };
    let mut metrics = Vec::new();
    for (title, what, path, limit, gate) in [
        ("an endless loop", "from its limit of 1 s to the end of", "/spin", CPU_LIMIT, 100.0),
        ("a heap bomb", "time to end", "/bomb", Duration::ZERO, 500.0),
    ] {
        println!("hostile: {title} in a handler");
        let (mut ends, mut quiet, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let server = Server::start(&liveline.launch, None)?;
            let mut room = Fanout::open(&liveline.room(), &liveline.room(), &server, LISTENERS)?;
            room.run(Pace::Every(SEND_EVERY), quiet_for)?;
            let p99 = |room: &Fanout| percentile(&room.last_received, 0.99).unwrap_or(f64::NAN);
            quiet.push(p99(&room));
            room.last_received.clear();
            let took = thread::scope(|scope| {
                let asked = scope.spawn(|| ended(server.port, path));
                let received = room.run(Pace::Every(SEND_EVERY), beside_for);
                let took = asked.join().map_err(|_| "the asking thread panicked");
                received.and(took.while_doing("asking")?)
            })?;
            ends.push(took.saturating_sub(limit).as_secs_f64() * 1e3);
            beside.push(p99(&room));
            room.finish()?;
        }
        metrics.push(Metric {
            id: "R6",
            title: format!("{what} {title} in a handler"),
            unit: "ms",
            better: Better::Less,
            ours: LIVELINE,
            series: vec![Series { name: LIVELINE, values: ends }],
            bar: Some(Bar { against: Against::Absolute, gate, goal: gate }),
            notes: Vec::new(),
        });
        let title = format!("p99 of a room's last listener beside {title}");
        metrics.push(held("R6", &title, quiet, beside, Vec::new(), 3.0, 1.5));
    }
    Ok(metrics)
}

/// How long it took until a request was answered whose handler never yields.
fn ended(port: u16, path: &str) -> Outcome<Duration> {
    let start = Instant::now();
    let answer = Connection::open(port).and_then(|mut connection| connection.get_path(path));
    match answer.while_doing(path)?.status {
        500 => Ok(start.elapsed()),
        other => fail(format!("{path} is answered with {other} instead of 500")),
    }
}
