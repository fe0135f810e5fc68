//! S1: the room as server-sent events, beside nginx with nchan.

use super::contestants::{LIVELINE, NCHAN};
use super::fanout::full_speed;
use super::idle;
use super::load::Crowd;
use super::metric::{Against, Bar, Better, Metric};
use super::rounds::{SATURATED, business, interleaved};
use super::server::Server;
use super::workshop::Workshop;
use crate::failure::Outcome;

pub fn measure(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    const MANY: usize = 1000;
    let contestants = workshop.gather(&[LIVELINE, NCHAN])?;
    println!("\nevents: 1 to {MANY}, saturated");
    let [thrift, _, loader] = interleaved(workshop.plan.rounds, &contestants, SATURATED, |contestant| {
        full_speed(workshop, contestant, &contestant.announcer(), &contestant.events(), MANY)
    });
    let mut growths = Vec::new();
    for contestant in &contestants {
        println!("events: {}, idle streams", contestant.name);
        let server = Server::start_pinned(&contestant.launch)?;
        growths.push(idle::grow(contestant, &contestant.events(), &server, &mut Crowd::new(server.port)?)?);
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
