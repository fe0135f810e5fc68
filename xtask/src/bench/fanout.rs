//! W3, W4, W5: one speaks, many hear.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::contestants::{BUN, Contestant, LIVELINE, NUMBERED, SOCKET_IO, UWS, WS};
use super::cores::OnLoaderCore;
use super::load::{Crowd, Faults, Happening, Mouth, Sequence, Stamp, Way};
use super::metric::{Against, Bar, Better, Metric};
use super::rounds::{SATURATED, business, interleaved, saturated};
use super::server::Server;
use super::stats::percentile;
use super::workshop::Workshop;
use crate::failure::{Outcome, fail};

const SIZE: usize = 100;
/// Messages on the way when the server is saturated.
const WINDOW: u64 = 8;
const DRAIN: Duration = Duration::from_secs(15);

/// When the next message is said.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as an earlier one has been heard by all.
    Saturated,
    Every(Duration),
}

/// W3, W4.
pub fn saturated_room(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    const MANY: usize = 1000;
    println!("\nfanout: 1 to {MANY}, {SIZE} bytes, saturated");
    let contestants = workshop.gather(&[LIVELINE, NUMBERED, BUN, UWS, WS, SOCKET_IO])?;
    let [thrift, rate, loader] = interleaved(workshop.plan.rounds, &contestants, SATURATED, |contestant| {
        full_speed(workshop, contestant, &contestant.room(), &contestant.room(), MANY)
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
    let mut metrics = vec![metric("W3", BUN, 1.0, 2.0), metric("W4", SOCKET_IO, 8.0, 20.0)];
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
pub fn large_room(workshop: &Workshop<'_>) -> Outcome<Vec<Metric>> {
    const MORE: usize = 5000;
    let mut metrics = Vec::new();
    let contestants = workshop.gather(&[LIVELINE, BUN, UWS])?;
    for (id, per_second) in [("W5", 100), ("W5 at a fifth", 20)] {
        println!("\nfanout: 1 to {MORE}, {per_second} messages/s");
        let figures = ["ms p99 to the last", "ms p50 to the last"];
        let [slow, _] = interleaved(workshop.plan.rounds, &contestants, figures, |contestant| {
            let server = Server::start_pinned(&contestant.launch)?;
            let pace = Pace::Every(Duration::from_secs(1) / per_second);
            let mut fanout = Fanout::open(&contestant.room(), &contestant.room(), &server, MORE)?;
            fanout.run(pace, workshop.plan.warmup)?;
            fanout.last_heard.clear();
            fanout.run(pace, workshop.plan.duration)?;
            let at = |share| percentile(&fanout.last_heard, share).unwrap_or(f64::NAN);
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
            bar: (id == "W5").then_some(Bar { against: Against::One(BUN), gate: 1.2, goal: 0.7 }),
            notes: vec![format!("{} deliveries/s are wanted of server and loader", MORE as u32 * per_second)],
        });
    }
    Ok(metrics)
}

/// Deliveries, with messages on the way all the time.
pub fn full_speed(
    workshop: &Workshop<'_>,
    contestant: &Contestant,
    speaker: &Way,
    listener: &Way,
    listeners: usize,
) -> Outcome<[f64; 3]> {
    let server = Server::start_pinned(&contestant.launch)?;
    let mut fanout = Fanout::open(speaker, listener, &server, listeners)?;
    fanout.run(Pace::Saturated, workshop.plan.warmup)?;
    let duration = workshop.plan.duration;
    let figures = saturated(&server, duration, |duration| fanout.run(Pace::Saturated, duration))?;
    fanout.finish()?;
    Ok(figures)
}

/// A speaker, and those who hear it.
pub struct Fanout {
    crowd: Crowd,
    listeners: Vec<Sequence>,
    said: u64,
    heard: u64,
    /// How many have heard each message that not all have heard; the first is number `done + 1`.
    open: VecDeque<usize>,
    done: u64,
    /// For each message that all have heard, how long after it was due the last one did, in ms.
    pub last_heard: Vec<f64>,
    start: Instant,
}

const SPEAKER: usize = 0;

impl Fanout {
    pub fn open(speaker: &Way, listener: &Way, server: &Server, listeners: usize) -> Outcome<Self> {
        let mut crowd = Crowd::new(server.port)?;
        crowd.grow(SPEAKER + 1, speaker)?;
        crowd.grow(SPEAKER + 1 + listeners, listener)?;
        Ok(Self {
            crowd,
            listeners: (0..listeners).map(|_| Sequence::default()).collect(),
            said: 0,
            heard: 0,
            open: VecDeque::new(),
            done: 0,
            last_heard: Vec::new(),
            start: Instant::now(),
        })
    }

    /// Goes on for a while, and on a schedule waits until all have heard what was said; returns how many
    /// deliveries there were in all.
    pub fn run(&mut self, pace: Pace, duration: Duration) -> Outcome<u64> {
        let _core = OnLoaderCore::enter();
        let start = Instant::now();
        let end = start + duration;
        let mut due = start;
        while Instant::now() < end {
            let patience = match pace {
                Pace::Saturated => {
                    while self.said - self.done < WINDOW {
                        self.say(Instant::now());
                    }
                    end.saturating_duration_since(Instant::now())
                }
                Pace::Every(interval) => {
                    // What was due is said, however late: the schedule waits for nobody.
                    while due <= Instant::now() {
                        self.say(due);
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
        self.healthy()?;
        match pace {
            Pace::Every(_) if self.done < self.said => {
                fail(format!("{} messages were not heard by all in time", self.said - self.done))
            }
            _ => Ok(self.heard),
        }
    }

    /// Waits for what is on the way, and checks that everybody heard everything once and in order.
    pub fn finish(mut self) -> Outcome<u64> {
        self.drain()?;
        self.healthy()?;
        let mut faults = Faults::default();
        self.listeners.iter().for_each(|listener| faults += listener.close(self.said));
        let wanted = self.said * self.listeners.len() as u64;
        if faults.is_none() { Ok(wanted) } else { fail(format!("of {wanted} deliveries: {faults}")) }
    }

    fn drain(&mut self) -> Outcome {
        let deadline = Instant::now() + DRAIN;
        while self.done < self.said && Instant::now() < deadline {
            self.listen(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn say(&mut self, due: Instant) {
        self.said += 1;
        let micros = due.saturating_duration_since(self.start).as_micros() as u64;
        self.open.push_back(0);
        self.crowd.say(SPEAKER, &Stamp { sender: 0, number: self.said, micros }.text(SIZE));
    }

    fn listen(&mut self, patience: Duration) -> Outcome {
        let Self { crowd, listeners, heard, open, done, last_heard, start, .. } = self;
        crowd.turn(patience, &mut |index: usize, happening: Happening<'_>, _: &mut Mouth<'_>| {
            let (Happening::Message(payload), true) = (happening, index != SPEAKER) else { return };
            let Some(stamp) = Stamp::find(payload) else { return };
            listeners[index - SPEAKER - 1].receive(stamp.number);
            *heard += 1;
            let Some(count) =
                stamp.number.checked_sub(*done + 1).and_then(|place| open.get_mut(place as usize))
            else {
                return;
            };
            *count += 1;
            if *count == listeners.len() {
                let late = start.elapsed().saturating_sub(Duration::from_micros(stamp.micros));
                last_heard.push(late.as_secs_f64() * 1e3);
            }
            while open.front() == Some(&listeners.len()) {
                open.pop_front();
                *done += 1;
            }
        })?;
        Ok(())
    }

    fn healthy(&self) -> Outcome {
        match self.crowd.ended {
            0 => Ok(()),
            ended => fail(format!("{ended} connections ended: {}", self.crowd.last_end)),
        }
    }
}
