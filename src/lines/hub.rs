//! The engine's driver.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::Notify;

use super::clock::Clock;
use super::socket::Socket;
use liveline_proto::Frame;
use liveline_proto::{
    Action, Attachment, ChannelId, Close, CloseCode, Engine, Event, ExchangeId, InboundMessage, JoinError,
    JoinOptions, Limits, LineId, LineSummary, Listening, Message, Opening, Outgoing, OwnerId, Payloads,
    Presence, QueuedFrame, Stats, Take, Token, TooManyLines, Transport, Visitor,
};

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

    /// Whose account is relieved, and of how many bytes, when the owner has handled this.
    fn heard(&self) -> Option<(LineId, usize)> {
        match self.event {
            Event::Message { size, .. } | Event::Reply { size, .. } | Event::Data { size, .. } => {
                Some((self.line, size))
            }
            Event::Overheard { from, size, .. } => Some((from, size)),
            // The owner says so itself when it has decided.
            Event::Relay { .. } | Event::Opened | Event::Drained { .. } | Event::Closed(_) => None,
        }
    }
}

/// Takes what happened on an owner's lines, in that order. Called with the engine unlocked; must not block, or use the
/// hub.
type Mailbox = Arc<dyn Fn(LineEvent) + Send + Sync>;

/// All live lines of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    mailboxes: Mutex<HashMap<OwnerId, Mailbox>>,
    /// Held by whoever tells owners the news.
    telling: Mutex<()>,
    runtime: tokio::runtime::Handle,
    /// The earliest deadline may have changed.
    deadline_moved: Notify,
    /// Some line may be read again, for those who wait without a socket.
    woken: Notify,
    waiting: AtomicUsize,
    /// Lines may have something to write. So that a turn which said nothing does not touch the engine.
    has_unwritten: AtomicBool,
}

struct State {
    engine: Engine,
    clock: Clock,
    /// The connections of lines, by the line's index.
    sockets: Vec<Option<Arc<Socket>>>,
    /// Lines that have something to write since somebody wrote.
    unwritten: Vec<LineId>,
    /// Inputs since then.
    unflushed: usize,
    /// Kept for its capacity.
    actions: Vec<Action>,
    /// What nobody was told yet.
    news: Outbound,
    next_owner: u32,
    /// The deadline that the timer sleeps for, in the engine's time.
    armed: Option<Instant>,
}

/// After so many inputs what they said is written, turn or not.
const MUCH: usize = 64;

/// What comes of inputs for those outside, for when the engine is unlocked.
#[derive(Default)]
struct Outbound {
    told: Vec<(OwnerId, LineEvent)>,
    over: Vec<LineSummary>,
}

/// What running an input came to.
struct Ran<R> {
    result: R,
    /// Somebody has to be told something.
    has_news: bool,
    /// It is time to write.
    is_much: bool,
}

impl State {
    /// The engine's time.
    fn now(&mut self) -> Instant {
        self.clock.look(Instant::now(), self.armed)
    }

    /// Keeps what the engine asked for until the engine is unlocked. Says whether there is something to tell.
    fn sort_out(&mut self) -> bool {
        for action in self.actions.drain(..) {
            match action {
                Action::Wake(line) => {
                    if self.unwritten.last() != Some(&line) {
                        self.unwritten.push(line);
                    }
                }
                Action::Tell { owner, exchange, line, event } => {
                    self.news.told.push((owner, LineEvent { exchange, line, event }));
                }
                Action::Over(obituary) => self.news.over.push(obituary),
            }
        }
        !self.news.told.is_empty() || !self.news.over.is_empty()
    }
}

/// So many lines are written to by whoever made them speak; more are left to the runtime.
const FLUSH_HERE: usize = 8;

/// So many lines are written to by one task.
const FLUSH_CHUNK: usize = 512;

impl Hub {
    /// A hub whose sockets and timers run on `runtime`.
    pub(crate) fn new(limits: Limits, runtime: tokio::runtime::Handle) -> Hub {
        let now = Instant::now();
        let state = State {
            clock: Clock::new(now, limits.ping_timeout),
            engine: Engine::new(limits, now),
            sockets: Vec::new(),
            unwritten: Vec::new(),
            unflushed: 0,
            actions: Vec::new(),
            news: Outbound::default(),
            next_owner: 0,
            armed: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            mailboxes: Mutex::default(),
            telling: Mutex::default(),
            runtime: runtime.clone(),
            deadline_moved: Notify::new(),
            woken: Notify::new(),
            waiting: AtomicUsize::new(0),
            has_unwritten: AtomicBool::new(false),
        };
        let hub = Hub(Arc::new(shared));
        runtime.spawn(hub.clone().keep_time());
        hub
    }

