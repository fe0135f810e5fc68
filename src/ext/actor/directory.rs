//! The actors of the process, and what isolates send to each other.
//!
//! The engine of `liveline-proto` decides which isolate runs an actor, when its events are handled, when its outputs
//! leave and when it stops. All that enters it passes [`Actors::with`], which carries out what follows.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use super::alarms;
use super::sockets::{End, Item, OnLines, Sockets};
use crate::lines::Hub;
use crate::metrics::ActorCounts;
use liveline_proto::actor::{self as engine, ActorId, ActorLimits, Effect, EventId, Instance, Now, SocketId};
use liveline_proto::{CloseCode, LineId, OwnerId};
use liveline_store::actor::{ActorStore, StorageError, StoreOptions};

/// The engine, with what events contain, what leaves an actor, and why an actor fails.
pub(super) type Engine = engine::Actors<Content, Leaving, Failure>;
pub(super) type Refused = engine::Refused<Failure>;
pub(super) type Rejected = engine::Rejected<Content, Failure>;

/// An actor without sockets stays in memory this many times as long as one that hibernates.
const WITHOUT_SOCKETS: u32 = 7;

/// The actors of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct Actors(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    hub: Hub,
    /// The owner of the lines whose far end is an actor's socket.
    owner: OnceLock<OwnerId>,
    options: ActorOptions,
    /// The actors' files, opened when they are first needed.
    store: OnceLock<Result<ActorStore, StorageError>>,
    /// The engine has something to do earlier than the clock expects.
    is_earlier: Notify,
    has_clock: Once,
}

/// Settings of the actors of a process.
#[derive(Debug, Clone)]
pub(crate) struct ActorOptions {
    /// How long an actor whose sockets the host can hold may be without an event until it leaves memory.
    pub idle: Duration,
    /// The folder of the actors' files.
    pub folder: PathBuf,
}

pub(super) struct State {
    pub(super) engine: Engine,
    isolates: HashMap<u32, mpsc::UnboundedSender<Mail>>,
    /// Who waits for the results of events that run.
    callers: HashMap<EventId, Caller>,
    pub(super) sockets: Sockets,
    /// What is to be done on lines, which must not be done while this is locked.
    on_lines: OnLines,
    /// Whether a thread does what is to be done on lines.
    carries_out: bool,
    /// When the clock calls the engine.
    wakes: Option<Instant>,
}

/// A call that waits for its result: the isolate that made it, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    pub isolate: u32,
    pub call: u32,
}

/// What an event of an actor is.
#[derive(Debug)]
pub(super) enum Content {
    /// A request or a call.
    Call { caller: Caller, name: Option<Arc<str>>, data: Vec<u8> },
    /// A message or the end of a socket with which the actor may hibernate.
    Socket { end: End, item: Item, credit: Option<(LineId, usize)> },
    /// Code of the actor's isolate that waits for its turn, by its number there.
    Local { number: u32, caller: Option<Caller> },
}

impl Content {
    fn caller(&self) -> Option<Caller> {
        match self {
            Content::Call { caller, .. } => Some(*caller),
            Content::Local { caller, .. } => *caller,
            Content::Socket { .. } => None,
        }
    }
}

/// What leaves an actor as soon as what it has written before is durable.
#[derive(Debug)]
pub(super) enum Leaving {
    /// The result of a call.
    Reply { from: u32, to: Caller, data: Vec<u8> },
    /// A message or the end of one of its sockets.
    Socket { end: End, item: Item },
    /// Code of the actor waits before it does something that others can observe.
    Waiter(oneshot::Sender<()>),
}

/// Why an actor cannot go on.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// An error of JavaScript, as `mail.js` serializes it.
    Thrown(Arc<[u8]>),
    /// The host's own.
    Host(Arc<str>),
}

