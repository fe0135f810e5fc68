//! W3, W4, W5: one sender, many receivers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cores::OnLoaderCore;
use super::load::{ClientEvent, Faults, LoadGenerator, Sender, Sequence, Stamp, Transport};
use super::metric::{Against, Bar, Better, Metric};
use super::peers::{BUN, LIVELINE, NUMBERED, Peer, SOCKET_IO, UWS, WS};
use super::rounds::{SATURATED, business, interleaved, saturated};
use super::server::Server;
use super::setup::BenchSetup;
use super::stats::percentile;
use crate::failure::{Outcome, fail};

/// Bytes of a message, unless it was sized otherwise.
const SIZE: usize = 100;
/// Messages on the way when the server is saturated.
const WINDOW: u64 = 8;
const DRAIN: Duration = Duration::from_secs(15);

/// When the next message is sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as all have received an earlier one.
    Saturated,
    Every(Duration),
}

/// W3, W4.
pub fn saturated_room(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    const MANY: usize = 1000;
    println!("\nfanout: 1 to {MANY}, {SIZE} bytes, saturated");
    let peers =
        setup.gather_headline(&[LIVELINE, NUMBERED, BUN, UWS, WS, SOCKET_IO], &[LIVELINE, BUN, UWS])?;
    let [thrift, rate, loader] = interleaved(setup.plan.rounds, &peers, SATURATED, |peer| {
        full_speed(setup, peer, &peer.room(), &peer.room(), MANY)
    });
    let metric = |id, against, gate, goal| Metric {
        id,
        title: format!("fan-out, 1 to {MANY} subscribers, {SIZE} B"),
        unit: "deliveries per server CPU second",
        better: Better::More,
        ours: LIVELINE,
        series: thrift.clone(),
        bar: Some(Bar { against: Against::One(against), gate, goal }),
        notes: Vec::new(),
    };
    let mut metrics = vec![metric("W3", BUN, 1.0, 2.0)];
    if !setup.plan.quick {
        metrics.push(metric("W4", SOCKET_IO, 8.0, 20.0));
    }
    metrics.push(Metric {
        id: "W3 rate",
        title: format!("fan-out, 1 to {MANY} subscribers, {SIZE} B"),
        unit: "deliveries/s with the server saturated",
        better: Better::More,
        ours: LIVELINE,
        series: rate,
        bar: None,
        notes: business(&loader),
    });

    Ok(metrics)
}

/// W5.
pub fn large_room(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    const MORE: usize = 5000;
    let mut metrics = Vec::new();
    let peers = setup.gather_headline(&[LIVELINE, BUN, UWS], &[LIVELINE, BUN])?;
    let paces = [("W5", 100), ("W5 at a fifth", 20)];
    for (id, per_second) in paces.into_iter().take(if setup.plan.quick { 1 } else { paces.len() }) {
        println!("\nfanout: 1 to {MORE}, {per_second} messages/s");
        let figures = ["ms p99 to the last", "ms p50 to the last"];
        let [slow, _] = interleaved(setup.plan.rounds, &peers, figures, |peer| {
            let server = Server::start_pinned(&peer.launch)?;
            let pace = Pace::Every(Duration::from_secs(1) / per_second);
            let mut fanout = Fanout::open(&peer.room(), &peer.room(), &server, MORE)?;
            fanout.run(pace, setup.plan.warmup)?;
            fanout.last_received.clear();
            fanout.run(pace, setup.plan.duration)?;
            let at = |share| percentile(&fanout.last_received, share).unwrap_or(f64::NAN);
            let latencies = [at(0.99), at(0.5)];
            fanout.finish()?;
            Ok(latencies)
        });
        metrics.push(Metric {
            id,
            title: format!("p99 to the last of {MORE} subscribers at {per_second} messages/s"),
            unit: "ms",
            better: Better::Less,
            ours: LIVELINE,
            series: slow,
            bar: (id == "W5").then_some(Bar { against: Against::One(BUN), gate: 1.0, goal: 0.7 }),
            notes: vec![format!(
                "{} deliveries/s are asked of the server and the load generator",
                MORE as u32 * per_second
            )],
        });
    }
    Ok(metrics)
}

/// Deliveries, with messages on the way all the time.
pub fn full_speed(
    setup: &BenchSetup<'_>,
    peer: &Peer,
    speaker: &Transport,
    listener: &Transport,
    listeners: usize,
) -> Outcome<[f64; 3]> {
    let server = Server::start_pinned(&peer.launch)?;
    let mut fanout = Fanout::open(speaker, listener, &server, listeners)?;
    fanout.run(Pace::Saturated, setup.plan.warmup)?;
    let duration = setup.plan.duration;
    let figures = saturated(&server, duration, |duration| fanout.run(Pace::Saturated, duration))?;
    fanout.finish()?;
    Ok(figures)
}

