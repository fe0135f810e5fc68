//! The engine's driver: carries out its actions, on the sockets and in the mailboxes of the lines' owners.

use std::collections::HashMap;
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::Notify;

use self::pending::Pending;
use self::turn::Flush;
use super::clock::Clock;
use super::socket::{self, Socket, Taking};
use crate::random;
use liveline_proto::websocket::Unfinished;
use liveline_proto::{
    Attachment, Caller, Close, CloseCode, Engine, Event, ExchangeId, JoinError, Limits, LineId, LineSummary,
    Opening, Origins, Outgoing, OwnerId, QueuedFrame, Take, Token, TooManyLines, TransportKind, Visitor,
};

mod pending;
mod turn;

/// An event for the exchange that a line belongs to.
#[derive(Debug)]
pub(crate) struct LineEvent {
    pub exchange: ExchangeId,
    pub line: LineId,
    pub event: Event,
}

impl LineEvent {
    /// Whether it is a raw socket's message.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.event, Event::Data { .. })
    }

    /// The line to acknowledge and its bytes, when the owner has handled this event.
    fn credit(&self) -> Option<(LineId, usize)> {
        match self.event {
            Event::Message { size, .. } | Event::Reply { size, .. } | Event::Data { size, .. } => {
                Some((self.line, size))
            }
            Event::ChannelMessage { from, size, .. } => Some((from, size)),
            // The owner acknowledges this itself when it has decided.
            Event::Relay { .. } => None,
            Event::Opened | Event::Drained { .. } | Event::Closed(_) => None,
        }
    }
}

/// Receives the events of an owner's lines in the order in which they happened, all that are there at a time. It is called
/// with the engine unlocked, and must neither block nor use the hub.
type Mailbox = Arc<dyn Fn(&mut dyn Iterator<Item = LineEvent>) + Send + Sync>;

/// All live lines of the process. Clones share them.
///
/// Every input of the engine is a method of a [`Turn`](turn::Turn); the hub itself has only what is more than one call.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    mailboxes: Mutex<HashMap<OwnerId, Mailbox>>,
    /// Locked while events are dispatched, so that mailboxes receive them in order.
    dispatching: Mutex<Dispatching>,
    runtime: tokio::runtime::Handle,
    unfinished: Unfinished,
    origins: Origins,
    /// The earliest deadline is now earlier than the timer's.
    deadline_moved: Notify,
    /// Some line may be read again. For [`Hub::readable`], which has no socket that could be woken.
    woken: Notify,
    /// How many callers wait in [`Hub::readable`].
    waiting: AtomicUsize,
    /// Deadlines were handled. For tests, which wait for the end of lines.
    #[cfg(test)]
    ticked: Notify,
    /// Lines may have something to write. With this, flushing after a turn without frames does not lock the engine.
    has_unwritten: AtomicBool,
}

struct State {
    engine: Engine,
    clock: Clock,
    /// The connections of lines, by the line's index.
    sockets: Vec<Option<Arc<Socket>>>,
    /// Lines with something to write since the last flush.
    unwritten: Vec<LineId>,
    /// Lines that a task is about to write.
    pending: Pending,
    /// Turns since the last flush.
    unflushed: usize,
    /// What is to be dispatched once the engine is unlocked.
    outbound: Outbound,
    next_owner: u32,
    /// The deadline that the timer sleeps for, in the engine's time.
    armed: Option<Instant>,
}

/// After this many turns whose frames wait for the next flush, the last one flushes itself.
const MAX_UNFLUSHED: usize = 256;

/// Up to this many lines are written to by the thread that flushes; more are left to the runtime.
const FLUSH_HERE: usize = 64;

/// This many lines are written to by one task of the runtime.
const FLUSH_CHUNK: usize = 512;

/// For this many lines the engine is locked once. Their connections are locked until all are written.
const FLUSH_BATCH: usize = 16;

/// What leaves the engine while it is locked.
#[derive(Default)]
struct Outbound {
    events: Vec<(OwnerId, LineEvent)>,
    ended: Vec<LineSummary>,
}

/// What it takes to dispatch.
#[derive(Default)]
struct Dispatching {
    /// Empty except during a dispatch. The memory of its lists is used again.
    outbound: Outbound,
    /// The owner who received events last, and its mailbox.
    last: Option<(OwnerId, Mailbox)>,
}

