//! M1, M2, M3: memory and CPU time of connections on which nothing happens.
//!
//! Memory is the slope over several numbers of connections to one process, so that the memory of an empty process
//! does not count. Before each reading nothing happens for seconds, and peers that serve `/gc` collect their garbage.

use std::time::{Duration, Instant};

use super::client::Connection;
use super::cores::{self, OnLoaderCore};
use super::load::{ClientEvent, LoadGenerator, Transport};
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{BUN, LIVELINE, NUMBERED, Peer, RAW, UWS, WS};
use super::server::{Memory, Server};
use super::setup::BenchSetup;
use super::stats::line;
use crate::failure::{Outcome, While, fail};

/// How many connections are held, how often, and for how long before their memory is read.
pub struct Extent {
    rounds: usize,
    steps: &'static [usize],
    quiet: Duration,
}

pub const FULL: Extent =
    Extent { rounds: 1, steps: &[1000, 2000, 5000, 10_000, 15_000], quiet: Duration::from_secs(5) };
/// Memory that was freed is returned to the system after two seconds.
const QUICK: Extent = Extent { rounds: 2, steps: &[1000, 8000], quiet: Duration::from_millis(2500) };
/// Long enough for two pings every 25 seconds.
const HOLD: Duration = Duration::from_secs(50);

/// The memory of a peer at several numbers of connections.
pub struct Growth {
    pub name: &'static str,
    readings: Vec<(usize, Memory)>,
}

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let extent = if setup.plan.quick { QUICK } else { FULL };
    let peers = setup.gather_headline(&[LIVELINE, NUMBERED, RAW, WS, BUN, UWS], &[LIVELINE, RAW, WS])?;
    let (mut growths, mut held) = (Vec::new(), None);
    for peer in std::iter::repeat_n(&peers, extent.rounds).flatten() {
        let server = Server::start_pinned(&peer.launch)?;
        let mut generator = LoadGenerator::new(server.port)?;
        println!("\nidle: {}", peer.name);
        match grow(&extent, peer, &peer.idle(), &server, &mut generator) {
            Ok(growth) => growths.push(growth),
            Err(failure) => {
                println!("  {} is left out: {failure}", peer.name);
                continue;
            }
        }
        if peer.name == LIVELINE && !setup.plan.quick {
            held = Some(hold(&server, &mut generator)?);
        }
    }
    Ok([sockets(&growths), lines(&growths)].into_iter().chain(held).collect())
}

/// Adds connections and reads the memory after each step.
pub fn grow(
    extent: &Extent,
    peer: &Peer,
    transport: &Transport,
    server: &Server,
    generator: &mut LoadGenerator,
) -> Outcome<Growth> {
    let _core = OnLoaderCore::enter();
    let mut readings = Vec::new();
    for step in extent.steps.iter().copied().filter(|step| *step <= cores::most_connections()) {
        generator.grow(step, transport)?;
        generator.run(Instant::now() + extent.quiet, &mut |_, _, _| {})?;
        if generator.ended > 0 {
            return fail(format!(
                "{} of {step} idle connections ended: {}",
                generator.ended, generator.last_end
            ));
        }
        if peer.collects() {
            let collected =
                Connection::open(server.port).and_then(|mut connection| connection.get_path("/gc"));
            collected.while_doing("asking for a collection")?;
        }
        let memory = server.memory()?;
        println!("  {step:>6} connections: RSS {:.1} MB", memory.resident / 1e6);
        readings.push((step, memory));
    }
    Ok(Growth { name: peer.name, readings })
}

impl Growth {
    /// Bytes for each connection, and bytes of the process without connections.
    pub fn resident(&self) -> Option<(f64, f64)> {
        self.fitted(|memory| memory.resident)
    }

    fn fitted(&self, of: fn(&Memory) -> f64) -> Option<(f64, f64)> {
        line(&self.readings.iter().map(|(count, memory)| (*count as f64, of(memory))).collect::<Vec<_>>())
    }