/// A message to an isolate.
#[derive(Debug)]
pub(super) enum Mail {
    /// Make an object of an actor.
    Start { actor: Arc<ActorId>, instance: Instance },
    /// An actor has an event.
    Ready(Instance),
    /// Drop the object of an actor.
    Stop(Instance, engine::Stop<Failure>),
    /// Something about a call, a stub or a stream, of another isolate or the same one.
    Peer { from: u32, data: Vec<u8> },
    /// A message or the end of a socket that this isolate accepted.
    Socket { end: End, item: Item, credit: Option<(LineId, usize)> },
    /// A call has no result.
    Failed { call: u32, why: Refused },
    /// An isolate ended. What it was asked fails.
    Gone { isolate: u32 },
}

impl State {
    /// No actors.
    pub(super) fn new(limits: ActorLimits) -> State {
        State {
            engine: Engine::new(limits, now()),
            isolates: HashMap::new(),
            callers: HashMap::new(),
            sockets: Sockets::default(),
            on_lines: OnLines::default(),
            carries_out: false,
            wakes: None,
        }
    }
}

impl Actors {
    pub(crate) fn new(hub: Hub, options: ActorOptions) -> Actors {
        let limits = ActorLimits {
            hibernate_after: options.idle,
            evict_after: options.idle * WITHOUT_SOCKETS,
            ..ActorLimits::default()
        };
        let actors = Actors(Arc::new(Inner {
            state: Mutex::new(State::new(limits)),
            hub,
            owner: OnceLock::new(),
            options,
            store: OnceLock::new(),
            is_earlier: Notify::new(),
            has_clock: Once::new(),
        }));
        let weak = Arc::downgrade(&actors.0);
        let owner = actors.0.hub.register(move |event| {
            if let Some(inner) = weak.upgrade() {
                Actors(inner).line_event(event);
            }
        });
        actors.0.owner.set(owner).expect("it is set once");
        actors
    }

    /// The files of the actors. The folder is made if there is none.
    pub(super) fn store(&self) -> Result<ActorStore, StorageError> {
        let open = || ActorStore::open(&self.0.options.folder, StoreOptions::default());
        self.0.store.get_or_init(open).clone()
    }

    /// The files of the actors, if any actor has stored anything.
    pub(super) fn existing_store(&self) -> Option<Result<ActorStore, StorageError>> {
        (self.0.store.get().is_some() || self.0.options.folder.exists()).then(|| self.store())
    }

    pub(in crate::ext) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The owner of the lines of actors' sockets.
    pub(in crate::ext) fn line_owner(&self) -> OwnerId {
        *self.0.owner.get().expect("it is set when this is made")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while this is locked")
    }

