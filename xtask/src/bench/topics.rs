//! T1, T2, T3, T4: messages of a topic to its subscribers, beside nginx with nchan. Both receive each message by a POST.

use std::time::Duration;

use super::cores;
use super::fanout::{Fanout, Pace, full_speed};
use super::idle;
use super::load::{LoadGenerator, Transport};
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{NCHAN, Peer, TOPICS};
use super::rounds::{SATURATED, business, interleaved};
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::percentile;
use crate::failure::{Outcome, While};

/// Numbers of subscribers.
const MANY: [usize; 3] = [1, 1000, 10_000];

/// How a peer's subscribers are connected.
type Listener = fn(&Peer) -> Transport;

const LISTENERS: [(&str, &str, Listener); 2] =
    [("T1", "server-sent events", Peer::events), ("T2", "WebSockets", Peer::topic_sockets)];

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[TOPICS, NCHAN])?;
    let mut metrics = Vec::new();
    for (id, name, listener) in LISTENERS {
        for many in MANY.into_iter().filter(|many| *many < cores::most_connections()) {
            println!("\ntopics: {name}, 1 to {many}, saturated");
            let [thrift, _, loader] = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
                full_speed(setup, peer, &peer.announcer(), &listener(peer), many)
            });
            metrics.push(Metric {
                id,
                title: format!("a topic as {name}, 1 to {many} subscribers, 100 B"),
                unit: "deliveries per server CPU second",
                better: Better::More,
                ours: TOPICS,
                series: thrift,
                bar: (many > 1).then_some(Bar { against: Against::One(NCHAN), gate: 0.7, goal: 1.0 }),
                notes: business(&loader),
            });
        }
    }
    metrics.push(last_of_many(setup, &peers)?);
    metrics.push(memory(&peers)?);
    Ok(metrics)
}

/// How late the last of many subscribers receives a message.
fn last_of_many(setup: &BenchSetup<'_>, peers: &[Peer]) -> Outcome<Metric> {
    const SUBSCRIBERS: usize = 5000;
    const PER_SECOND: u32 = 20;
    println!("\ntopics: server-sent events, 1 to {SUBSCRIBERS}, {PER_SECOND} messages/s");
    let [late, _] = interleaved(setup.plan.rounds, peers, ["ms p99 to the last", "ms p50"], |peer| {
        let server = Server::start_pinned(&peer.launch)?;
        let pace = Pace::Every(Duration::from_secs(1) / PER_SECOND);
        let mut fanout = Fanout::open(&peer.announcer(), &peer.events(), &server, SUBSCRIBERS)?;
        fanout.run(pace, setup.plan.warmup)?;
        fanout.last_received.clear();
        fanout.run(pace, setup.plan.duration)?;
        let at = |share| percentile(&fanout.last_received, share).unwrap_or(f64::NAN);
        let latencies = [at(0.99), at(0.5)];
        fanout.finish()?;
        Ok(latencies)
    });
    Ok(Metric {
        id: "T3",
        title: format!("p99 to the last of {SUBSCRIBERS} subscribers at {PER_SECOND} messages/s"),
        unit: "ms",
        better: Better::Less,
        ours: TOPICS,
        series: late,
        bar: Some(Bar { against: Against::One(NCHAN), gate: 1.5, goal: 1.0 }),
        notes: Vec::new(),
    })
}

fn memory(peers: &[Peer]) -> Outcome<Metric> {
    let mut growths = Vec::new();
    for peer in peers {
        println!("\ntopics: {}, idle streams", peer.name);
        let server = Server::start_pinned(&peer.launch)?;
        growths.push(idle::grow(
            &idle::FULL,
            peer,
            &peer.events(),
            &server,
            &mut LoadGenerator::new(server.port)?,
        )?);
    }
    Ok(Metric {
        id: "T4",
        title: "marginal RSS of an idle subscriber".to_owned(),
        unit: "bytes",
        better: Better::Less,
        ours: TOPICS,
        series: growths.iter().map(idle::Growth::series).collect(),
        bar: Some(Bar { against: Against::One(NCHAN), gate: 1.5, goal: 1.0 }),
        notes: growths.iter().map(idle::Growth::note).collect(),
    })
}

/// A short run that checks that every message comes once and in order.
pub fn smoke(peer: &Peer, briefly: Duration, passed: impl Fn(&str, u64) -> Outcome) -> Outcome {
    const SUBSCRIBERS: usize = 20;
    let server = Server::start(&peer.launch, None)?;
    for (_, name, listener) in LISTENERS {
        let mut fanout = Fanout::open(&peer.announcer(), &listener(peer), &server, SUBSCRIBERS)?;
        fanout.run(Pace::Saturated, briefly)?;
        passed(&format!("messages of a topic as {name}"), fanout.finish().while_doing(name)?)?;
    }
    Ok(())
}
