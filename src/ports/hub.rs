//! The engine's driver.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use crate::engine::{
    Action, Carrier, ChannelId, Close, CloseCode, Engine, Entry, Event, ExchangeId, JoinError, Limits,
    LineId, Listening, Message, Obituary, Opening, OwnerId, Presence, Stats, Take, Token, Visitor, Wording,
};
use crate::wire::Frame;

/// An event for the exchange that a line belongs to.
#[derive(Debug)]
pub struct Told {
    pub exchange: ExchangeId,
    pub line: LineId,
    pub event: Event,
}

impl Told {
    /// Whose account is relieved, and of how many bytes, when the owner has handled this.
    fn heard(&self) -> Option<(LineId, usize)> {
        match self.event {
            Event::Message { size, .. } | Event::Reply { size, .. } => Some((self.line, size)),
            Event::Overheard { from, size, .. } => Some((from, size)),
            // The owner says so itself when it has decided.
            Event::Relay { .. } | Event::Opened | Event::Closed(_) => None,
        }
    }
}

/// Takes what happened on an owner's lines. Called with the engine unlocked; must not block.
type Mailbox = Arc<dyn Fn(Told) + Send + Sync>;

/// All live lines of the process. Clones share them.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    mailboxes: Mutex<HashMap<OwnerId, Mailbox>>,
    runtime: tokio::runtime::Handle,
    /// The earliest deadline may have changed.
    deadline_moved: Notify,
    /// Some line may be read again.
    woken: Notify,
}

struct State {
    engine: Engine,
    wakers: HashMap<LineId, Waker>,
    /// Kept for its capacity.
    actions: Vec<Action>,
    next_owner: u32,
    /// The deadline that the timer sleeps for.
    armed: Option<Instant>,
}

impl Hub {
    /// A hub whose sockets and timers run on `runtime`.
    pub fn new(limits: Limits, runtime: tokio::runtime::Handle) -> Hub {
        let state = State {
            engine: Engine::new(limits),
            wakers: HashMap::new(),
            actions: Vec::new(),
            next_owner: 0,
            armed: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            mailboxes: Mutex::default(),
            runtime: runtime.clone(),
            deadline_moved: Notify::new(),
            woken: Notify::new(),
        };
        let hub = Hub(Arc::new(shared));
        runtime.spawn(hub.clone().keep_time());
        hub
    }

    /// The runtime that live sockets run on.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// A new owner of lines; what happens on them goes to `mailbox`.
    pub fn register(&self, mailbox: impl Fn(Told) + Send + Sync + 'static) -> OwnerId {
        let mut state = self.lock();
        let owner = OwnerId(state.next_owner);
        state.next_owner += 1;
        self.mailboxes().insert(owner, Arc::new(mailbox));
        owner
    }

    /// Forgets an owner. Lines that it had not finished are closed with `code`.
    pub fn unregister(&self, owner: OwnerId, code: CloseCode) {
        self.mailboxes().remove(&owner);
        self.input(|engine, now, actions| engine.disown(owner, code, now, actions));
    }

    /// A line for an exchange that goes live, and the token that joins it.
    pub fn open(&self, owner: OwnerId, exchange: ExchangeId, visitor: Visitor) -> (LineId, Token) {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let token = Token(bytes);
        let line = self.input(|engine, now, _| engine.open(Opening { owner, exchange, visitor, token }, now));
        (line, token)
    }

