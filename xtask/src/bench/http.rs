//! H1 to H4: requests of several kinds, with the server saturated and at half of what it can.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::cores::OnLoaderCore;
use super::load::{ClientEvent, LoadGenerator, Protocol, Sender, Transport};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{BASELINE, BUN, DENO, LIVELINE, NODE, Peer, UWS, WORKERD};
use super::rounds::interleaved;
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::{percentile, spread};
use super::wrk::{Request, Wrk};
use super::{BODY, ROUTE};
use crate::failure::{Outcome, While, fail};

/// Connections of the load generator at half of the maximum.
const CONNECTIONS: usize = 64;
const DRAIN: Duration = Duration::from_secs(10);
/// The longest wait between two looks at the clock.
const BREATH: Duration = Duration::from_millis(20);
/// No more rounds than these for the other kinds of requests.
const FEWER: usize = 3;

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let wrk = Wrk::find()?;
    let mut peers = Vec::new();
    let names = [BASELINE, LIVELINE, BUN, DENO, UWS, WORKERD, NODE];
    for peer in setup.gather_headline(&names, &names[..6])? {
        match answers(&peer) {
            Ok(()) => peers.push(peer),
            Err(failure) if peer.is_other() => println!("{} is left out: {failure}", peer.name),
            Err(failure) => return Err(failure).while_doing(peer.name),
        }
    }
    println!("\nhttp: {ROUTE}, saturated");
    let hello = Request { path: ROUTE, script: None };
    let figures = ["requests per CPU second", "requests/s"];
    let [thrift, rate] =
        interleaved(setup.plan.rounds, &peers, figures, |peer| saturated(setup, &wrk, peer, &hello));
    let mut metrics = Vec::new();
    let kinds = [(&thrift, "requests per server CPU second"), (&rate, "requests/s")];
    for (series, unit) in kinds {
        let metric = |id, title: &str, against, gate, goal| Metric {
            id,
            title: title.to_owned(),
            unit,
            better: Better::More,
            ours: LIVELINE,
            series: series.clone(),
            bar: Some(Bar { against, gate, goal }),
            notes: Vec::new(),
        };
        metrics.push(metric(
            "H1",
            "trivial JS route, held against a bare epoll server",
            Against::One(BASELINE),
            0.7,
            0.85,
        ));
        metrics.push(metric("H2", "trivial JS route, held against the best peer", Against::Best, 1.0, 1.2));
    }
    metrics.push(unpinned(setup, &wrk, &peers, &hello));
    metrics.extend(richer(setup, &wrk)?);
    let named: &[_] = if setup.plan.quick { &[BASELINE, LIVELINE, BUN] } else { &names };
    let peers: Vec<_> = peers.into_iter().filter(|peer| named.contains(&peer.name)).collect();
    metrics.push(half(setup, &wrk, &peers, &rate)?);
    Ok(metrics)
}

/// Checks that the answer is complete, so that no peer is faster because it sends less.
pub fn answers(peer: &Peer) -> Outcome {
    let server = Server::start(&peer.launch, None)?;
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get());
    let answer = answer.while_doing("asking for the route")?;
    let missing =
        ["date", "content-length", "content-type"].into_iter().find(|name| answer.header(name).is_none());
    match missing {
        Some(name) => fail(format!("its answer has no {name} header")),
        None if answer.status != 200 || answer.body != BODY => {
            fail(format!("it answers {} `{}` instead of `{BODY}`", answer.status, answer.body))
        }
        None => Ok(()),
    }
}

/// A fresh process each time: how it happens to lie in memory is part of the noise to average out.
fn saturated(setup: &BenchSetup<'_>, wrk: &Wrk, peer: &Peer, request: &Request) -> Outcome<[f64; 2]> {
    let server = Server::start_pinned(&peer.launch)?;
    if !setup.plan.warmup.is_zero() {
        wrk.load(server.port, request, setup.plan.warmup, true)?;
    }
    let before = server.cpu()?;
    let load = wrk.load(server.port, request, setup.plan.duration, true)?;
    let cpu = server.cpu()?.saturating_sub(before);
    Ok([load.requests as f64 / cpu.as_secs_f64(), load.per_second])
}

/// Rounds in which the server may use both cores.
fn unpinned(setup: &BenchSetup<'_>, wrk: &Wrk, peers: &[Peer], request: &Request) -> Metric {
    println!("\nhttp: {ROUTE}, both cores free for all");
    let rounds = setup.plan.rounds.min(FEWER);
    let [series] = interleaved(rounds, peers, ["requests/s"], |peer| {
        let server = Server::start(&peer.launch, None)?;
        let load = wrk.load(server.port, request, setup.plan.duration, false)?;
        Ok([load.per_second])
    });
    Metric {
        id: "H2 unpinned",
        title: "trivial JS route, both cores free for all".to_owned(),
        unit: "requests/s",
        better: Better::More,
        ours: LIVELINE,
        series,
        bar: Some(Bar { against: Against::Best, gate: 1.0, goal: 1.0 }),
        notes: Vec::new(),
    }
}