/// A sender and its receivers.
pub struct Fanout {
    generator: LoadGenerator,
    listeners: Vec<Sequence>,
    size: usize,
    sent: u64,
    received: u64,
    /// For each message that not all have received, how many have. The first is number `done + 1`.
    open: VecDeque<usize>,
    done: u64,
    /// For each message that all have received, the milliseconds from its time to its last receipt.
    pub last_received: Vec<f64>,
    start: Instant,
}

const SPEAKER: usize = 0;

impl Fanout {
    pub fn open(
        speaker: &Transport,
        listener: &Transport,
        server: &Server,
        listeners: usize,
    ) -> Outcome<Self> {
        let mut generator = LoadGenerator::new(server.port)?;
        generator.grow(SPEAKER + 1, speaker)?;
        generator.grow(SPEAKER + 1 + listeners, listener)?;
        Ok(Self {
            generator,
            listeners: (0..listeners).map(|_| Sequence::default()).collect(),
            size: SIZE,
            sent: 0,
            received: 0,
            open: VecDeque::new(),
            done: 0,
            last_received: Vec::new(),
            start: Instant::now(),
        })
    }

    /// With messages of so many bytes.
    pub fn sized(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// Runs for `duration`. On a schedule it then waits until all have received every message. Returns the number of
    /// deliveries since the beginning.
    pub fn run(&mut self, pace: Pace, duration: Duration) -> Outcome<u64> {
        let _core = OnLoaderCore::enter();
        let start = Instant::now();
        let end = start + duration;
        let mut due = start;
        while Instant::now() < end {
            let patience = match pace {
                Pace::Saturated => {
                    while self.sent - self.done < WINDOW {
                        self.send(Instant::now());
                    }
                    end.saturating_duration_since(Instant::now())
                }
                Pace::Every(interval) => {
                    // A message whose time has passed is sent late, and none is left out.
                    while due <= Instant::now() {
                        self.send(due);
                        due += interval;
                    }
                    due.min(end).saturating_duration_since(Instant::now())
                }
            };
            self.listen(patience)?;
        }
        if let Pace::Every(_) = pace {
            self.drain()?;
        }
        self.generator.healthy()?;
        match pace {
            Pace::Every(_) if self.done < self.sent => {
                fail(format!("{} messages were not received by all in time", self.sent - self.done))
            }
            _ => Ok(self.received),
        }
    }

    /// Waits for messages that are on the way, and checks that each receiver got every message once and in order.
    pub fn finish(mut self) -> Outcome<u64> {
        self.drain()?;
        self.generator.healthy()?;
        let mut faults = Faults::default();
        self.listeners.iter().for_each(|listener| faults += listener.close(self.sent));
        let wanted = self.sent * self.listeners.len() as u64;
        if faults.is_none() { Ok(wanted) } else { fail(format!("of {wanted} deliveries: {faults}")) }
    }

    fn drain(&mut self) -> Outcome {
        let deadline = Instant::now() + DRAIN;
        while self.done < self.sent && Instant::now() < deadline {
            self.listen(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn send(&mut self, due: Instant) {
        self.sent += 1;
        let micros = due.saturating_duration_since(self.start).as_micros() as u64;
        self.open.push_back(0);
        self.generator.send(SPEAKER, &Stamp { sender: 0, number: self.sent, micros }.text(self.size));
    }

    fn listen(&mut self, patience: Duration) -> Outcome {
        let Self { generator, listeners, received, open, done, last_received, start, .. } = self;
        generator.turn(patience, &mut |index: usize, event: ClientEvent<'_>, _: &mut Sender<'_>| {
            let (ClientEvent::Message(payload), true) = (event, index != SPEAKER) else { return };
            let Some(stamp) = Stamp::find(payload) else { return };
            listeners[index - SPEAKER - 1].receive(stamp.number);
            *received += 1;
            let Some(count) =
                stamp.number.checked_sub(*done + 1).and_then(|place| open.get_mut(place as usize))
            else {
                return;
            };
            *count += 1;
            if *count == listeners.len() {
                let late = start.elapsed().saturating_sub(Duration::from_micros(stamp.micros));
                last_received.push(late.as_secs_f64() * 1e3);
            }
            while open.front() == Some(&listeners.len()) {
                open.pop_front();
                *done += 1;
            }
        })?;
        Ok(())
    }
}
