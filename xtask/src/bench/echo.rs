//! W1: messages that JavaScript sends back.

use std::time::{Duration, Instant};

use super::cores::OnLoaderCore;
use super::load::{ClientEvent, Faults, LoadGenerator, Sender, Sequence, Stamp, Transport};
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{BUN, DENO, FASTIFY, HONO, LIVELINE, NUMBERED, RAW, UWS, WS};
use super::rounds::{SATURATED, business, interleaved, ours, saturated};
use super::server::Server;
use super::setup::BenchSetup;
use crate::failure::{Outcome, fail};

const CONNECTIONS: usize = 64;
const SIZE: usize = 100;
const DRAIN: Duration = Duration::from_secs(5);

pub fn measure(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather_headline(
        &[LIVELINE, NUMBERED, RAW, BUN, DENO, UWS, WS, FASTIFY, HONO],
        &[LIVELINE, RAW, BUN],
    )?;
    let mut metrics = Vec::new();
    for window in [1, 16] {
        println!("\necho: {CONNECTIONS} connections, each with {window} messages of {SIZE} bytes on the way");
        let [thrift, rate, loader] = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            let mut echo = Echo::open(&peer.echo(), &server, CONNECTIONS, window)?;
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
            bar: Some(Bar { against: Against::One(BUN), gate: 0.9, goal: 1.2 }),
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
    senders: Vec<EchoSender>,
    received: u64,
}

#[derive(Default)]
struct EchoSender {
    sent: u64,
    echoes: Sequence,
}

impl EchoSender {
    fn next(&mut self, sender: usize) -> String {
        self.sent += 1;
        Stamp { sender: sender as u32, number: self.sent, micros: 0 }.text(SIZE)
    }
}

impl Echo {
    pub fn open(transport: &Transport, server: &Server, connections: usize, window: usize) -> Outcome<Self> {
        let mut generator = LoadGenerator::new(server.port)?;
        generator.grow(connections, transport)?;
        let mut senders: Vec<_> = (0..connections).map(|_| EchoSender::default()).collect();
        for (index, state) in senders.iter_mut().enumerate() {
            for _ in 0..window {
                generator.send(index, &state.next(index));
            }
        }
        Ok(Self { generator, senders, received: 0 })
    }

    /// Runs for `duration`. Returns how many messages have come back since the beginning.
    pub fn run(&mut self, duration: Duration) -> Outcome<u64> {
        let _core = OnLoaderCore::enter();
        self.listen(Instant::now() + duration, true)?;
        self.generator.healthy()?;
        Ok(self.received)
    }

    /// Waits for messages that are on the way, and checks that every message came back once and in order.
    pub fn finish(mut self) -> Outcome<u64> {
        let deadline = Instant::now() + DRAIN;
        let sent: u64 = self.senders.iter().map(|state| state.sent).sum();
        while self.received < sent && Instant::now() < deadline {
            self.listen(Instant::now() + Duration::from_millis(10), false)?;
        }
        self.generator.healthy()?;
        let mut faults = Faults::default();
        self.senders.iter().for_each(|state| faults += state.echoes.close(state.sent));
        if faults.is_none() { Ok(sent) } else { fail(format!("of {sent} messages: {faults}")) }
    }

    fn listen(&mut self, until: Instant, go_on: bool) -> Outcome {
        let Self { generator, senders, received } = self;
        generator.run(until, &mut |index: usize, event: ClientEvent<'_>, sender: &mut Sender<'_>| {
            let ClientEvent::Message(payload) = event else { return };
            let Some(stamp) = Stamp::find(payload) else { return };
            let state = &mut senders[index];
            state.echoes.receive(stamp.number);
            *received += 1;
            if go_on {
                sender.send(&state.next(index));
            }
        })
    }
}