    /// Reads or changes the state, and carries out what follows from that.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State, &mut OnLines) -> T) -> T {
        let mut state = self.lock();
        let done = self.change(&mut state, work);
        self.carry_out(state);
        done
    }

    /// The same while the hub dispatches: what is to be done on lines is left to a task.
    pub(super) fn with_deferred(&self, work: impl FnOnce(&mut State, &mut OnLines)) {
        let mut state = self.lock();
        self.change(&mut state, work);
        if !state.on_lines.is_empty() {
            let actors = self.clone();
            self.hub().runtime().spawn(async move {
                actors.carry_out(actors.lock());
                actors.hub().flush();
            });
        }
    }

    fn change<T>(&self, state: &mut State, work: impl FnOnce(&mut State, &mut OnLines) -> T) -> T {
        let mut on_lines = OnLines::default();
        state.engine.at(now());
        let done = work(state, &mut on_lines);
        state.carry_out(&mut on_lines);
        state.on_lines.append(on_lines);
        let next = state.engine.next_deadline();
        let is_earlier = next.is_some_and(|next| state.wakes.is_none_or(|wakes| next < wakes));
        if is_earlier {
            state.wakes = next;
            self.0.is_earlier.notify_one();
        }
        done
    }

    /// Does what is to be done on lines, in order: if another thread does so already, that one continues with it.
    fn carry_out<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        if state.carries_out || state.on_lines.is_empty() {
            return;
        }
        state.carries_out = true;
        while !state.on_lines.is_empty() {
            let on_lines = std::mem::take(&mut state.on_lines);
            drop(state);
            on_lines.carry_out(self.hub());
            state = self.lock();
        }
        state.carries_out = false;
    }

    /// An input of the engine.
    pub(super) fn engine<T>(&self, input: impl FnOnce(&mut Engine) -> T) -> T {
        self.with(|state, _| input(&mut state.engine))
    }

    // -- isolates ----------------------------------------------------------------------------------------------------

    /// A new isolate, whose mail the receiver gets.
    pub(super) fn register(&self, owner: OwnerId) -> mpsc::UnboundedReceiver<Mail> {
        let (mail, inbox) = mpsc::unbounded_channel();
        self.lock().isolates.insert(owner.0, mail);
        inbox
    }

    /// These isolates serve from now on. Actors leave the others.
    pub(crate) fn serve(&self, owners: impl Iterator<Item = OwnerId>) {
        let owners = owners.collect();
        self.engine(|engine| engine.set_owners(owners));
        self.0.has_clock.call_once(|| {
            self.hub().runtime().spawn(self.clone().keep_time());
        });
        let actors = self.clone();
        // This reads a file.
        self.hub().runtime().spawn_blocking(move || actors.load_alarms());
    }

    /// The process stops: actors end as soon as nothing runs in them, and no alarm is delivered any more.
    pub(crate) fn wind_down(&self) {
        self.engine(Engine::wind_down);
    }

    /// An isolate has ended. Its actors start anew elsewhere when they are called again.
    pub(crate) fn unregister(&self, owner: OwnerId) {
        let lines = self.with(|state, _| {
            if state.isolates.remove(&owner.0).is_none() {
                return Vec::new();
            }
            state.engine.owner_gone(owner);
            for mail in state.isolates.values() {
                let _ = mail.send(Mail::Gone { isolate: owner.0 });
            }
            state.isolate_ended(owner.0)
        });
        for line in lines {
            self.hub().turn().finish(line, CloseCode::IsolateLost.into());
        }
    }

    /// Whether an isolate runs no actor.
    pub(crate) fn is_idle(&self, owner: OwnerId) -> bool {
        self.lock().engine.instances_of(owner) == 0
    }

    /// How many actors run, and how many events wait for them.
    pub(crate) fn counts(&self) -> ActorCounts {
        let stats = self.lock().engine.stats();
        ActorCounts {
            alive: stats.alive,
            waiting: stats.queued,
            hibernating: stats.hibernating,
            alarms: stats.alarms,
            alarms_due: stats.alarms_due,
        }
    }

    /// Calls the engine when something is due. Never ready.
    async fn keep_time(self) {
        /// The clock of the machine, by which alarms go, may be set meanwhile.
        const LONGEST_SLEEP: Duration = Duration::from_secs(10);
        loop {
            let next = self.with(|state, _| {
                state.engine.expire();
                state.wakes = state.engine.next_deadline();
                state.wakes
            });
            self.hub().flush();
            let longest = Instant::now() + LONGEST_SLEEP;
            let wakes = next.map_or(longest, |next| next.min(longest));
            tokio::select! {
                () = tokio::time::sleep_until(wakes.into()) => {}
                () = self.0.is_earlier.notified() => {}
            }
        }
    }

    // -- mail --------------------------------------------------------------------------------------------------------

    /// Sends a request or a call to an actor.
    pub(super) fn call(&self, actor: &ActorId, caller: Caller, data: Vec<u8>) {
        self.with(|state, on_lines| {
            if state.engine.has_no_owner() {
                // Modules that load call actors, and no code serves yet.
                state.engine.set_owners(vec![OwnerId(caller.isolate)]);
            }
            let content = Content::Call { caller, name: actor.name().cloned(), data };
            if let Err(rejected) = state.engine.send(actor, content) {
                state.refuse(rejected.content, rejected.why, on_lines);
            }
        });
    }

    /// Sends something to an isolate. False if the isolate has ended.
    pub(super) fn send_peer(&self, from: u32, to: u32, data: Vec<u8>) -> bool {
        self.lock().mail(to, Mail::Peer { from, data })
    }

    /// Sends something to the isolate that runs an actor, if one does.
    pub(super) fn send_owner(&self, from: u32, actor: &ActorId, data: Vec<u8>) {
        let state = self.lock();
        if let Some(owner) = state.engine.owner_of(actor) {
            state.mail(owner.0, Mail::Peer { from, data });
        }
    }

    /// The next event of an instance, which handles it now.
    pub(super) fn take(&self, instance: Instance) -> Option<engine::Taken<Content>> {
        self.with(|state, _| {
            let taken = state.engine.take(instance)?;
            if let engine::Taken::Event(event, content) = &taken
                && let Some(caller) = content.caller()
            {
                state.callers.insert(*event, caller);
            }
            Some(taken)
        })
    }

    /// The handler of an event has ended.
    pub(super) fn finished(&self, instance: Instance, event: EventId) {
        self.with(|state, _| {
            state.callers.remove(&event);
            state.engine.finished(instance, event);
        });
    }
}