impl State {
    /// The connections of these lines that have one.
    fn sockets_of(&self, lines: &[LineId]) -> Vec<Arc<Socket>> {
        let known = lines.iter().filter_map(|line| {
            let socket = self.sockets.get(line.index())?.as_ref()?;
            (socket.attachment.line == *line).then_some(socket)
        });
        // First all are looked at and then all are counted, because a processor reads ahead only while it changes no
        // counter: of thousands of sockets none is in its cache.
        let known: Vec<&Arc<Socket>> = known.collect();
        known.into_iter().cloned().collect()
    }
}

impl Hub {
    /// A hub whose sockets, except for raw ones, and whose timers run on `runtime`.
    pub(crate) fn new(limits: Limits, runtime: tokio::runtime::Handle) -> Hub {
        let now = Instant::now();
        let (unfinished, origins) = (limits.unfinished.clone(), limits.origins.clone());
        let state = State {
            clock: Clock::new(now, limits.ping_timeout),
            engine: Engine::new(limits, now),
            sockets: Vec::new(),
            unwritten: Vec::new(),
            pending: Pending::default(),
            unflushed: 0,
            outbound: Outbound::default(),
            next_owner: 0,
            armed: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            mailboxes: Mutex::default(),
            dispatching: Mutex::default(),
            runtime: runtime.clone(),
            unfinished,
            origins,
            deadline_moved: Notify::new(),
            woken: Notify::new(),
            waiting: AtomicUsize::new(0),
            #[cfg(test)]
            ticked: Notify::new(),
            has_unwritten: AtomicBool::new(false),
        };
        let hub = Hub(Arc::new(shared));
        runtime.spawn(hub.clone().keep_time());
        hub
    }

    /// The runtime that live sockets run on, except for raw ones.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// The budget of messages whose ends have not come.
    pub(super) fn unfinished(&self) -> &Unfinished {
        &self.0.unfinished
    }

