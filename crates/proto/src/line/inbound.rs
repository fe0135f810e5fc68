//! What the client of a line sends.

use std::time::Instant;

use super::resume::UnpackError;
use super::transport::{PendingEnd, Transport};
use super::{Budget, Context, FRAME_COST, Line, Outcome, Priority, QueuedFrame, Stage};
use crate::{CloseCode, Event, Frame, InboundMessage, Incoming, Limits, envelope};

impl Line {
    /// The client sent something.
    pub(crate) fn alive(&mut self, now: Instant) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.alive(now);
        }
    }

    /// The client sent a text frame. A message to be routed comes back beside the outcome.
    pub(crate) fn receive(&mut self, text: &str, cx: Context<'_>) -> (Outcome, Option<InboundMessage>) {
        if matches!(self.stage, Stage::Closing { .. } | Stage::Joining { .. } | Stage::Away { .. }) {
            return (Outcome::Keep, None);
        }
        self.alive(cx.now);
        let text = match self.transport.resume_mut() {
            None => text,
            Some(resume) => match resume.unpack(text, &mut self.flow.outbox) {
                Ok(Some(envelope)) => envelope,
                // There may be room now: `written` looks again.
                Ok(None) if self.flow.owes_drained() => return (Outcome::Wake, None),
                Ok(None) => return (Outcome::Keep, None),
                Err(UnpackError::Invalid) => return (self.cut(CloseCode::Unsupported.into(), cx), None),
                Err(UnpackError::Gap) => return (self.lost(cx), None),
            },
        };
        let Ok(incoming) = envelope::decode(text) else {
            return (self.cut(CloseCode::Unsupported.into(), cx), None);
        };
        let opens = matches!(self.stage, Stage::Handshake { .. });
        if opens {
            // A client that sends is a client that listens, with or without a connect ping.
            self.open(cx);
        }
        let message = match incoming {
            Incoming::Connect { event_id } => {
                let opened = envelope::opened(&event_id, &self.event_id("opened"));
                // The first is always answered; a client that sends more has to read the answers.
                if !opens
                    && !self.flow.outbox.fits(FRAME_COST + opened.len(), Budget::Whole(cx.limits.queue_bytes))
                {
                    return (self.cut(CloseCode::Policy.into(), cx), None);
                }
                self.flow.outbox.push_first(QueuedFrame::new(Priority::Control, opened));
                return (if opens { Outcome::Opened } else { Outcome::Wake }, None);
            }
            Incoming::Disconnect => None,
            Incoming::Message { kind, event_id, payload, ports } => Some(InboundMessage {
                kind: kind.into_owned(),
                event_id: event_id.into_owned(),
                payload: payload.map(|payload| payload.to_owned().into()),
                ports,
                size: FRAME_COST + text.len(),
            }),
        };
        let owes_ack = self.transport.resume().is_some_and(|resume| resume.owes_ack());
        let outcome = match (opens, owes_ack) {
            (true, _) => Outcome::Opened,
            (false, true) => Outcome::Wake,
            (false, false) => Outcome::Keep,
        };
        (outcome, message.filter(|_| self.ending.is_none()))
    }

    /// The client of a raw line sent a message.
    pub(crate) fn receive_raw(&mut self, frame: Frame, now: Instant) -> Option<Event> {
        self.alive(now);
        let is_open = matches!(self.stage, Stage::Open { .. }) && self.ending.is_none();
        is_open.then(|| Event::Data { size: FRAME_COST + frame.len(), frame })
    }

    /// `size` bytes of the client's messages were dispatched.
    pub(crate) fn dispatched(&mut self, size: usize) {
        self.flow.dispatched(size);
    }

    /// The owner handled `size` bytes of the client's messages.
    pub(crate) fn acknowledge(&mut self, size: usize, cx: Context<'_>) -> Outcome {
        let was_over = self.flow.in_flight() > cx.limits.queue_bytes;
        self.flow.acknowledge(size);
        if self.flow.in_flight() == 0
            && let Transport::Raw(raw) = &mut self.transport
            && let Some(end) = raw.pending_end.take()
        {
            return match *end {
                PendingEnd::Violation(close) => self.cut(close, cx),
                PendingEnd::Closed(close) => self.end_for_client(close, cx),
            };
        }
        if was_over && self.may_read(cx.limits) { Outcome::Wake } else { Outcome::Keep }
    }

    /// The handler of a raw line receives its client's messages from now on.
    pub(crate) fn accept(&mut self) -> Outcome {
        if let Some(reception) = self.transport.reception() {
            reception.is_accepted = true;
        }
        self.wake_if_open()
    }

    /// The handler of a raw line receives its client's pings and pongs from now on.
    pub(crate) fn follow_pings(&mut self) {
        if let Some(reception) = self.transport.reception() {
            reception.follows_pings = true;
        }
    }

    /// Whether the handler receives its client's pings and pongs.
    pub(crate) fn follows_pings(&self) -> bool {
        matches!(&self.transport, Transport::Raw(raw) if raw.reception.follows_pings)
    }

    /// Whether the connection should read: not while the handler is too far behind, or has not accepted a raw line.
    pub(crate) fn may_read(&self, limits: &Limits) -> bool {
        let is_accepted = match &self.transport {
            Transport::Raw(raw) => raw.reception.is_accepted,
            _ => true,
        };
        is_accepted && self.flow.in_flight() <= limits.queue_bytes
    }
}
