//! Members of channels and their messages: what the channels decide is carried out on their lines.

use super::Engine;
use crate::channel::{self, Relay, RelayDecision, may_send};
use crate::line::{Line, is_reserved};
use crate::{
    Action, ChannelId, Event, Frame, InboundMessage, JoinOptions, Limits, LineId, Listening, Message,
    Payloads, Presence, envelope,
};

impl Engine {
    /// The line's handler lets its client into a channel. A line that is in it already stays as it is.
    pub fn enter(&mut self, id: LineId, channel: ChannelId, options: JoinOptions) {
        let Some((_, line)) =
            self.lines.get(id.index()).filter(|(known, line)| *known == id && !line.is_ending())
        else {
            return;
        };
        self.channels.enter(channel, id, line.visitor.session.as_deref(), options);
        self.depart();
    }

    /// The line leaves a channel.
    pub fn leave(&mut self, id: LineId, channel: &ChannelId) {
        self.channels.leave(channel, id);
        self.depart();
    }

    /// The line's handler listens from now on.
    pub fn listen(&mut self, id: LineId, channel: &ChannelId, to: Listening) {
        self.channels.listen(channel, id, to);
    }

    /// The line's handler has decided what the other members receive of its client's message.
    pub fn relay(&mut self, id: LineId, channel: &ChannelId, message: Message, payloads: Payloads) {
        self.announce_pending(channel);
        let outcome = self.channels.relay(channel, id, message, payloads);
        self.carry_out(outcome);
    }

    /// A handler sends a frame to every client in a channel.
    pub fn post(&mut self, channel: &ChannelId, frame: &Frame) {
        self.announce_pending(channel);
        let outcome = self.channels.post(channel, frame);
        self.carry_out(outcome);
    }

    /// The members of a channel. `line` marks the caller's own entry.
    pub fn members(&self, channel: &ChannelId, line: Option<LineId>) -> Vec<Presence> {
        self.channels.members(channel, line)
    }

    /// How many members a channel has.
    pub fn channel_size(&self, channel: &ChannelId) -> usize {
        self.channels.size(channel)
    }

    /// The `count` channels with the most members, the largest first.
    pub fn largest_channels(&self, count: usize) -> Vec<(ChannelId, usize)> {
        self.channels.largest(count)
    }

    /// Routes a message again that came before its handler had let the client into the channel that it is addressed to.
    pub fn repeat(&mut self, id: LineId, message: InboundMessage) {
        self.route(id, message);
        self.depart();
    }

    /// Passes a client's message on: to the other members of a channel, to a request that waits for its answer, or to the
    /// handler.
    pub(super) fn route(&mut self, id: LineId, message: InboundMessage) {
        let InboundMessage { kind, event_id, payload, ports, size } = message;
        if let Some((channel, subtype)) = self.channels.addressed(id, &kind) {
            if is_reserved(&kind) || !may_send(subtype) {
                return;
            }
            let Some(RelayDecision { member, relay, is_for_handler }) =
                self.channels.decision(&channel, id, subtype)
            else {
                return;
            };
            let message = Message { kind: subtype, event_id: &event_id, size };
            match relay {
                Relay::Denied => {}
                Relay::Free => self.relay(id, &channel, message, Payloads::Same(payload.clone())),
                Relay::Handler => {
                    let (kind, event_id, payload) = (subtype.to_owned(), event_id.clone(), payload.clone());
                    self.dispatch(id, Event::Relay { channel, kind, event_id, payload, member, size }, size);
                }
            }
            if !is_for_handler {
                return;
            }
        } else if let Some((request, port, kind)) = envelope::reply_address(&kind) {
            let (request, kind) = (request.to_owned(), kind.to_owned());
            return self.dispatch(id, Event::Reply { request, port, kind, payload, size }, size);
        }
        if !is_reserved(&kind) {
            self.dispatch(id, Event::Message { kind, event_id, payload, ports, size }, size);
        }
    }

    /// Dispatches an event to a line's owner. Its `size` counts against the line until the owner acknowledges it. Nothing
    /// happens if the line is ending, which the same message may have caused.
    pub(super) fn dispatch(&mut self, id: LineId, event: Event, size: usize) {
        let Some(line) = self.line_mut(id).filter(|line| !line.is_ending()) else { return };
        line.dispatched(size);
        let (owner, exchange) = (line.owner, line.exchange);
        self.actions.push(Action::Dispatch { owner, exchange, line: id, event });
    }

    /// Sends the announcements that wait in a channel, before another frame is sent there.
    fn announce_pending(&mut self, channel: &ChannelId) {
        if let Some(outcome) = self.channels.settle(channel, self.now) {
            self.carry_out(outcome);
        }
    }

    /// Carries out what follows from an input of a channel, and what follows from that.
    pub(super) fn carry_out(&mut self, outcome: channel::Outcome) {
        self.deliver(outcome);
        self.depart();
    }

    fn deliver(&mut self, outcome: channel::Outcome) {
        let share = self.limits.channel_share(outcome.lines);
        let mut woken = Vec::with_capacity(outcome.frames.len());
        for (id, frame) in outcome.frames {
            let is_over = frame.account().bytes() > self.limits.channel_queue_bytes;
            let budget = |limits: &Limits| if is_over { share } else { limits.queue_bytes };
            if self.enqueue(id, frame.into_queued(), budget) {
                woken.push(id);
            }
        }
        if !woken.is_empty() {
            self.actions.push(Action::WakeAll(woken));
        }
        for (id, event) in outcome.events {
            // The frame may have been too much for this line.
            if self.line(id).is_none_or(Line::is_ending) {
                continue;
            }
            // The sender's line is read again when those who listen have acknowledged the message.
            if let Event::ChannelMessage { from, size, .. } = &event
                && let Some(line) = self.line_mut(*from)
            {
                line.dispatched(*size);
            }
            self.dispatch(id, event, 0);
        }
    }

    /// Removes lines that are over from their channels, and sends the announcements that are due. Those may end further
    /// lines, so this repeats until nothing is left.
    pub(super) fn depart(&mut self) {
        loop {
            while let Some(id) = self.departing.pop() {
                self.channels.leave_all(id);
            }
            match self.channels.announce(self.now) {
                Some(outcome) => self.deliver(outcome),
                None => return,
            }
        }
    }
}
