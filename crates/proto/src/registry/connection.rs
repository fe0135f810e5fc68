//! What a line's connection receives and writes. Inputs of a connection that was replaced by a newer one do nothing.

use super::Engine;
use crate::line::Context;
use crate::{Attachment, Close, Event, Frame, LineId, Outgoing, Take};

impl Engine {
    /// Whether the connection carries its line now.
    pub fn is_current(&self, attachment: Attachment) -> bool {
        self.line(attachment.line).is_some_and(|line| line.is_attached(attachment))
    }

    /// The client sent a text frame.
    pub fn receive(&mut self, attachment: Attachment, text: &str) {
        if !self.is_current(attachment) {
            return;
        }
        let id = attachment.line;
        self.count_in(id, text.len());
        let mut message = None;
        self.with(id, |line, cx| {
            let outcome;
            (outcome, message) = line.receive(text, cx);
            outcome
        });
        if let Some(message) = message {
            self.route(id, message);
        }
    }

    /// The client of a raw line sent a message.
    pub fn receive_raw(&mut self, attachment: Attachment, frame: Frame) {
        if !self.is_current(attachment) {
            return;
        }
        let (id, now) = (attachment.line, self.now);
        self.count_in(id, frame.len());
        if let Some(event) = self.line_mut(id).and_then(|line| line.receive_raw(frame, now))
            && let Event::Data { size, .. } = event
        {
            self.dispatch(id, event, size);
        }
    }

    /// The client sent a ping or a pong. `frame` is called if the handler wants to see it.
    pub fn receive_control(&mut self, attachment: Attachment, frame: impl FnOnce() -> Frame) {
        self.alive(attachment);
        let (id, now) = (attachment.line, self.now);
        if self.is_current(attachment)
            && let Some(line) = self.line_mut(id).filter(|line| line.follows_pings())
            && let Some(event) = line.receive_raw(frame(), now)
            && let Event::Data { size, .. } = event
        {
            self.dispatch(id, event, size);
        }
    }

    fn count_in(&mut self, id: LineId, bytes: usize) {
        self.stats.frames_in += 1;
        self.stats.bytes_in += bytes as u64;
        if let Some(line) = self.line_mut(id) {
            line.counters.frames_in += 1;
        }
    }

    /// The client answered a ping, or sent anything else without a message.
    pub fn alive(&mut self, attachment: Attachment) {
        let now = self.now;
        if let Some(line) = self.line_mut(attachment.line).filter(|line| line.is_attached(attachment)) {
            line.alive(now);
        }
    }

    /// The client broke a rule. Its line ends at once; a raw line ends when the owner has acknowledged what came before.
    pub fn reject(&mut self, attachment: Attachment, close: Close) {
        if self.is_current(attachment) {
            self.with(attachment.line, |line, cx| line.reject(close, cx));
        }
    }

    /// The client of a raw line sent its close frame. Returns whether the answer to it comes with [`Take::Close`], when the
    /// owner has acknowledged what came before; if not, the connection is over.
    pub fn close_received(&mut self, attachment: Attachment, close: Close) -> bool {
        let answers = self
            .line(attachment.line)
            .is_some_and(|line| line.is_attached(attachment) && line.is_raw() && !line.is_ending());
        if answers {
            self.with(attachment.line, |line, cx| line.close_received(close, cx));
        }
        answers
    }

    /// The connection is gone. `close` is the client's close frame, or 1006 if there was none.
    pub fn disconnected(&mut self, attachment: Attachment, close: Close) {
        if self.is_current(attachment) {
            self.with(attachment.line, |line, cx| line.disconnected(close, cx));
        }
    }

    /// Moves what the connection should write next into `into`, about `bytes` of payload.
    pub fn take(&mut self, attachment: Attachment, bytes: usize, into: &mut Vec<Outgoing>) -> Take {
        let Engine { lines, limits, deadlines, queued, stats, now, .. } = self;
        let Some((id, line)) = lines
            .get_mut(attachment.line.index())
            .filter(|(id, line)| *id == attachment.line && line.is_attached(attachment))
        else {
            return Take::Gone;
        };
        let (before, held) = (into.len(), line.own_bytes());
        let take = line.take(bytes, into, Context { now: *now, limits });
        if held > 0 {
            queued.changed(|| line.network(), held, line.own_bytes());
        }
        if matches!(take, Take::Close(_))
            && let Some(at) = line.deadline(limits)
        {
            deadlines.file(*id, at, &mut line.filed);
        }
        let taken = &into[before..];
        stats.frames_out += taken.len() as u64;
        line.counters.frames_out += taken.len() as u32;
        stats.bytes_out += taken.iter().map(Outgoing::payload_len).sum::<usize>() as u64;
        stats.pings += u64::from(std::mem::take(&mut line.counters.pings));
        take
    }

    /// The connection has written all that it took.
    pub fn written(&mut self, attachment: Attachment) {
        if self.is_current(attachment) {
            self.with(attachment.line, |line, cx| line.written(cx.limits));
        }
    }

    /// Whether the connection should read now: not while more than [`Limits::queue_bytes`](crate::Limits::queue_bytes)
    /// wait for the handler. True of a line that is over, so that its connection reads the end.
    pub fn may_read(&self, attachment: Attachment) -> bool {
        self.line(attachment.line).is_none_or(|line| line.may_read(&self.limits))
    }
}