    pub fn series(&self) -> Series {
        Series { name: self.name, values: self.resident().map(|(slope, _)| slope).into_iter().collect() }
    }

    /// One series for each peer, with a value for each of its rounds.
    fn by_peer<'a>(growths: impl IntoIterator<Item = &'a Self>) -> Vec<Series> {
        let mut all: Vec<Series> = Vec::new();
        for one in growths.into_iter().map(Self::series) {
            match all.iter_mut().find(|known| known.name == one.name) {
                Some(known) => known.values.extend(one.values),
                None => all.push(one),
            }
        }
        all
    }

    pub fn note(&self) -> String {
        let readings =
            self.readings.iter().map(|(count, memory)| format!("{count}: {:.1}", memory.resident / 1e6));
        let (_, intercept) = self.resident().unwrap_or((f64::NAN, f64::NAN));
        let (pss, _) = self.fitted(|memory| memory.proportional).unwrap_or((f64::NAN, f64::NAN));
        let (anonymous, _) = self.fitted(|memory| memory.anonymous).unwrap_or((f64::NAN, f64::NAN));
        format!(
            "{}: RSS in MB at {}; intercept {:.1} MB; slope of Pss {pss:.0} bytes, without pages of files {anonymous:.0}",
            self.name,
            readings.collect::<Vec<_>>().join(", "),
            intercept / 1e6
        )
    }
}

fn sockets(growths: &[Growth]) -> Metric {
    let growths: Vec<_> = growths.iter().filter(|one| one.name != LIVELINE && one.name != NUMBERED).collect();
    Metric {
        id: "M1",
        title: "marginal RSS of an idle raw WebSocket".to_owned(),
        unit: "bytes",
        better: Better::Less,
        ours: RAW,
        series: Growth::by_peer(growths.iter().copied()),
        bar: Some(Bar { against: Against::One(WS), gate: 0.6, goal: 0.3 }),
        notes: growths.iter().map(|one| one.note()).chain(["the goal is also 1.2 KB".to_owned()]).collect(),
    }
}

fn lines(growths: &[Growth]) -> Metric {
    Metric {
        id: "M2",
        title: "marginal RSS of an idle live line with a suspended handler".to_owned(),
        unit: "bytes",
        better: Better::Less,
        ours: LIVELINE,
        series: Growth::by_peer(growths),
        bar: Some(Bar { against: Against::Absolute, gate: 3072.0, goal: 2048.0 }),
        notes: growths
            .iter()
            .filter(|one| one.name == LIVELINE || one.name == NUMBERED)
            .map(Growth::note)
            .collect(),
    }
}

fn hold(server: &Server, generator: &mut LoadGenerator) -> Outcome<Metric> {
    let _core = OnLoaderCore::enter();
    println!("  holding {} lines for {HOLD:?}", generator.len());
    let mut received = 0;
    let (start, before) = (Instant::now(), server.cpu()?);
    generator.run(start + HOLD, &mut |_, event, _| {
        received += u32::from(matches!(event, ClientEvent::Message(_)))
    })?;
    if generator.ended > 0 {
        return fail(format!("{} idle lines ended: {}", generator.ended, generator.last_end));
    }
    let (cpu, held) = (server.cpu()?.saturating_sub(before).as_secs_f64(), start.elapsed().as_secs_f64());
    let micros = cpu * 1e6 / held / generator.len() as f64;
    Ok(Metric {
        id: "M3",
        title: format!("CPU to hold {} idle lines", generator.len()),
        unit: "us of CPU per line and second",
        better: Better::Less,
        ours: LIVELINE,
        series: vec![Series { name: LIVELINE, values: vec![micros] }],
        bar: Some(Bar { against: Against::Absolute, gate: 0.01 * 1e6 / generator.len() as f64, goal: 0.5 }),
        notes: vec![format!(
            "{:.2} % of a core over {held:.0} s; {} control frames and {received} messages came",
            cpu / held * 100.0,
            generator.pings
        )],
    })
}
