//! W1: messages that JavaScript says back.

use std::time::{Duration, Instant};

use super::contestants::{BUN, Contestant, DENO, FASTIFY, HONO, LIVELINE, NUMBERED, RAW, UWS, WS};
use super::cores::OnLoaderCore;
use super::load::{Crowd, Faults, Happening, Mouth, Sequence, Stamp};
use super::metric::{Against, Bar, Better, Metric};
use super::rounds::{SATURATED, business, interleaved, ours, saturated};
use super::server::Server;
use super::workshop::Workshop;
use crate::failure::{Outcome, fail};

const CONNECTIONS: usize = 64;
const SIZE: usize = 100;
const DRAIN: Duration = Duration::from_secs(5);

pub fn measure(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    let contestants = workshop.gather(&[LIVELINE, NUMBERED, RAW, BUN, DENO, UWS, WS, FASTIFY, HONO])?;
    let mut metrics = Vec::new();
    for window in [1, 16] {
        println!("\necho: {CONNECTIONS} connections, each with {window} messages of {SIZE} bytes on the way");
        let [thrift, rate, loader] =
            interleaved(workshop.plan.rounds, &contestants, SATURATED, |contestant| {
                let server = Server::start_pinned(&contestant.launch)?;
                let mut echo = Echo::open(contestant, &server, CONNECTIONS, window)?;
                echo.run(workshop.plan.warmup)?;
                let figures = saturated(&server, workshop.plan.duration, |duration| echo.run(duration))?;
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

/// Connections that say the next message when one comes back.
pub struct Echo {
    crowd: Crowd,
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
    pub fn open(
        contestant: &Contestant,
        server: &Server,
        connections: usize,
        window: usize,
    ) -> Outcome<Self> {
        let mut crowd = Crowd::new(server.port)?;
        crowd.grow(connections, &contestant.echo())?;
        let mut voices: Vec<_> = (0..connections).map(|_| Voice::default()).collect();
        for (index, voice) in voices.iter_mut().enumerate() {
            for _ in 0..window {
                crowd.say(index, &voice.next(index));
            }
        }
        Ok(Self { crowd, voices, heard: 0 })
    }

    /// Goes on for a while; returns how many have come back in all.
    pub fn run(&mut self, duration: Duration) -> Outcome<u64> {
        let _core = OnLoaderCore::enter();
        self.listen(Instant::now() + duration, true)?;
        self.healthy()?;
        Ok(self.heard)
    }

    /// Waits for what is on the way, and checks that everything came back once and in order.
    pub fn finish(mut self) -> Outcome<u64> {
        let deadline = Instant::now() + DRAIN;
        let said: u64 = self.voices.iter().map(|voice| voice.said).sum();
        while self.heard < said && Instant::now() < deadline {
            self.listen(Instant::now() + Duration::from_millis(10), false)?;
        }
        self.healthy()?;
        let mut faults = Faults::default();
        self.voices.iter().for_each(|voice| faults += voice.echoes.close(voice.said));
        if faults.is_none() { Ok(said) } else { fail(format!("of {said} messages: {faults}")) }
    }

    fn listen(&mut self, until: Instant, go_on: bool) -> Outcome {
        let Self { crowd, voices, heard } = self;
        crowd.run(until, &mut |index: usize, happening: Happening<'_>, mouth: &mut Mouth<'_>| {
            let Happening::Message(payload) = happening else { return };
            let Some(stamp) = Stamp::find(payload) else { return };
            let voice = &mut voices[index];
            voice.echoes.receive(stamp.number);
            *heard += 1;
            if go_on {
                mouth.say(&voice.next(index));
            }
        })
    }

    fn healthy(&self) -> Outcome {
        match self.crowd.ended {
            0 => Ok(()),
            ended => fail(format!("{ended} connections ended: {}", self.crowd.last_end)),
        }
    }
}
