//! H1 to H4: requests of several kinds, with the server saturated and at half of what it can.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::contestants::{BUN, Contestant, DENO, FLOOR, LIVELINE, NODE, UWS};
use super::cores::OnLoaderCore;
use super::load::{Crowd, Dialect, Happening, Mouth, Way};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::rounds::interleaved;
use super::server::Server;
use super::stats::{percentile, spread};
use super::workshop::Workshop;
use super::wrk::{Request, Wrk};
use super::{BODY, ROUTE};
use crate::failure::{Outcome, While, fail};

/// Connections of the loader at half of the maximum.
const CONNECTIONS: usize = 64;
const DRAIN: Duration = Duration::from_secs(10);
/// The longest wait between two looks at the clock.
const BREATH: Duration = Duration::from_millis(20);
/// No more rounds than these for the other kinds of requests.
const FEWER: usize = 3;

pub fn measure(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    let wrk = Wrk::find()?;
    let mut contestants = Vec::new();
    for contestant in workshop.gather(&[FLOOR, LIVELINE, BUN, DENO, UWS, NODE])? {
        match answers(&contestant) {
            Ok(()) => contestants.push(contestant),
            Err(failure) if contestant.is_peer() => println!("{} takes no part: {failure}", contestant.name),
            Err(failure) => return Err(failure).while_doing(contestant.name),
        }
    }
    println!("\nhttp: {ROUTE}, saturated");
    let hello = Request { path: ROUTE, script: None };
    let figures = ["requests per CPU second", "requests/s"];
    let [thrift, rate] = interleaved(workshop.plan.rounds, &contestants, figures, |contestant| {
        saturated(workshop, &wrk, contestant, &hello)
    });
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
            Against::One(FLOOR),
            0.7,
            0.9,
        ));
        metrics.push(metric("H2", "trivial JS route, held against the best peer", Against::Best, 1.0, 1.25));
    }
    metrics.push(unpinned(workshop, &wrk, &contestants, &hello)?);
    metrics.extend(richer(workshop, &wrk)?);
    metrics.push(half(workshop, &wrk, &contestants, &rate)?);
    Ok(metrics)
}

/// Nobody wins by answering less.
pub fn answers(contestant: &Contestant) -> Outcome {
    let server = Server::start(&contestant.launch, None)?;
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get());
    let answer = answer.while_doing("asking for the route")?;
    let missing =
        ["date", "content-length", "content-type"].into_iter().find(|name| answer.header(name).is_none());
    match missing {
        Some(name) => fail(format!("its answer has no {name} header")),
        None if answer.status != 200 || answer.body != BODY => {
            fail(format!("it answers {} `{}` where `{BODY}` is wanted", answer.status, answer.body))
        }
        None => Ok(()),
    }
}

/// A fresh process each time: how it happens to lie in memory is part of the noise to average out.
fn saturated(
    workshop: &Workshop<'_>,
    wrk: &Wrk,
    contestant: &Contestant,
    request: &Request,
) -> Outcome<[f64; 2]> {
    let server = Server::start_pinned(&contestant.launch)?;
    if !workshop.plan.warmup.is_zero() {
        wrk.load(server.port, request, workshop.plan.warmup, true)?;
    }
    let before = server.cpu()?;
    let load = wrk.load(server.port, request, workshop.plan.duration, true)?;
    let cpu = server.cpu()?.saturating_sub(before);
    Ok([load.requests as f64 / cpu.as_secs_f64(), load.per_second])
}

/// One round with both cores free for all.
fn unpinned(
    workshop: &Workshop<'_>,
    wrk: &Wrk,
    contestants: &[Contestant],
    request: &Request,
) -> Outcome<Metric> {
    let mut series = Vec::new();
    for contestant in contestants {
        let server = Server::start(&contestant.launch, None)?;
        let load =
            wrk.load(server.port, request, workshop.plan.duration, false).while_doing(contestant.name)?;
        series.push(Series { name: contestant.name, values: vec![load.per_second] });
    }
    Ok(Metric {
        id: "H2 unpinned",
        title: "trivial JS route, both cores free for all".to_owned(),
        unit: "requests/s",
        better: Better::More,
        ours: LIVELINE,
        series,
        bar: None,
        notes: vec!["one round".to_owned()],
    })
}