    /// The runtime that live sockets run on.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// A new owner of lines; what happens on them goes to `mailbox`.
    pub(crate) fn register(&self, mailbox: impl Fn(LineEvent) + Send + Sync + 'static) -> OwnerId {
        let mut state = self.lock();
        let owner = OwnerId(state.next_owner);
        state.next_owner += 1;
        self.mailboxes().insert(owner, Arc::new(mailbox));
        owner
    }

    /// Forgets an owner. Lines that it had not finished are closed with `code`.
    pub(crate) fn unregister(&self, owner: OwnerId, code: CloseCode) {
        self.mailboxes().remove(&owner);
        self.input(|engine, now, actions| engine.disown(owner, code, now, actions));
    }

    /// A line for an exchange that goes live, and the token that joins it.
    pub(crate) fn open(
        &self,
        owner: OwnerId,
        exchange: ExchangeId,
        visitor: Visitor,
    ) -> Result<(LineId, Token), TooManyLines> {
        let token = fresh_token();
        let opening = Opening { owner, exchange, visitor, token };
        let line = self.input(|engine, now, _| engine.open(opening, now))?;
        Ok((line, token))
    }

    /// A client wants to join with `token`. `session` and `address` say who it is, the rest where it comes from.
    pub(crate) fn join(
        &self,
        token: Token,
        carrier: Transport,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        self.input(|engine, now, actions| engine.join(token, carrier, visitor, from, now, actions))
    }

    /// The same, by a socket whose client may come again when it was lost.
    pub(crate) fn join_resumable(
        &self,
        token: Token,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        self.join(token, Transport::Resumable(fresh_token()), visitor, from)
    }

    /// A client comes again, which has everything up to the frame with the number `after`.
    pub(crate) fn resume(
        &self,
        token: Token,
        after: u64,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        let tokens = (token, fresh_token());
        self.input(|engine, now, actions| engine.resume(tokens, after, visitor, from, now, actions))
    }

    /// Whether a client may come with a token.
    pub(crate) fn expects(
        &self,
        token: Token,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<(), JoinError> {
        self.input(|engine, _, _| engine.expects(token, visitor, from))
    }

    /// The line that a client who listens to its events sends to.
    pub(crate) fn sender(
        &self,
        token: Token,
        visitor: &Visitor,
        from: (Option<&str>, Option<&str>),
    ) -> Result<Attachment, JoinError> {
        self.input(|engine, _, _| engine.sender(token, visitor, from))
    }

    /// The HTTP answer carries the line, unless somebody joined it meanwhile.
    pub(crate) fn attach(&self, line: LineId, carrier: Transport) -> Option<Attachment> {
        self.input(|engine, now, actions| engine.attach(line, carrier, now, actions))
    }

    /// Sends a frame on a line, with the turn's end ([`Hub::flush`]). Says whether the line's client is behind: then the
    /// owner will hear [`Event::Drained`].
    pub(crate) fn send(&self, line: LineId, parcel: QueuedFrame) -> bool {
        let is_congested = self.say(|engine, now, actions| {
            engine.send(line, parcel, now, actions);
            engine.is_congested(line)
        });
        if !is_congested {
            return false;
        }
        // Perhaps only the turn is long, and not the client slow.
        self.flush();
        self.lock().engine.waits(line)
    }

    /// The owner of a raw line hears its client from now on.
    pub(crate) fn accept(&self, line: LineId) {
        self.say(|engine, now, actions| engine.accept(line, now, actions));
    }

    /// How many bytes wait for a line's client to read.
    pub(crate) fn waiting(&self, line: LineId) -> usize {
        self.lock().engine.waiting(line)
    }

    /// Whether pages of an origin may use lines of this server.
    pub(crate) fn allows(&self, from: (Option<&str>, Option<&str>)) -> bool {
        self.lock().engine.allows(from)
    }

    /// The owner begins to send the states in full.
    pub(crate) fn refreshed(&self, line: LineId) {
        self.lock().engine.refreshed(line);
    }

    /// The response had its last frame: tells the client, and the line stays.
    pub(crate) fn done(&self, line: LineId) {
        self.say(|engine, now, actions| engine.done(line, now, actions));
    }

    /// The handler has said all: tells the client, then closes the line normally.
    pub(crate) fn complete(&self, line: LineId) {
        self.say(|engine, now, actions| engine.complete(line, now, actions));
    }

    /// Closes a line once everything sent is written.
    pub(crate) fn finish(&self, line: LineId, close: impl Into<Close>) {
        self.say(|engine, now, actions| engine.finish(line, close.into(), now, actions));
    }

    /// Ends a line at once; its owner hears of it, and what waits for its client is dropped.
    pub(crate) fn break_line(&self, line: LineId, close: Close) {
        self.say(|engine, now, actions| engine.cut(line, close, now, actions));
    }

    /// Bytes that may wait in each direction of a line.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.lock().engine.queue_bytes()
    }