/// H3: requests that carry more.
fn richer(setup: &BenchSetup<'_>, wrk: &Wrk) -> Outcome<Vec<Metric>> {
    let names = [LIVELINE, BUN, DENO, UWS, WORKERD, NODE];
    let peers = setup.gather_headline(&names, &names[..4])?;
    let kinds = [
        ("JSON of 1 KB", "/json", None),
        ("parameters of path and query", "/params/books/17?page=2&sort=title", None),
        ("8 headers in and out", "/headers", Some("headers.lua")),
        ("POST of 1 KB JSON", "/post", Some("post.lua")),
    ];
    let mut metrics = Vec::new();
    for (title, path, script) in kinds {
        println!("\nhttp: {title}");
        let request = Request { path, script: script.map(|script| setup.script(script)) };
        let figures = ["requests per CPU second"];
        let rounds = setup.plan.rounds.min(FEWER);
        let [series] = interleaved(rounds, &peers, figures, |peer| {
            saturated(setup, wrk, peer, &request).map(|[thrift, _]| [thrift])
        });
        metrics.push(Metric {
            id: "H3",
            title: title.to_owned(),
            unit: "requests per server CPU second",
            better: Better::More,
            ours: LIVELINE,
            series,
            bar: Some(Bar { against: Against::Best, gate: 1.0, goal: 1.3 }),
            notes: Vec::new(),
        });
    }
    Ok(metrics)
}

/// H4: latency at half of each one's own maximum.
fn half(setup: &BenchSetup<'_>, wrk: &Wrk, peers: &[Peer], rates: &[Series]) -> Outcome<Metric> {
    println!("\nhttp: {ROUTE} at half of each one's own maximum");
    let hello = Request { path: ROUTE, script: None };
    let figures = ["us p99", "us p50", "us p99.9"];
    let [p99, p50, p999] = interleaved(setup.plan.rounds, peers, figures, |peer| {
        let own = rates.iter().find(|series| series.name == peer.name);
        let Some(most) = own.and_then(|series| spread(&series.values)) else { return fail("it has no rate") };
        let server = Server::start_pinned(&peer.launch)?;
        if !setup.plan.warmup.is_zero() {
            wrk.load(server.port, &hello, setup.plan.warmup, true)?;
        }
        let latencies = at_rate(&server, most.median / 2.0, CONNECTIONS, setup.plan.duration)?;
        let at = |share| percentile(&latencies, share).unwrap_or(f64::NAN);
        Ok([at(0.99), at(0.5), at(0.999)])
    });
    let others = p50.iter().zip(&p999).filter_map(|(p50, p999)| {
        let (median, high) = (spread(&p50.values)?.median, spread(&p999.values)?.median);
        Some(format!("{}: p50 {median:.0} us, p99.9 {high:.0} us", p50.name))
    });
    Ok(Metric {
        id: "H4",
        title: "p99 at half of one's own maximum, open loop".to_owned(),
        unit: "us",
        better: Better::Less,
        ours: LIVELINE,
        notes: others.collect(),
        series: p99,
        bar: Some(Bar { against: Against::One(BASELINE), gate: 3.0, goal: 1.5 }),
    })
}

/// Requests the route on a fixed schedule. Latencies, in microseconds, count from the time at which the schedule
/// asks for a request.
pub fn at_rate(
    server: &Server,
    per_second: f64,
    connections: usize,
    duration: Duration,
) -> Outcome<Vec<f64>> {
    let _core = OnLoaderCore::enter();
    let mut generator = LoadGenerator::new(server.port)?;
    let transport = Rc::new(Transport::new(Protocol::Http, ROUTE, ""));
    let mut free = (0..connections).map(|_| generator.begin(&transport)).collect::<Outcome<Vec<_>>>()?;
    let mut asked: Vec<Option<Instant>> = vec![None; connections];
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let (mut planned, mut latencies) = (0, Vec::new());
    let (start, interval) = (Instant::now(), Duration::from_secs_f64(1.0 / per_second));
    let (mut due, end) = (start, start + duration);
    // Requests that are late are still answered.
    while Instant::now() < end || (latencies.len() < planned && Instant::now() < end + DRAIN) {
        while due <= Instant::now() && due < end {
            waiting.push_back(due);
            planned += 1;
            due += interval;
        }
        while let (Some(_), false) = (waiting.front(), free.is_empty()) {
            let Some((index, moment)) = free.pop().zip(waiting.pop_front()) else { break };
            asked[index] = Some(moment);
            generator.send(index, "");
        }
        let pause = if due < end { due } else { end + DRAIN };
        let patience = pause.saturating_duration_since(Instant::now()).min(BREATH);
        generator.turn(patience, &mut |index: usize, event: ClientEvent<'_>, _: &mut Sender<'_>| {
            if let (ClientEvent::Message(_), Some(moment)) = (event, asked[index].take()) {
                latencies.push(moment.elapsed().as_secs_f64() * 1e6);
                free.push(index);
            }
        })?;
    }
    match generator.ended {
        0 if latencies.len() == planned => Ok(latencies),
        0 => fail(format!("{} of {planned} requests were not answered", planned - latencies.len())),
        ended => fail(format!("{ended} connections ended: {}", generator.last_end)),
    }
}