/// H3: requests that carry more.
fn richer(workshop: &Workshop<'_>, wrk: &Wrk) -> Outcome<Vec<Metric>> {
    let contestants = workshop.gather(&[LIVELINE, BUN, DENO, UWS, NODE])?;
    let kinds = [
        ("JSON of 1 KB", "/json", None),
        ("parameters of path and query", "/params/books/17?page=2&sort=title", None),
        ("8 headers in and out", "/headers", Some("headers.lua")),
        ("POST of 1 KB JSON", "/post", Some("post.lua")),
    ];
    let mut metrics = Vec::new();
    for (title, path, script) in kinds {
        println!("\nhttp: {title}");
        let request = Request { path, script: script.map(|script| workshop.script(script)) };
        let figures = ["requests per CPU second"];
        let rounds = workshop.plan.rounds.min(FEWER);
        let [series] = interleaved(rounds, &contestants, figures, |contestant| {
            saturated(workshop, wrk, contestant, &request).map(|[thrift, _]| [thrift])
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
fn half(workshop: &Workshop<'_>, wrk: &Wrk, contestants: &[Contestant], rates: &[Series]) -> Outcome<Metric> {
    println!("\nhttp: {ROUTE} at half of each one's own maximum");
    let hello = Request { path: ROUTE, script: None };
    let figures = ["us p99", "us p50", "us p99.9"];
    let [p99, p50, p999] = interleaved(workshop.plan.rounds, contestants, figures, |contestant| {
        let own = rates.iter().find(|series| series.name == contestant.name);
        let Some(most) = own.and_then(|series| spread(&series.values)) else { return fail("it has no rate") };
        let server = Server::start_pinned(&contestant.launch)?;
        wrk.load(server.port, &hello, workshop.plan.warmup, true)?;
        let latencies = at_rate(&server, most.median / 2.0, CONNECTIONS, workshop.plan.duration)?;
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
        bar: Some(Bar { against: Against::One(FLOOR), gate: 3.0, goal: 1.5 }),
    })
}

/// Asks for the route on a schedule that waits for nobody; latencies count from when a request was due, in
/// us.
pub fn at_rate(
    server: &Server,
    per_second: f64,
    connections: usize,
    duration: Duration,
) -> Outcome<Vec<f64>> {
    let _core = OnLoaderCore::enter();
    let mut crowd = Crowd::new(server.port)?;
    let way = Rc::new(Way::new(Dialect::Http, ROUTE, ""));
    let mut free = (0..connections).map(|_| crowd.begin(&way)).collect::<Outcome<Vec<_>>>()?;
    let mut asked: Vec<Option<Instant>> = vec![None; connections];
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let (mut planned, mut latencies) = (0, Vec::new());
    let (start, interval) = (Instant::now(), Duration::from_secs_f64(1.0 / per_second));
    let (mut due, end) = (start, start + duration);
    // What was due is answered, too, however late.
    while Instant::now() < end || (latencies.len() < planned && Instant::now() < end + DRAIN) {
        while due <= Instant::now() && due < end {
            waiting.push_back(due);
            planned += 1;
            due += interval;
        }
        while let (Some(_), false) = (waiting.front(), free.is_empty()) {
            let Some((index, moment)) = free.pop().zip(waiting.pop_front()) else { break };
            asked[index] = Some(moment);
            crowd.say(index, "");
        }
        let pause = if due < end { due } else { end + DRAIN };
        let patience = pause.saturating_duration_since(Instant::now()).min(BREATH);
        crowd.turn(patience, &mut |index: usize, happening: Happening<'_>, _: &mut Mouth<'_>| {
            if let (Happening::Message(_), Some(moment)) = (happening, asked[index].take()) {
                latencies.push(moment.elapsed().as_secs_f64() * 1e6);
                free.push(index);
            }
        })?;
    }
    match crowd.ended {
        0 if latencies.len() == planned => Ok(latencies),
        0 => fail(format!("{} of {planned} requests were not answered", planned - latencies.len())),
        ended => fail(format!("{ended} connections ended: {}", crowd.last_end)),
    }
}
