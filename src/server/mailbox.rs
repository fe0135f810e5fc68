//! What other threads send to a worker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, oneshot};

use super::renewal::Renewal;
use crate::lines::LineEvent;
use crate::metrics::WorkerId;
use liveline_proto::ExchangeId;

/// A message to a worker's thread.
pub(super) enum Mail {
    /// Load the handlers of the code that [`Remote`](super::remote::Remote) holds, and begin to serve.
    Load {
        id: WorkerId,
        /// Whether this worker logs handlers that wait. Others load the same code and would log the same.
        logs_stalls: bool,
    },
    /// Load code again in the isolate that serves.
    Renew(Renewal),
    /// A connection arrives.
    Connection,
    /// Events wait in the [`LineQueue`].
    LineEvents,
    /// The client of an unanswered request left.
    Abandoned(ExchangeId),
    /// A newer generation serves: pass idle connections on, finish what is live, then end. The sender is used when the
    /// idle connections are on their way.
    Retire(oneshot::Sender<()>),
    /// The process ends: end streams of events, whose clients would follow them for ever and ask for them again.
    EndEvents,
    /// End now; live lines were closed before.
    Stop,
}

/// The events of lines that wait for a worker. It takes one [`Mail::LineEvents`] for all that are there.
#[derive(Default)]
pub(super) struct LineQueue(Mutex<VecDeque<LineEvent>>);

impl LineQueue {
    /// Adds events. Returns whether the worker has to be told, because there were none.
    pub(super) fn add(&self, events: &mut dyn Iterator<Item = LineEvent>) -> bool {
        let mut queue = self.lock();
        let was_empty = queue.is_empty();
        queue.extend(events);
        was_empty && !queue.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LineEvent>> {
        self.0.lock().expect("nothing panics while this is locked")
    }
}

/// The receiving end, which groups what belongs together.
pub(super) struct Inbox {
    mail: mpsc::UnboundedReceiver<Mail>,
    queue: Arc<LineQueue>,
    /// Taken from the queue.
    events: VecDeque<LineEvent>,
    /// Received ahead of its turn.
    next: Option<Mail>,
}

/// Without events, room for at most this many is kept.
const KEPT_CAPACITY: usize = 1024;

/// How many messages of raw sockets are delivered together at most.
const MESSAGES: usize = 256;

impl Inbox {
    pub(super) fn new(mail: mpsc::UnboundedReceiver<Mail>, queue: Arc<LineQueue>) -> Inbox {
        Inbox { mail, queue, events: VecDeque::new(), next: None }
    }

    pub(super) async fn next(&mut self) -> Option<Mail> {
        if !self.events.is_empty() {
            // As `recv` does: other tasks have their turn after a number of events.
            tokio::task::coop::consume_budget().await;
            return Some(Mail::LineEvents);
        }
        let mail = match self.next.take() {
            Some(mail) => mail,
            None => self.mail.recv().await?,
        };
        if let Mail::LineEvents = mail {
            if self.events.capacity() > KEPT_CAPACITY {
                self.events = VecDeque::new();
            }
            std::mem::swap(&mut self.events, &mut *self.queue.lock());
        }
        Some(mail)
    }

    /// The messages of raw sockets that are next.
    pub(super) fn messages(&self) -> &[LineEvent] {
        let (front, _) = self.events.as_slices();
        let others = front.iter().position(|event| !event.is_message());
        &front[..others.unwrap_or(front.len()).min(MESSAGES)]
    }

    /// So many messages are delivered.
    pub(super) fn delivered(&mut self, count: usize) {
        self.events.drain(..count);
    }

    /// The event of a line that is next.
    pub(super) fn line_event(&mut self) -> Option<LineEvent> {
        self.events.pop_front()
    }

    /// Whether an event of a line is what is next.
    pub(super) fn has_line_event(&mut self) -> bool {
        if self.events.is_empty() && self.next.is_none() {
            self.next = self.mail.try_recv().ok();
        }
        !self.events.is_empty() || matches!(self.next, Some(Mail::LineEvents))
    }

    /// The connections and the events that are left. Nothing more is received.
    pub(super) fn close(mut self) -> (usize, impl Iterator<Item = LineEvent>) {
        self.mail.close();
        let next = self.next.take();
        let left = next.into_iter().chain(std::iter::from_fn(|| self.mail.try_recv().ok()));
        let connections = left.filter(|mail| matches!(mail, Mail::Connection)).count();
        let queued = std::mem::take(&mut *self.queue.lock());
        (connections, self.events.into_iter().chain(queued))
    }
}
