//! F1 to F4: one plugin tree on Fastify with Node, and on liveline.

use std::time::Duration;

use super::client::Connection;
use super::echo::Echo;
use super::fanout::{Fanout, Pace};
use super::http::answers;
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{FASTIFY, Peer, TREE};
use super::rounds::{SATURATED, business, interleaved, saturated};
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::percentile;
use super::wrk::{Request, Wrk};
use crate::failure::{Outcome, While, fail};

const JSON_ROUTE: &str = "/json";
const CONNECTIONS: usize = 64;
/// Receivers of a broadcast.
const LISTENERS: usize = 5000;
/// Bytes of a message that goes to all of them.
const SIZE: usize = 1024;
/// Messages per second at which delays are measured: a rate that both keep up with.
const PER_SECOND: u32 = 5;

/// What the smoke run does.
const BRIEFLY: Duration = Duration::from_secs(1);
const FEW: usize = 20;

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[TREE, FASTIFY])?;
    for peer in &peers {
        answers(peer).and_then(|()| leaves_out(peer)).while_doing(peer.name)?;
    }
    let mut metrics = requests(setup, &peers)?;
    metrics.extend(echoes(setup, &peers));
    metrics.extend(deliveries(setup, &peers));
    metrics.extend(delays(setup, &peers));
    Ok(metrics)
}

/// Every figure is held against Fastify.
fn metric(
    id: &'static str,
    title: String,
    unit: &'static str,
    better: Better,
    series: Vec<Series>,
) -> Metric {
    let (gate, goal) = match better {
        Better::More => (1.0, 2.0),
        Better::Less => (1.0, 0.5),
    };
    let bar = Some(Bar { against: Against::One(FASTIFY), gate, goal });
    Metric { id, title, unit, better, ours: TREE, series, bar, notes: Vec::new() }
}

/// F1, F2.
fn requests(setup: &BenchSetup<'_>, peers: &[Peer]) -> Outcome<Vec<Metric>> {
    let wrk = Wrk::find()?;
    let mut metrics = Vec::new();
    for (id, title, path) in
        [("F1", "a text", super::ROUTE), ("F2", "JSON of 1 KB with a schema", JSON_ROUTE)]
    {
        println!("\nfastify: {title}, saturated");
        let request = Request { path, script: None };
        let figures = ["requests per CPU second", "requests/s"];
        let [thrift, rate] = interleaved(setup.plan.rounds, peers, figures, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            if !setup.plan.warmup.is_zero() {
                wrk.load(server.port, &request, setup.plan.warmup, true)?;
            }
            let before = server.cpu()?;
            let load = wrk.load(server.port, &request, setup.plan.duration, true)?;
            let cpu = server.cpu()?.saturating_sub(before);
            Ok([load.requests as f64 / cpu.as_secs_f64(), load.per_second])
        });
        for (series, unit) in [(thrift, "requests per server CPU second"), (rate, "requests/s")] {
            metrics.push(metric(id, format!("Fastify: {title}"), unit, Better::More, series));
        }
    }
    Ok(metrics)
}

/// F3.
fn echoes(setup: &BenchSetup<'_>, peers: &[Peer]) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for window in [1, 16] {
        println!("\nfastify: echo, {CONNECTIONS} connections, each with {window} messages on the way");
        let [thrift, rate, loader] = interleaved(setup.plan.rounds, peers, SATURATED, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            let mut echo = Echo::open(&peer.echo(), &server, CONNECTIONS, window)?;
            echo.run(setup.plan.warmup)?;
            let figures = saturated(&server, setup.plan.duration, |duration| echo.run(duration))?;
            echo.finish()?;
            Ok(figures)
        });
        let title = format!("Fastify: echo, {CONNECTIONS} connections, {window} on the way");
        metrics.push(metric("F3", title.clone(), "messages per server CPU second", Better::More, thrift));
        let mut rate = metric("F3", title, "messages/s with the server saturated", Better::More, rate);
        rate.notes = business(&loader);
        metrics.push(rate);
    }
    metrics
}

