//! Ordinary visitors: each has a line on which a message comes every 100 ms.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::bench::load::{ClientEvent, LoadGenerator, Protocol, Transport};
use crate::failure::{Outcome, While, fail};

/// A line on which nothing came for so long is not alive.
const SILENCE: Duration = Duration::from_secs(10);
const TURN: Duration = Duration::from_millis(20);

/// Their lines, followed by a thread.
pub struct Bystanders {
    orders: Sender<Order>,
    thread: JoinHandle<Outcome<Seen>>,
}

enum Order {
    /// Opens one more line, and reports when it is open.
    Come(Sender<Outcome>),
    /// Nothing more happens to them: what became of them?
    Report,
}

/// What became of their lines.
#[derive(Debug, Default)]
pub struct Seen {
    pub lines: usize,
    pub closed: usize,
    /// How lines ended.
    pub ends: BTreeSet<String>,
    /// Lines that are open and get nothing.
    pub silent: usize,
}

impl Bystanders {
    /// So many lines, open.
    pub fn come(port: u16, count: usize) -> Outcome<Self> {
        let (orders, inbox) = channel();
        let thread = thread::spawn(move || follow(port, &inbox));
        let bystanders = Self { orders, thread };
        for _ in 0..count {
            bystanders.one_more()?;
        }
        Ok(bystanders)
    }

    /// One more line, open.
    pub fn one_more(&self) -> Outcome {
        let (answer, done) = channel();
        match self.orders.send(Order::Come(answer)).is_ok().then(|| done.recv()) {
            Some(Ok(opened)) => opened,
            _ => fail("the bystanders' thread has ended"),
        }
    }

    /// What became of them. Waits until each line that is open has got something.
    pub fn report(self) -> Outcome<Seen> {
        // Where this fails the thread has ended, and its end is the answer.
        let _ = self.orders.send(Order::Report);
        self.thread.join().map_err(|_| "the bystanders' thread panicked").while_doing("following lines")?
    }
}

fn follow(port: u16, orders: &Receiver<Order>) -> Outcome<Seen> {
    let transport = Transport::new(Protocol::Line, "/watch", "message");
    let mut generator = LoadGenerator::new(port)?;
    let mut seen = Seen::default();
    let mut waits_since: Option<Instant> = None;
    // Of each line, when something came last, and whether it has ended.
    let mut lines: Vec<(Instant, bool)> = Vec::new();
    loop {
        match orders.recv_timeout(Duration::ZERO) {
            Ok(Order::Come(answer)) => {
                let grown = generator.grow(lines.len() + 1, &transport);
                lines.push((Instant::now(), false));
                // The attack has failed, and the receiver is gone.
                let _ = answer.send(grown);
            }
            Ok(Order::Report) => waits_since = Some(Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if waits_since.is_none() => return Ok(seen),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        let ended = generator.ended;
        generator.turn(TURN, &mut |index, event, _| match event {
            ClientEvent::Message(_) => lines[index].0 = Instant::now(),
            ClientEvent::Ended => lines[index].1 = true,
            ClientEvent::Answered | ClientEvent::Opened => {}
        })?;
        if generator.ended > ended {
            seen.ends.insert(generator.last_end.clone());
        }
        if let Some(since) = waits_since {
            let waiting = lines.iter().filter(|(last, has_ended)| !has_ended && *last < since).count();
            if waiting == 0 || since.elapsed() > SILENCE {
                return Ok(Seen { lines: lines.len(), closed: generator.ended, silent: waiting, ..seen });
            }
        }
    }
}