    /// A client said something for a channel before its handler had let it in, and now it has.
    pub(crate) fn repeat(&self, line: LineId, said: InboundMessage) {
        self.say(|engine, now, actions| engine.repeat(line, said, now, actions));
    }

    /// An owner has handled, or will never handle, what it was told.
    pub(crate) fn was_heard(&self, told: &LineEvent) {
        if let Some((line, size)) = told.heard() {
            self.heard(line, size);
        }
    }

    /// An owner has handled all of these, so that more are read at once.
    pub(crate) fn were_heard(&self, told: &[LineEvent]) {
        self.input(|engine, now, actions| {
            for (line, size) in told.iter().filter_map(LineEvent::heard) {
                engine.heard(line, size, now, actions);
            }
        });
    }

    /// Closes every line at once.
    pub(crate) fn cut_all(&self, code: CloseCode) {
        self.input(|engine, now, actions| engine.cut_all(code, now, actions));
    }

    /// An owner handled `size` bytes of a client's messages. With the next [`Hub::flush`] more of them are read.
    pub(crate) fn heard(&self, line: LineId, size: usize) {
        self.say(|engine, now, actions| engine.heard(line, size, now, actions));
    }

    // -- channels ------------------------------------------------------------------------------------------------

    /// Lets a line's client into a channel.
    pub(crate) fn enter(&self, line: LineId, channel: ChannelId, entry: JoinOptions) {
        self.say(|engine, now, actions| engine.enter(line, channel, entry, now, actions));
    }

    /// A line's client leaves a channel.
    pub(crate) fn leave(&self, line: LineId, channel: &ChannelId) {
        self.say(|engine, now, actions| engine.leave(line, channel, now, actions));
    }

    /// A line's handler listens from now on.
    pub(crate) fn listen(&self, line: LineId, channel: &ChannelId, to: Listening) {
        self.lock().engine.listen(line, channel, to);
    }

    /// The others in a channel hear what a line's client said, as its handler decided.
    pub(crate) fn relay(&self, line: LineId, channel: &ChannelId, message: Message, wording: Payloads) {
        self.say(|engine, now, actions| engine.relay(line, channel, message, wording, now, actions));
    }

    /// Sends a frame to every client in a channel.
    pub(crate) fn post(&self, channel: &ChannelId, frame: &Frame) {
        self.say(|engine, now, actions| engine.post(channel, frame, now, actions));
    }

    /// Who is in a channel, as `line` sees them.
    pub(crate) fn members(&self, channel: &ChannelId, line: Option<LineId>) -> Vec<Presence> {
        self.lock().engine.members(channel, line)
    }

    /// How many members a channel has.
    pub(crate) fn channel_size(&self, channel: &ChannelId) -> usize {
        self.lock().engine.channel_size(channel)
    }

    /// The `count` channels with the most members, the largest first.
    pub(crate) fn largest_channels(&self, count: usize) -> Vec<(ChannelId, usize)> {
        self.lock().engine.largest_channels(count)
    }