impl State {
    /// Sends mail to an isolate. False if the isolate has ended.
    pub(super) fn mail(&self, isolate: u32, mail: Mail) -> bool {
        self.isolates.get(&isolate).is_some_and(|inbox| inbox.send(mail).is_ok())
    }

    /// Does what the engine has decided.
    fn carry_out(&mut self, on_lines: &mut OnLines) {
        loop {
            // An answer may reach another actor, so that there are further effects.
            let effects: Vec<_> = self.engine.effects().collect();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.carry_out_one(effect, on_lines);
            }
        }
    }

    fn carry_out_one(&mut self, effect: Effect<Content, Leaving, Failure>, on_lines: &mut OnLines) {
        match effect {
            Effect::Start { actor, owner, instance } => {
                self.mail(owner.0, Mail::Start { actor, instance });
            }
            Effect::Ready { owner, instance } => {
                self.mail(owner.0, Mail::Ready(instance));
            }
            Effect::Stop { owner, instance, why } => {
                self.mail(owner.0, Mail::Stop(instance, why));
            }
            Effect::Leave(Leaving::Reply { from, to, data }) => {
                self.mail(to.isolate, Mail::Peer { from, data });
            }
            Effect::Leave(Leaving::Socket { end, item }) => self.send(end, item, on_lines),
            // The receiver is gone if the code was stopped.
            Effect::Leave(Leaving::Waiter(waiter)) => drop(waiter.send(())),
            Effect::Discard(Leaving::Reply { to, .. }, why) => self.fail(to, why),
            Effect::Discard(Leaving::Socket { .. } | Leaving::Waiter(_), _) => {}
            Effect::Refuse { content, why } => self.refuse(content, why, on_lines),
            Effect::Abandon { event, why } => {
                if let Some(caller) = self.callers.remove(&event) {
                    self.fail(caller, why);
                }
            }
            Effect::Answer { socket: SocketId(end), text } => self.answer(End(end), &text, on_lines),
            Effect::AlarmGivenUp { actor } => alarms::log_given_up(&actor),
        }
    }

    /// The sender of an event that is not handled receives an error.
    pub(super) fn refuse(&mut self, content: Content, why: Refused, on_lines: &mut OnLines) {
        if let Some(caller) = content.caller() {
            self.fail(caller, why);
        } else if let Content::Socket { end, item, credit } = content {
            on_lines.acknowledge(credit);
            if matches!(item, Item::Message(_)) {
                self.hang_up(end, &why, on_lines);
            }
        }
    }

    fn fail(&self, Caller { isolate, call }: Caller, why: Refused) {
        self.mail(isolate, Mail::Failed { call, why });
    }
}

/// The time, for the engine.
fn now() -> Now {
    Now { at: Instant::now(), unix: alarms::now() }
}
