//! What a line's handler sends, and how the host ends lines.

use super::Engine;
use crate::line::{Budget, Line};
use crate::{Action, Close, CloseCode, FRAME_COST, LineId, OwnerId, QueuedFrame};

impl Engine {
    /// The handler sends a frame.
    pub fn send(&mut self, id: LineId, frame: QueuedFrame) {
        if self.enqueue(id, frame, |limits| limits.queue_bytes) {
            self.actions.push(Action::Wake(id));
        }
        self.depart();
    }

    /// The handler of a raw line accepts it: from now on its client's messages are dispatched.
    pub fn accept(&mut self, id: LineId) {
        self.with(id, |line, _| line.accept());
    }

    /// The handler of a raw line wants to see its client's pings and pongs.
    pub fn follow_pings(&mut self, id: LineId) {
        if let Some(line) = self.line_mut(id) {
            line.follow_pings();
        }
    }

    /// How many bytes wait to be written.
    pub fn queued_bytes(&self, id: LineId) -> usize {
        self.line(id).map_or(0, Line::queued_bytes)
    }

    /// Whether `bytes` bytes more may wait for the line's client, as far as all lines together are concerned
    /// ([`Limits::all_queues_bytes`](crate::Limits::all_queues_bytes)). True of a line that is over.
    pub fn has_room_among_all(&self, id: LineId, bytes: usize) -> bool {
        self.line(id).is_none_or(|line| {
            let held = line.own_bytes();
            matches!(self.queued.budget(|| line.network(), (held, bytes), 0), Budget::Whole(_))
        })
    }

    /// Whether more than half of what may wait is in use, so that a handler should stop sending until
    /// [`Event::Drained`](crate::Event::Drained) or the line's end. True of a line that is over.
    pub fn is_congested(&self, id: LineId) -> bool {
        self.line(id).is_none_or(|line| {
            let held = line.own_bytes();
            line.is_congested(self.queued.budget(
                || line.network(),
                (held, FRAME_COST),
                self.limits.queue_bytes,
            ))
        })
    }

    /// Like [`Engine::is_congested`], and if so registers the owner for [`Event::Drained`](crate::Event::Drained).
    pub fn wait_if_congested(&mut self, id: LineId) -> bool {
        let is_congested = self.is_congested(id);
        if let Some(line) = self.line_mut(id).filter(|_| is_congested) {
            line.await_drained();
        }
        is_congested
    }

    /// The handler sends the states in full from here on, as [`Event::Drained`](crate::Event::Drained) asked for.
    pub fn refreshed(&mut self, id: LineId) {
        if let Some(line) = self.line_mut(id) {
            line.refreshed();
        }
    }

    /// The owner handled `size` bytes of the client's messages.
    pub fn acknowledge(&mut self, id: LineId, size: usize) {
        self.apply(id, |line, cx| line.acknowledge(size, cx));
    }

    /// The response had its last state: sends `response.done`, and the line stays.
    pub fn done(&mut self, id: LineId) {
        self.with(id, |line, _| line.done());
    }

    /// The handler returned and holds the line no longer: sends `response.done` if it was not sent, writes what waits,
    /// then closes with 1000.
    pub fn complete(&mut self, id: LineId) {
        self.with(id, |line, cx| line.complete(cx));
    }

    /// Writes what waits, then closes. The client's messages are not dispatched any more.
    pub fn finish(&mut self, id: LineId, close: Close) {
        self.with(id, |line, cx| line.finish(close, cx));
    }

    /// The host ends the line at once: what waits is dropped, and the owner receives the close.
    pub fn cut(&mut self, id: LineId, close: Close) {
        self.with(id, |line, cx| line.cut(close, cx));
    }

    /// The host ends every line at once.
    pub fn cut_all(&mut self, code: CloseCode) {
        self.cut_where(|_| true, code);
    }

    /// An owner is gone: its lines end at once, except those that it had finished.
    pub fn disown(&mut self, owner: OwnerId, code: CloseCode) {
        self.cut_where(|line| line.owner == owner && !line.is_ending(), code);
    }

    /// Ends all of these lines before any line's channels are informed, so that none receives the end of another.
    fn cut_where(&mut self, is_cut: impl Fn(&Line) -> bool, code: CloseCode) {
        let cut = self.lines.iter().filter(|(_, (_, line))| is_cut(line));
        let cut: Vec<LineId> = cut.map(|(_, (id, _))| *id).collect();
        for id in cut {
            self.apply(id, |line, cx| line.cut(code.into(), cx));
        }
        self.depart();
    }
}