    /// Whether no line lives.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().engine.is_empty()
    }

    /// What all lines together are and did.
    pub(crate) fn stats(&self) -> Stats {
        self.lock().engine.stats()
    }

    // -- for sockets ---------------------------------------------------------------------------------------------

    /// A connection begins to carry its line, unless another has come while this one's handshake was written.
    pub(super) fn seated(&self, socket: &Arc<Socket>) {
        let mut state = self.lock();
        if !state.engine.is_current(socket.seat) {
            return;
        }
        let index = socket.seat.line.index();
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
    pub(super) fn unseated(&self, socket: &Arc<Socket>, close: Close) {
        self.socket_closed(socket.seat, close);
        let mut state = self.lock();
        let index = socket.seat.line.index();
        if let Some(seated) = state.sockets.get_mut(index) {
            seated.take_if(|known| Arc::ptr_eq(known, socket));
        }
    }

    /// The client's end says something: all of what it said at a time, in one go.
    pub(super) fn receive<R>(&self, seat: Attachment, input: impl FnOnce(&mut Client) -> R) -> R {
        self.input(|engine, now, actions| input(&mut Client { engine, seat, now, actions }))
    }

    /// The same, with what the connection itself answers, before the owner hears anything.
    pub(super) fn receive_and_answer<R>(
        &self,
        seat: Attachment,
        input: impl FnOnce(&mut Client) -> R,
        answer: impl FnOnce(&R),
    ) -> R {
        let Ran { result, has_news, .. } =
            self.run(|engine, now, actions| input(&mut Client { engine, seat, now, actions }));
        answer(&result);
        if has_news {
            self.tell();
        }
        self.flush();
        result
    }

    /// A text frame came from the client by another way than a socket.
    pub(crate) fn receive_text(&self, seat: Attachment, text: &str) {
        self.receive(seat, |client| client.text(text));
    }

    /// The host has to end the line because of what the client did.
    pub(crate) fn cut(&self, seat: Attachment, code: CloseCode) {
        self.receive(seat, |client| client.cut(code));
    }

    /// The client has closed its connection, or lost it.
    pub(crate) fn socket_closed(&self, seat: Attachment, close: Close) {
        self.input(|engine, now, actions| engine.socket_closed(seat, close, now, actions));
    }

    /// What a connection should write next. Where there is nothing, it has written all.
    pub(super) fn take(&self, seat: Attachment, bytes: usize, into: &mut Vec<Outgoing>) -> Take {
        let (take, has_news) = {
            let mut state = self.lock();
            let now = state.now();
            let take = state.engine.take(seat, bytes, now, into);
            if take == Take::Idle {
                let State { engine, actions, .. } = &mut *state;
                engine.written(seat, now, actions);
            }
            self.rearm(&mut state);
            (take, self.sort_out(&mut state))
        };
        if has_news {
            self.tell();
        }
        take
    }

    /// Whether the connection should read now; if not, it is flushed when it may.
    pub(crate) fn may_read(&self, seat: Attachment) -> bool {
        self.lock().engine.may_read(seat)
    }

    /// Waits until the handler has caught up with the line's client, or the line is no more.
    pub(crate) async fn readable(&self, seat: Attachment) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        loop {
            let woken = self.0.woken.notified();
            if self.may_read(seat) {
                return;
            }
            woken.await;
        }
    }

    // -- the driver ----------------------------------------------------------------------------------------------

    /// Runs one input, carries out what follows, and writes.
    fn input<R>(&self, input: impl FnOnce(&mut Engine, Instant, &mut Vec<Action>) -> R) -> R {
        let result = self.say(input);
        self.flush();
        result
    }

    /// Runs one input and carries out what follows, but leaves the writing to the next [`Hub::flush`], which comes at the
    /// latest when much was said.
    fn say<R>(&self, input: impl FnOnce(&mut Engine, Instant, &mut Vec<Action>) -> R) -> R {
        let Ran { result, has_news, is_much } = self.run(input);
        if has_news {
            self.tell();
        }
        if is_much {
            self.flush();
        }
        result
    }

    /// Runs one input, and leaves what follows from it to others.
    fn run<R>(&self, input: impl FnOnce(&mut Engine, Instant, &mut Vec<Action>) -> R) -> Ran<R> {
        let mut state = self.lock();
        let now = state.now();
        let State { engine, actions, .. } = &mut *state;
        let result = input(engine, now, actions);
        self.rearm(&mut state);
        state.unflushed += 1;
        let has_news = self.sort_out(&mut state);
        let is_much = state.unflushed > MUCH;
        if is_much {
            state.unflushed = 0;
        }
        Ran { result, has_news, is_much }
    }

    fn sort_out(&self, state: &mut State) -> bool {
        let has_news = state.sort_out();
        if !state.unwritten.is_empty() {
            self.0.has_unwritten.store(true, Ordering::Release);
        }
        has_news
    }

    /// Tells the owners what is new. They hear things in the order in which they happened, whichever threads they are
    /// told by: who comes while another tells waits for that.
    fn tell(&self) {
        let turn = self.0.telling.lock().expect("mailboxes do not panic");
        let Outbound { told, over } = std::mem::take(&mut self.lock().news);
        over.iter().for_each(note);
        let mut known: Option<(OwnerId, Option<Mailbox>)> = None;
        let mut unheard = Vec::new();
        for (owner, told) in told {
            if known.as_ref().is_none_or(|(known, _)| *known != owner) {
                known = Some((owner, self.mailboxes().get(&owner).cloned()));
            }
            match &known {
                Some((_, Some(mailbox))) => mailbox(told),
                _ => unheard.push(told),
            }
        }
        drop(turn);
        if !unheard.is_empty() {
            // Nobody is left to handle it, so nobody waits for that. Whoever tells this may be writing.
            let hub = self.clone();
            self.0.runtime.spawn(async move { hub.were_heard(&unheard) });
        }
    }

    /// Writes what lines have to say: here if they are few, else on the runtime, where it holds up nobody's handler.
    pub(crate) fn flush(&self) {
        if !self.0.has_unwritten.swap(false, Ordering::Acquire) {
            return;
        }
        let sockets: Vec<Arc<Socket>> = {
            let mut state = self.lock();
            state.unflushed = 0;
            if state.unwritten.is_empty() {
                return;
            }
            let mut lines = std::mem::take(&mut state.unwritten);
            lines.sort_unstable();
            lines.dedup();
            let socket = |line: &LineId| {
                let socket = state.sockets.get(line.index())?.as_ref()?;
                (socket.seat.line == *line).then(|| socket.clone())
            };
            let sockets = lines.iter().filter_map(socket).collect();
            lines.clear();
            state.unwritten = lines;
            sockets
        };
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.woken.notify_waiters();
        }
        if sockets.len() <= FLUSH_HERE {
            return sockets.iter().for_each(|socket| socket.flush());
        }
        let mut sockets = sockets.into_iter();
        while sockets.len() > 0 {
            let chunk: Vec<_> = sockets.by_ref().take(FLUSH_CHUNK).collect();
            self.0.runtime.spawn(async move { chunk.iter().for_each(|socket| socket.flush()) });
        }
    }

    /// Tells the timer if it would sleep too long.
    fn rearm(&self, state: &mut State) {
        let next = state.engine.next_deadline();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.0.deadline_moved.notify_one();
        }
    }

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
                    self.input(|engine, now, actions| engine.tick(now, actions));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no engine input panics")
    }

    fn mailboxes(&self) -> MutexGuard<'_, HashMap<OwnerId, Mailbox>> {
        self.0.mailboxes.lock().expect("the map is only read and written")
    }
}

