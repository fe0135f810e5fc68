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
const MESSAGES: usize = 1024;

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

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;
    use crate::lines::Hub;
    use liveline_proto::{Event, Limits, LineId, Visitor};

    fn a_line() -> LineId {
        let hub = Hub::new(Limits::default(), Handle::current());
        let owner = hub.register(drop);
        let visitor = Visitor { session: None, address: std::net::Ipv4Addr::LOCALHOST.into() };
        hub.open(owner, ExchangeId(0), visitor).expect("there is room").0
    }

    fn an_inbox() -> (mpsc::UnboundedSender<Mail>, Arc<LineQueue>, Inbox) {
        let (mailbox, mail) = mpsc::unbounded_channel();
        let queue = Arc::new(LineQueue::default());
        (mailbox, queue.clone(), Inbox::new(mail, queue))
    }

    /// Events of these exchanges, those of even numbers messages.
    fn events(line: LineId, numbers: std::ops::Range<u64>) -> impl Iterator<Item = LineEvent> {
        numbers.map(move |number| LineEvent {
            exchange: ExchangeId(number),
            line,
            event: match number % 2 {
                0 => Event::Data { frame: "text".into(), size: 4 },
                _ => Event::Opened,
            },
        })
    }

    #[tokio::test]
    async fn one_mail_announces_all_events_and_they_keep_their_order() {
        let line = a_line();
        let (mailbox, queue, mut inbox) = an_inbox();
        let send = |mail| mailbox.send(mail).expect("the inbox is open");

        assert!(!queue.add(&mut std::iter::empty()));
        assert!(queue.add(&mut events(line, 1..3)));
        send(Mail::LineEvents);
        send(Mail::EndEvents);
        assert!(!queue.add(&mut events(line, 3..4)), "the mail is on its way");
        for number in 1..4 {
            assert!(matches!(inbox.next().await, Some(Mail::LineEvents)));
            assert_eq!(inbox.line_event().map(|event| event.exchange), Some(ExchangeId(number)));
            assert_eq!(inbox.has_line_event(), number < 3);
        }
        assert!(queue.add(&mut events(line, 4..5)), "all were received");
        assert!(matches!(inbox.next().await, Some(Mail::EndEvents)));
    }

    #[tokio::test]
    async fn messages_are_received_together_up_to_the_next_other_event() {
        let line = a_line();
        let (mailbox, queue, mut inbox) = an_inbox();
        let messages = |count| events(line, 0..2 * count).filter(LineEvent::is_message);
        let most = MESSAGES as u64;
        queue.add(&mut messages(most + 1).chain(events(line, 1..2)).chain(messages(1)));
        mailbox.send(Mail::LineEvents).expect("the inbox is open");
        inbox.next().await;

        assert_eq!(inbox.messages().len(), MESSAGES);
        inbox.delivered(MESSAGES);
        assert_eq!(inbox.messages().len(), 1);
        inbox.delivered(1);
        assert!(inbox.messages().is_empty());
        assert!(inbox.line_event().is_some_and(|event| !event.is_message()));
        assert_eq!(inbox.messages().len(), 1);
    }

    #[tokio::test]
    async fn close_returns_what_was_received_and_what_was_not() {
        let line = a_line();
        let (mailbox, queue, mut inbox) = an_inbox();
        queue.add(&mut events(line, 0..2));
        mailbox.send(Mail::LineEvents).expect("the inbox is open");
        inbox.next().await;
        queue.add(&mut events(line, 2..3));
        (0..2).for_each(|_| mailbox.send(Mail::Connection).expect("the inbox is open"));

        let (connections, left) = inbox.close();

        assert_eq!(connections, 2);
        let left: Vec<_> = left.map(|event| event.exchange.0).collect();
        assert_eq!(left, [0, 1, 2]);
        assert!(mailbox.is_closed());
    }
}
