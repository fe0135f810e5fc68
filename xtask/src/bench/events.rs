//! S1: the room as server-sent events, beside nginx with nchan.

use super::fanout::full_speed;
use super::idle;
use super::load::LoadGenerator;
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{LIVELINE, NCHAN};
use super::rounds::{SATURATED, business, interleaved};
use super::server::Server;
use super::setup::BenchSetup;
use crate::failure::Outcome;

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    const MANY: usize = 1000;
    let peers = setup.gather(&[LIVELINE, NCHAN])?;
    println!("\nevents: 1 to {MANY}, saturated");
    let [thrift, _, loader] = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
        full_speed(setup, peer, &peer.announcer(), &peer.events(), MANY)
    });
    let mut growths = Vec::new();
    for peer in &peers {
        println!("events: {}, idle streams", peer.name);
        let server = Server::start_pinned(&peer.launch)?;
        growths.push(idle::grow(
            &idle::FULL,
            peer,
            &peer.events(),
            &server,
            &mut LoadGenerator::new(server.port)?,
        )?);
    }
    Ok(vec![
        Metric {
            id: "S1",
            title: format!("server-sent events, 1 to {MANY} subscribers, 100 B"),
            unit: "deliveries per server CPU second",
            better: Better::More,
            ours: LIVELINE,
            series: thrift,
            bar: Some(Bar { against: Against::One(NCHAN), gate: 0.7, goal: 1.0 }),
            notes: [
                business(&loader),
                vec!["nchan gets a POST for each message, we a frame on a line".to_owned()],
            ]
            .concat(),
        },
        Metric {
            id: "S1 memory",
            title: "marginal RSS of an idle stream of events".to_owned(),
            unit: "bytes",
            better: Better::Less,
            ours: LIVELINE,
            series: growths.iter().map(idle::Growth::series).collect(),
            bar: Some(Bar { against: Against::One(NCHAN), gate: 1.5, goal: 1.0 }),
            notes: growths.iter().map(idle::Growth::note).collect(),
        },
    ])
}
