//! W1: messages that JavaScript sends back.

use std::time::{Duration, Instant};

use super::cores::OnLoaderCore;
use super::load::{ClientEvent, Faults, LoadGenerator, Sender, Sequence, Stamp};
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{BUN, DENO, FASTIFY, HONO, LIVELINE, NUMBERED, Peer, RAW, UWS, WS};
use super::rounds::{SATURATED, business, interleaved, ours, saturated};
use super::server::Server;
use super::setup::BenchSetup;
use crate::failure::{Outcome, fail};

const CONNECTIONS: usize = 64;
const SIZE: usize = 100;
const DRAIN: Duration = Duration::from_secs(5);

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[LIVELINE, NUMBERED, RAW, BUN, DENO, UWS, WS, FASTIFY, HONO])?;
    let mut metrics = Vec::new();
    for window in [1, 16] {
        println!("\necho: {CONNECTIONS} connections, each with {window} messages of {SIZE} bytes on the way");
        let [thrift, rate, loader] = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            let mut echo = Echo::open(peer, &server, CONNECTIONS, window)?;
            echo.run(setup.plan.warmup)?;
            let figures = saturated(&server, setup.plan.duration, |duration| echo.run(duration))?;
            echo.finish()?;
            Ok(figures)
        });
        let title = format!("JS echo, {CONNECTIONS} connections, {window} on the way");
        metrics.push(Metric {
            id: "W1",
            title: title.clone(),
            unit: "messages per server CPU second",
            better: Better::More,
            ours: ours(&thrift, RAW),
            series: thrift,
            bar: Some(Bar { against: Against::One(BUN), gate: 0.8, goal: 1.2 }),
            notes: Vec::new(),
        });
        metrics.push(Metric {
            id: "W1 rate",
            title,
            unit: "messages/s with the server saturated",
            better: Better::More,
            ours: ours(&rate, RAW),
            series: rate,
            bar: None,
            notes: business(&loader),
        });
    }
    Ok(metrics)
}

/// Connections that send the next message when one comes back.
pub struct Echo {
    generator: LoadGenerator,
    voices: Vec<Voice>,
    heard: u64,
}

#[derive(Default)]
struct Voice {
    said: u64,
    echoes: Sequence,
}

impl Voice {
    fn next(&mut self, sender: usize) -> String {
        self.said += 1;
        Stamp { sender: sender as u32, number: self.said, micros: 0 }.text(SIZE)
    }
}

impl Echo {
    pub fn open(peer: &Peer, server: &Server, connections: usize, window: usize) -> Outcome<Self> {
        let mut generator = LoadGenerator::new(server.port)?;
        generator.grow(connections, &peer.echo())?;
        let mut voices: Vec<_> = (0..connections).map(|_| Voice::default()).collect();
        for (index, voice) in voices.iter_mut().enumerate() {
            for _ in 0..window {
                generator.send(index, &voice.next(index));
            }
        }
        Ok(Self { generator, voices, heard: 0 })
    }

    /// Runs until a time. Returns how many messages have come back since the beginning.
    pub fn run(&mut self, duration: Duration) -> Outcome<u64> {
        let _core = OnLoaderCore::enter();
        self.listen(Instant::now() + duration, true)?;
        self.generator.healthy()?;
        Ok(self.heard)
    }

    /// Waits for messages that are on the way, and checks that every message came back once and in order.
    pub fn finish(mut self) -> Outcome<u64> {
        let deadline = Instant::now() + DRAIN;
        let said: u64 = self.voices.iter().map(|voice| voice.said).sum();
        while self.heard < said && Instant::now() < deadline {
            self.listen(Instant::now() + Duration::from_millis(10), false)?;
        }
        self.generator.healthy()?;
        let mut faults = Faults::default();
        self.voices.iter().for_each(|voice| faults += voice.echoes.close(voice.said));
        if faults.is_none() { Ok(said) } else { fail(format!("of {said} messages: {faults}")) }
    }

    fn listen(&mut self, until: Instant, go_on: bool) -> Outcome {
        let Self { generator, voices, heard } = self;
        generator.run(until, &mut |index: usize, event: ClientEvent<'_>, sender: &mut Sender<'_>| {
            let ClientEvent::Message(payload) = event else { return };
            let Some(stamp) = Stamp::find(payload) else { return };
            let voice = &mut voices[index];
            voice.echoes.receive(stamp.number);
            *heard += 1;
            if go_on {
                sender.send(&voice.next(index));
            }
        })
    }
}