/// A client's end of a line while it speaks.
pub(super) struct Client<'a> {
    engine: &'a mut Engine,
    seat: Attachment,
    now: Instant,
    actions: &'a mut Vec<Action>,
}

impl Client<'_> {
    /// An envelope came.
    pub(super) fn text(&mut self, text: &str) {
        self.engine.receive(self.seat, text, self.now, self.actions);
    }

    /// A raw message came.
    pub(super) fn raw(&mut self, frame: Frame) {
        self.engine.receive_raw(self.seat, frame, self.now, self.actions);
    }

    /// A sign of life came.
    pub(super) fn alive(&mut self) {
        self.engine.alive(self.seat, self.now);
    }

    /// It has to be told off.
    pub(super) fn cut(&mut self, code: CloseCode) {
        self.close(code.into());
    }

    /// The same, in other words.
    pub(super) fn close(&mut self, close: Close) {
        self.engine.cut_at(self.seat, close, self.now, self.actions);
    }
}

/// Somebody waits in [`Hub::readable`].
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The right to join a line.
fn fresh_token() -> Token {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    Token(bytes)
}

/// Notes in the log how a line ended.
fn note(obituary: &LineSummary) {
    let LineSummary { line, owner, exchange, close, lasted, frames_in, frames_out } = obituary;
    let (code, reason, duration_ms) = (close.code.number(), &*close.reason, lasted.as_millis() as u64);
    let exchange = exchange.of(*owner);
    tracing::debug!(%exchange, %line, code, reason, duration_ms, frames_in, frames_out, "{line} ended: {code}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;

    use super::*;
    use crate::lines::socket::{self, Connection, Framing};
    use liveline_proto::Format;
    use liveline_proto::Priority;

    const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

    const FRAME: &str = r#"{"message":"some length",".wq":{"type":"message","eventID":"e"}}"#;

    fn visitor() -> Visitor {
        Visitor { session: None, address: [127, 0, 0, 1].into() }
    }

    /// Every way to be carried, with every way to end: by the client, by the handler, by the host, by the clock.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_left_of_lines_however_they_end() {
        let soon = Duration::from_millis(100);
        let limits = Limits {
            join_window: soon,
            close_grace: soon,
            resume_window: soon,
            ping_interval: soon,
            ping_timeout: 2 * soon,
            queue_bytes: 4096,
            lines_per_address: 9999,
            ..Limits::default()
        };
        let hub = Hub::new(limits, tokio::runtime::Handle::current());
        let (owner, leaving) = (hub.register(|_| {}), hub.register(|_| {}));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut tasks = JoinSet::new();
        let mut silent = Vec::new();
        for n in 0..3000 {
            let (carrier, end) = (n % 5, n / 5 % 8);
            let of = if end == 0 { leaving } else { owner };
            let (line, token) = hub.open(of, ExchangeId(n), visitor()).expect("there is room");
            let mut seat = None;
            let mut client = None;
            let joined = match carrier {
                0 => Some((
                    hub.join(token, Transport::Socket, &visitor(), (None, None)),
                    Framing::WebSocket { limit: 1024 },
                )),
                1 => Some((
                    hub.join_resumable(token, &visitor(), (None, None)),
                    Framing::WebSocket { limit: 1024 },
                )),
                2 => Some((
                    hub.join(token, Transport::Events, &visitor(), (None, None)),
                    Framing::Events(Format::Envelopes),
                )),
                3 => Some((
                    Ok(hub.attach(line, Transport::Events).expect("a new line")),
                    Framing::Events(Format::Lines),
                )),
                // Nobody joins.
                _ => None,
            };
            if let Some((joined, framing)) = joined {
                let joined = joined.expect("a new line");
                let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
                let (stream, _) = far.expect("it listens");
                let connection =
                    Connection { stream, read: Bytes::new(), head: Vec::new(), framing, place: Box::new(()) };
                tasks.spawn(socket::serve(&hub, joined, connection));
                client = Some(near.expect("it listens"));
                seat = Some(joined);
                hub.receive_text(joined, if carrier == 1 { "1 \"hello\"" } else { CONNECT });
            }
            hub.enter(line, "room".parse().expect("a name"), JoinOptions::default());
            match end {
                0 => silent.extend(client),
                1 => drop(client),
                2 => {
                    hub.complete(line);
                    if let Some(mut client) = client {
                        tasks.spawn(async move { drop(client.read_to_end(&mut Vec::new()).await) });
                    }
                }
                3 => {
                    hub.complete(line);
                    silent.extend(client);
                }
                4 => {
                    for _ in 0..100 {
                        hub.send(line, QueuedFrame::new(Priority::Message, FRAME));
                    }
                    silent.extend(client);
                }
                5 => {
                    hub.finish(line, CloseCode::Restart);
                    silent.extend(client);
                }
                6 => {
                    seat.into_iter().for_each(|seat| hub.socket_closed(seat, CloseCode::Done.into()));
                    silent.extend(client);
                }
                _ => {
                    seat.into_iter().for_each(|seat| hub.receive_text(seat, "not JSON"));
                    silent.extend(client);
                }
            }
            if n % 100 == 0 {
                // Some of it happens while the others begin.
                hub.flush();
                tokio::task::yield_now().await;
            }
        }
        hub.flush();
        hub.unregister(leaving, CloseCode::IsolateLost);
        // Events cannot be answered, so nothing ends a silent client's but the handler.
        hub.cut_all(CloseCode::Restart);

        let is_over = async {
            while let Some(task) = tasks.join_next().await {
                task.expect("no task panics");
            }
            while !hub.is_empty() || hub.lock().engine.next_deadline().is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Clients that are silent are still there: they hold nothing.
        tokio::time::timeout(Duration::from_secs(20), is_over).await.expect("everything ends");

        assert!(hub.lock().sockets.iter().all(Option::is_none));
        assert_eq!(hub.channel_size(&"room".parse().expect("a name")), 0);
        drop(silent);
    }
}
