//! What other threads send to a worker.

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
    LineEvent(LineEvent),
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

/// The receiving end, which groups what belongs together.
pub(super) struct Inbox {
    mail: mpsc::UnboundedReceiver<Mail>,
    /// Received ahead of its turn.
    next: Option<Mail>,
    /// The list of [`Inbox::messages`], whose memory is used again.
    messages: Vec<LineEvent>,
}

/// How many messages of raw sockets are delivered together at most.
const MESSAGES: usize = 256;

impl Inbox {
    pub(super) fn new(mail: mpsc::UnboundedReceiver<Mail>) -> Inbox {
        Inbox { mail, next: None, messages: Vec::new() }
    }

    pub(super) async fn next(&mut self) -> Option<Mail> {
        match self.next.take() {
            Some(mail) => Some(mail),
            None => self.mail.recv().await,
        }
    }

    /// The messages of raw sockets that are next, from `first` on, until [`Inbox::delivered`].
    pub(super) fn messages(&mut self, first: LineEvent) -> &[LineEvent] {
        self.messages.push(first);
        while self.messages.len() < MESSAGES && self.next.is_none() {
            match self.mail.try_recv() {
                Ok(Mail::LineEvent(event)) if event.is_message() => self.messages.push(event),
                Ok(other) => self.next = Some(other),
                Err(_) => break,
            }
        }
        &self.messages
    }

    /// The messages of the last list are delivered.
    pub(super) fn delivered(&mut self) {
        self.messages.clear();
    }

    /// Whether the next message is one more event of a line.
    pub(super) fn has_line_event(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.mail.try_recv().ok();
        }
        matches!(self.next, Some(Mail::LineEvent(_)))
    }

    /// What is left. Nothing more is received.
    pub(super) fn close(mut self) -> impl Iterator<Item = Mail> {
        self.mail.close();
        let next = self.next.take();
        next.into_iter().chain(std::iter::from_fn(move || self.mail.try_recv().ok()))
    }
}