/// F4: how many.
fn deliveries(setup: &BenchSetup<'_>, peers: &[Peer]) -> Vec<Metric> {
    println!("\nfastify: fan-out, 1 to {LISTENERS}, {SIZE} bytes, saturated");
    let figures = ["per CPU second", "per second", "MB resident"];
    let [thrift, rate, resident] = interleaved(setup.plan.rounds, peers, figures, |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        let mut fanout = room(peer, &server, LISTENERS)?;
        fanout.run(Pace::Saturated, setup.plan.warmup)?;
        let duration = setup.plan.duration;
        let [thrift, rate, _] =
            saturated(&server, duration, |duration| fanout.run(Pace::Saturated, duration))?;
        let resident = server.resident()? / 1e6;
        fanout.finish()?;
        Ok([thrift, rate, resident])
    });
    let title = format!("Fastify: fan-out, 1 to {LISTENERS} sockets, {SIZE} B");
    vec![
        metric("F4", title.clone(), "deliveries per server CPU second", Better::More, thrift),
        metric("F4", title.clone(), "deliveries/s with the server saturated", Better::More, rate),
        metric("F4", title, "MB resident", Better::Less, resident),
    ]
}

/// F4: how late.
fn delays(setup: &BenchSetup<'_>, peers: &[Peer]) -> Vec<Metric> {
    println!("\nfastify: fan-out, 1 to {LISTENERS}, {PER_SECOND} messages/s");
    let figures = ["ms p99 to the last", "ms p50 to the last"];
    let [p99, p50] = interleaved(setup.plan.rounds, peers, figures, |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        let pace = Pace::Every(Duration::from_secs(1) / PER_SECOND);
        let mut fanout = room(peer, &server, LISTENERS)?;
        fanout.run(pace, setup.plan.warmup)?;
        fanout.last_received.clear();
        fanout.run(pace, setup.plan.duration)?;
        let at = |share| percentile(&fanout.last_received, share).unwrap_or(f64::NAN);
        let latencies = [at(0.99), at(0.5)];
        fanout.finish()?;
        Ok(latencies)
    });
    let title = format!("Fastify: to the last of {LISTENERS} sockets, {SIZE} B, {PER_SECOND} messages/s");
    vec![
        metric("F4", title.clone(), "ms p99", Better::Less, p99),
        metric("F4", title, "ms p50", Better::Less, p50),
    ]
}

/// A room in which all sockets but the sender listen.
fn room(peer: &Peer, server: &Server, listeners: usize) -> Outcome<Fanout> {
    Ok(Fanout::open(&peer.room(), &peer.room(), server, listeners)?.sized(SIZE))
}

/// Checks that the answer has passed its schema, so that nobody is faster without one.
fn leaves_out(peer: &Peer) -> Outcome {
    let server = Server::start(&peer.launch, None)?;
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get_path(JSON_ROUTE));
    let answer = answer.while_doing("asking for JSON")?;
    if answer.status != 200 || !answer.body.contains("\"title\":\"Entry 23 of a list\"") {
        return fail(format!("it answers {} `{}` instead of the list", answer.status, answer.body));
    }
    if answer.body.contains("secret") { fail("its answer did not pass the schema") } else { Ok(()) }
}

/// The same, tiny and without figures: whatever is lost, doubled or out of order fails.
pub fn smoke(setup: &BenchSetup<'_>, names: &[&'static str]) -> Outcome {
    for peer in setup.gather(names)? {
        answers(&peer).and_then(|()| leaves_out(&peer)).while_doing(peer.name)?;
        let server = Server::start(&peer.launch, None)?;
        let mut echo = Echo::open(&peer.echo(), &server, FEW, 4)?;
        echo.run(BRIEFLY)?;
        println!("smoke: {}: {} echoes", peer.name, echo.finish().while_doing("echo")?);
        // The sockets of the echo have left, but the server may still have to notice.
        let server = Server::start(&peer.launch, None)?;
        for pace in [Pace::Saturated, Pace::Every(Duration::from_millis(20))] {
            let mut fanout = room(&peer, &server, FEW)?;
            fanout.run(pace, BRIEFLY)?;
            println!("smoke: {}: {} deliveries", peer.name, fanout.finish().while_doing("fan-out")?);
        }
    }
    Ok(())
}