    /// Whether pages of an origin may use lines. `host` is the origin that the request was for, or `HOST:PORT` alone.
    pub(crate) fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        self.0.origins.allow(origin, host)
    }

    // -- owners --------------------------------------------------------------------------------------------------

    /// A new owner of lines; `mailbox` is called with each of their events.
    pub(crate) fn register(&self, mailbox: impl Fn(LineEvent) + Send + Sync + 'static) -> OwnerId {
        self.register_for_runs(move |events| events.for_each(&mailbox))
    }

    /// A new owner of lines; `mailbox` is called with all of their events that are there at a time.
    pub(crate) fn register_for_runs(
        &self,
        mailbox: impl Fn(&mut dyn Iterator<Item = LineEvent>) + Send + Sync + 'static,
    ) -> OwnerId {
        let mut state = self.lock();
        let owner = OwnerId(state.next_owner);
        state.next_owner += 1;
        self.mailboxes().insert(owner, Arc::new(mailbox));
        owner
    }

    /// Removes an owner, whose thread ends or is lost. Lines that it had not finished are closed with `code`.
    pub(crate) fn unregister(&self, owner: OwnerId, code: CloseCode) {
        self.mailboxes().remove(&owner);
        self.dispatching().last.take_if(|(last, _)| *last == owner);
        self.read_by(owner).into_iter().for_each(socket::move_to_hub);
        self.turn().disown(owner, code);
    }

    /// Opens a line for an exchange that goes live. The token joins it.
    pub(crate) fn open(
        &self,
        owner: OwnerId,
        exchange: ExchangeId,
        visitor: Visitor,
    ) -> Result<(LineId, Token), TooManyLines> {
        let token = fresh_token();
        let line = self.turn().open(Opening { owner, exchange, visitor, token })?;
        Ok((line, token))
    }

    /// Sends a frame on a line, with the next [`Hub::flush`]. Returns whether the line's client is behind: then its owner
    /// will receive [`Event::Drained`].
    pub(crate) fn send(&self, line: LineId, frame: QueuedFrame) -> bool {
        let is_congested = {
            let mut turn = self.frame_turn();
            turn.send(line, frame);
            turn.is_congested(line)
        };
        if !is_congested {
            return false;
        }
        // Perhaps the run is long and the client is not slow: write what waits, then look again.
        self.flush();
        self.deferred_turn().wait_if_congested(line)
    }

    /// An owner has handled an event, or will never handle it.
    pub(crate) fn acknowledge(&self, event: &LineEvent) {
        if let Some((line, size)) = event.credit() {
            self.deferred_turn().acknowledge(line, size);
        }
    }

    /// An owner has handled all of these, so that more is read at once.
    pub(crate) fn acknowledge_all(&self, events: &[LineEvent]) {
        let mut turn = self.turn();
        for (line, size) in events.iter().filter_map(LineEvent::credit) {
            turn.acknowledge(line, size);
        }
    }

    // -- connections ---------------------------------------------------------------------------------------------

    /// A client joins with `token`, by a socket of `liveline.v1`, which can resume.
    pub(crate) fn join_resumable(&self, token: Token, caller: Caller<'_>) -> Result<Attachment, JoinError> {
        self.turn().join(token, TransportKind::Resumable(fresh_token()), caller)
    }

    /// A client resumes its line and has every frame up to the number `after`.
    pub(crate) fn resume(
        &self,
        token: Token,
        after: u64,
        caller: Caller<'_>,
    ) -> Result<Attachment, JoinError> {
        self.turn().resume(token, fresh_token(), after, caller)
    }

    /// A connection begins to carry its line, unless a newer one came while this one's handshake was written.
    pub(super) fn attached(&self, socket: &Arc<Socket>) {
        let mut state = self.lock();
        if !state.engine.is_current(socket.attachment) {
            return;
        }
        let index = socket.attachment.line.index();
        if state.sockets.len() <= index {
            state.sockets.resize(index + 1, None);
        }
        let before = state.sockets[index].replace(socket.clone());
        drop(state);
        if let Some(before) = before {
            before.replaced();
        }
    }

    /// A connection is gone.
    pub(super) fn detached(&self, socket: &Arc<Socket>, close: Close) {
        self.turn().disconnected(socket.attachment, close);
        let mut state = self.lock();
        let index = socket.attachment.line.index();
        if let Some(attached) = state.sockets.get_mut(index) {
            attached.take_if(|known| Arc::ptr_eq(known, socket));
        }
    }

    /// The connections that an owner's thread reads.
    pub(super) fn read_by(&self, owner: OwnerId) -> Vec<Arc<Socket>> {
        let state = self.lock();
        state.sockets.iter().flatten().filter(|socket| socket.reader == Some(owner)).cloned().collect()
    }

    /// Moves what a connection should write next into `into`. Where there is nothing, it has written all.
    pub(super) fn take(&self, attachment: Attachment, bytes: usize, into: &mut Vec<Outgoing>) -> Take {
        take_next(&mut self.begin(Flush::Never), attachment, bytes, into)
    }

    /// The same for several connections, with the engine locked once. What each has to write follows that of the one
    /// before it.
    pub(super) fn take_each(&self, batch: &mut [Taking<'_>], bytes: usize, into: &mut Vec<Outgoing>) {
        let mut turn = self.begin(Flush::Never);
        for taking in batch {
            let before = into.len();
            taking.take = take_next(&mut turn, taking.attachment(), bytes, into);
            taking.count = into.len() - before;
        }
    }

    /// Waits until the handler has caught up with the line's client, or the line is over.
    pub(crate) async fn readable(&self, attachment: Attachment) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        loop {
            let woken = self.0.woken.notified();
            if self.engine().may_read(attachment) {
                return;
            }
            woken.await;
        }
    }

    // -- the driver ----------------------------------------------------------------------------------------------

    /// Dispatches the events that wait, and logs the lines that ended. Whichever threads dispatch, mailboxes receive events
    /// in the order in which they happened: one thread dispatches at a time.
    fn dispatch(&self) {
        let mut dispatching = self.dispatching();
        let Dispatching { outbound, last } = &mut *dispatching;
        std::mem::swap(outbound, &mut self.lock().outbound);
        outbound.ended.drain(..).for_each(|summary| log_end(&summary));
        let mut events = outbound.events.drain(..).peekable();
        let mut undelivered = Vec::new();
        while let Some((owner, _)) = events.peek() {
            let owner = *owner;
            if last.as_ref().is_none_or(|(last, _)| *last != owner) {
                *last = self.mailboxes().get(&owner).map(|mailbox| (owner, mailbox.clone()));
            }
            let mut run =
                iter::from_fn(|| events.next_if(|(other, _)| *other == owner)).map(|(_, event)| event);
            match last {
                Some((_, mailbox)) => mailbox(&mut run),
                None => undelivered.extend(&mut run),
            }
            run.for_each(drop);
        }
        drop(events);
        drop(dispatching);
        if !undelivered.is_empty() {
            // The owner is gone, so nothing else acknowledges them. This thread may be writing to a socket, which the
            // flush must not wait for.
            let hub = self.clone();
            self.0.runtime.spawn(async move { hub.acknowledge_all(&undelivered) });
        }
    }

    /// Writes the frames that wait: here if they are for few lines, else on the runtime, so that no handler waits for it.
    pub(crate) fn flush(&self) {
        if !self.0.has_unwritten.swap(false, Ordering::Acquire) {
            return;
        }
        let lines = {
            let mut state = self.lock();
            state.unflushed = 0;
            let mut lines = std::mem::take(&mut state.unwritten);
            lines.retain(|line| state.pending.add(*line));
            lines.sort_unstable();
            if lines.len() <= FLUSH_HERE {
                lines.iter().for_each(|line| state.pending.remove(*line));
                let sockets = state.sockets_of(&lines);
                // Its capacity is used again.
                lines.clear();
                state.unwritten = lines;
                drop(state);
                self.wake_readers();
                return match &*sockets {
                    [only] => only.flush(),
                    several => {
                        several.chunks(FLUSH_BATCH).for_each(|batch| socket::flush_together(self, batch))
                    }
                };
            }
            lines
        };
        self.wake_readers();
        for chunk in lines.chunks(FLUSH_CHUNK) {
            let (hub, chunk) = (self.clone(), chunk.to_vec());
            self.0.runtime.spawn(async move { hub.flush_lines(&chunk) });
        }
    }

    /// Writes the frames of these lines.
    fn flush_lines(&self, lines: &[LineId]) {
        let sockets = {
            let mut state = self.lock();
            lines.iter().for_each(|line| state.pending.remove(*line));
            state.sockets_of(lines)
        };
        for batch in sockets.chunks(FLUSH_BATCH) {
            socket::flush_together(self, batch);
        }
    }

    /// Wakes those that wait in [`Hub::readable`].
    fn wake_readers(&self) {
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.woken.notify_waiters();
        }
    }

    /// Calls [`Engine::tick`] at every deadline.
    async fn keep_time(self) {
        loop {
            let next = {
                let mut state = self.lock();
                state.armed = state.engine.next_deadline();
                state.armed.map(|at| state.clock.real(at))
            };
            match next {
                None => self.0.deadline_moved.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.0.deadline_moved.notified() => continue,
                    }
                    self.turn().tick();
                    #[cfg(test)]
                    self.0.ticked.notify_waiters();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no engine input panics")
    }

    fn dispatching(&self) -> MutexGuard<'_, Dispatching> {
        self.0.dispatching.lock().expect("mailboxes do not panic")
    }

    fn mailboxes(&self) -> MutexGuard<'_, HashMap<OwnerId, Mailbox>> {
        self.0.mailboxes.lock().expect("the map is only read and written")
    }
}

fn take_next(engine: &mut Engine, attachment: Attachment, bytes: usize, into: &mut Vec<Outgoing>) -> Take {
    let take = engine.take(attachment, bytes, into);
    if take == Take::Idle {
        engine.written(attachment);
    }
    take
}

/// A caller that waits in [`Hub::readable`].
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A token of 128 random bits, which joins a line.
fn fresh_token() -> Token {
    Token(random::bytes())
}

/// Logs how a line ended.
fn log_end(summary: &LineSummary) {
    let LineSummary { line, owner, exchange, close, lasted, frames_in, frames_out } = summary;
    let (code, reason, duration_ms) = (close.code.number(), &*close.reason, lasted.as_millis() as u64);
    let exchange = exchange.of(*owner);
    tracing::debug!(%exchange, %line, code, reason, duration_ms, frames_in, frames_out, "{line} ended: {code}");
}

#[cfg(test)]
mod tests;