    /// A client wants to join with `token`. `session` and `address` say who it is, the rest where it comes from.
    pub fn join(
        &self,
        token: Token,
        carrier: Carrier,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<LineId, JoinError> {
        self.input(|engine, _, _| engine.join(token, carrier, visitor, (origin, host)))
    }

    /// The line that a client who listens to its events sends to.
    pub fn sender(
        &self,
        token: Token,
        visitor: &Visitor,
        (origin, host): (Option<&str>, Option<&str>),
    ) -> Result<LineId, JoinError> {
        self.input(|engine, _, _| engine.sender(token, visitor, (origin, host)))
    }

    /// Sends a frame on a line.
    pub fn send(&self, line: LineId, frame: Frame) {
        self.input(|engine, now, actions| engine.send(line, frame, now, actions));
    }

    /// The handler has said all: tells the client, then closes the line normally.
    pub fn complete(&self, line: LineId) {
        self.input(|engine, now, actions| engine.complete(line, now, actions));
    }

    /// Closes a line once everything sent is written.
    pub fn finish(&self, line: LineId, close: impl Into<Close>) {
        self.input(|engine, now, actions| engine.finish(line, close.into(), now, actions));
    }

    /// An owner has handled, or will never handle, what it was told.
    pub fn was_heard(&self, told: &Told) {
        if let Some((line, size)) = told.heard() {
            self.heard(line, size);
        }
    }

    /// Closes every line at once.
    pub fn cut_all(&self, code: CloseCode) {
        self.input(|engine, now, actions| engine.cut_all(code, now, actions));
    }

    /// An owner handled `size` bytes of a client's messages.
    pub fn heard(&self, line: LineId, size: usize) {
        self.input(|engine, now, actions| engine.heard(line, size, now, actions));
    }

    // -- channels ------------------------------------------------------------------------------------------------

    /// Lets a line's client into a channel.
    pub fn enter(&self, line: LineId, channel: ChannelId, entry: Entry) {
        self.input(|engine, now, actions| engine.enter(line, channel, entry, now, actions));
    }

    /// A line's client leaves a channel.
    pub fn leave(&self, line: LineId, channel: &ChannelId) {
        self.input(|engine, now, actions| engine.leave(line, channel, now, actions));
    }

    /// A line's handler listens from now on.
    pub fn listen(&self, line: LineId, channel: &ChannelId, to: Listening) {
        self.lock().engine.listen(line, channel, to);
    }

    /// The others in a channel hear what a line's client said, as its handler decided.
    pub fn relay(&self, line: LineId, channel: &ChannelId, message: Message, wording: Wording) {
        self.input(|engine, now, actions| engine.relay(line, channel, message, wording, now, actions));
    }

    /// Sends a frame to every client in a channel.
    pub fn post(&self, channel: &ChannelId, frame: &Frame) {
        self.input(|engine, now, actions| engine.post(channel, frame, now, actions));
    }

    /// Who is in a channel, as `line` sees them.
    pub fn members(&self, channel: &ChannelId, line: Option<LineId>) -> Vec<Presence> {
        self.lock().engine.members(channel, line)
    }

    /// How many members a channel has.
    pub fn channel_size(&self, channel: &ChannelId) -> usize {
        self.lock().engine.channel_size(channel)
    }

    /// How things stand, and what has happened since the start.
    pub fn stats(&self) -> Stats {
        self.lock().engine.stats()
    }

    /// The `count` channels with the most members, the largest first.
    pub fn largest_channels(&self, count: usize) -> Vec<(ChannelId, usize)> {
        self.lock().engine.largest_channels(count)
    }

    /// Whether no line lives.
    pub fn is_empty(&self) -> bool {
        self.lock().engine.is_empty()
    }

    // -- for sockets ---------------------------------------------------------------------------------------------

    /// The HTTP answer carries the line, unless somebody joined it meanwhile.
    pub(super) fn attach(&self, line: LineId) -> bool {
        self.input(|engine, now, actions| engine.attach(line, now, actions))
    }

    /// A text frame came from the client.
    pub fn receive(&self, line: LineId, text: &str) {
        self.input(|engine, now, actions| engine.receive(line, text, now, actions));
    }

    /// The host has to end the line because of what the client did.
    pub fn cut(&self, line: LineId, code: CloseCode) {
        self.input(|engine, now, actions| engine.cut(line, code.into(), now, actions));
    }

    /// The socket is gone.
    pub fn socket_closed(&self, line: LineId, close: Close) {
        self.input(|engine, now, actions| engine.socket_closed(line, close, now, actions));
        self.lock().wakers.remove(&line);
    }

    /// What to write next. Wakes the task when there is more, or when reading may go on.
    pub(super) fn poll_take(
        &self,
        line: LineId,
        bytes: usize,
        into: &mut Vec<Frame>,
        cx: &Context,
    ) -> Poll<Take> {
        let mut state = self.lock();
        let take = state.engine.take(line, bytes, Instant::now(), into);
        self.rearm(&mut state);
        if take == Take::Idle {
            state.wakers.insert(line, cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(take)
    }

    /// Waits until the line is no more.
    pub(super) async fn gone(&self, line: LineId) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if !state.engine.contains(line) {
                return Poll::Ready(());
            }
            state.wakers.insert(line, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Whether the socket should read now; if not, the waker given to `poll_take` says when.
    pub fn may_read(&self, line: LineId) -> bool {
        self.lock().engine.may_read(line)
    }

    /// Waits until the handler has caught up with the line's client, or the line is no more.
    pub async fn readable(&self, line: LineId) {
        loop {
            let woken = self.0.woken.notified();
            if self.may_read(line) {
                return;
            }
            woken.await;
        }
    }

    // -- the driver ----------------------------------------------------------------------------------------------

    /// Runs one input and carries out what follows.
    fn input<R>(&self, input: impl FnOnce(&mut Engine, Instant, &mut Vec<Action>) -> R) -> R {
        let mut told = Vec::new();
        let mut buried = Vec::new();
        let result = {
            let mut state = self.lock();
            let State { engine, wakers, actions, .. } = &mut *state;
            let result = input(engine, Instant::now(), actions);
            for action in actions.drain(..) {
                match action {
                    Action::Wake(line) => {
                        self.0.woken.notify_waiters();
                        if let Some(waker) = wakers.remove(&line) {
                            waker.wake();
                        }
                    }
                    Action::Tell { owner, exchange, line, event } => {
                        told.push((owner, Told { exchange, line, event }));
                    }
                    Action::Bury(obituary) => buried.push(obituary),
                }
            }
            self.rearm(&mut state);
            result
        };
        buried.iter().for_each(note_end);
        for (owner, told) in told {
            let mailbox = self.mailboxes().get(&owner).cloned();
            match mailbox {
                Some(mailbox) => mailbox(told),
                // Nobody is left to handle it, so nobody waits for that.
                None => self.was_heard(&told),
            }
        }
        result
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
                state.armed
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

/// Notes in the log how a line ended.
fn note_end(obituary: &Obituary) {
    let Obituary { line, owner, exchange, close, lasted, frames_in, frames_out } = obituary;
    let (code, reason) = (close.code.number(), &*close.reason);
    tracing::debug!(
        exchange = %exchange.of(*owner), %line, code, reason, duration_ms = lasted.as_millis() as u64, frames_in,
        frames_out, "{line} ended: {code}"
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, duplex};
    use tokio::task::JoinSet;

    use super::*;
    use crate::engine::Origins;
    use crate::ports::{events, websocket};
    use crate::wire::Format;

    const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

    const FRAME: &str = r#"{"message":"some length",".wq":{"type":"message","eventID":"e"}}"#;

    fn visitor() -> Visitor {
        Visitor { session: None, address: [127, 0, 0, 1].into() }
    }

    /// Every way to be carried, with every way to end: by the client, by the handler, by the host, by the clock.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_left_of_lines_however_they_end() {
        let soon = Duration::from_millis(100);
        let limits =
            Limits { join_window: soon, close_grace: soon, queue_bytes: 4096, origins: Origins::default() };
        let hub = Hub::new(limits, tokio::runtime::Handle::current());
        let (owner, leaving) = (hub.register(|_| {}), hub.register(|_| {}));
        let mut tasks = JoinSet::new();
        let mut silent = Vec::new();
        for n in 0..3000 {
            let (carrier, end) = (n % 4, n / 4 % 8);
            let of = if end == 0 { leaving } else { owner };
            let (line, token) = hub.open(of, ExchangeId(n), visitor());
            let (mut client, io) = duplex(64);
            let join = |carrier| hub.join(token, carrier, &visitor(), (None, None)).expect("a new line");
            match carrier {
                0 => drop(tasks.spawn(websocket::serve(hub.clone(), join(Carrier::Socket), io, 1024))),
                1 => {
                    let line = join(Carrier::Events);
                    tasks.spawn(events::serve(hub.clone(), line, io, Vec::new(), Format::Envelopes));
                }
                2 => drop(tasks.spawn(events::serve(hub.clone(), line, io, Vec::new(), Format::Lines))),
                // Nobody joins.
                _ => {}
            }
            hub.receive(line, CONNECT);
            hub.enter(line, "room".parse().expect("a name"), Entry::default());
            match end {
                0 => silent.push(client),
                1 => drop(client),
                2 => {
                    hub.complete(line);
                    tasks.spawn(async move { drop(client.read_to_end(&mut Vec::new()).await) });
                }
                3 => {
                    hub.complete(line);
                    silent.push(client);
                }
                4 => {
                    (0..100).for_each(|_| hub.send(line, FRAME.into()));
                    silent.push(client);
                }
                5 => {
                    hub.cut(line, CloseCode::Restart);
                    silent.push(client);
                }
                6 => {
                    hub.socket_closed(line, CloseCode::Done.into());
                    silent.push(client);
                }
                _ => {
                    hub.receive(line, "not JSON");
                    // Nobody spoke for a line whose answer carries it, so nothing ends it but its client.
                    silent.extend(Some(client).filter(|_| carrier != 2));
                }
            }
            if n % 100 == 0 {
                // Some of it happens while the others begin.
                tokio::task::yield_now().await;
            }
        }
        hub.unregister(leaving, CloseCode::IsolateLost);

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

        assert!(hub.lock().wakers.is_empty());
        assert_eq!(hub.channel_size(&"room".parse().expect("a name")), 0);
        drop(silent);
    }
}
