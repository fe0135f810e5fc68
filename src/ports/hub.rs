//! The engine's driver.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use crate::engine::{
    Action, Carrier, ChannelId, Close, CloseCode, Engine, Entry, Event, ExchangeId, JoinError, Limits,
    LineId, Listening, Message, Opening, OwnerId, Presence, Take, Token, Visitor, Wording,
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

    /// Whether the socket should read now; if not, the waker given to [`Hub::poll_take`] says when.
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
                }
            }
            self.rearm(&mut state);
            result
        };
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
