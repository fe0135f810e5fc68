//! Which isolate runs each actor, and what isolates send to each other.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::alarms::Alarms;
use super::sockets::{End, Item, Sockets};
use crate::lines::Hub;
use liveline_proto::{CloseCode, LineId, OwnerId};
use liveline_store::actor::{ActorStore, StorageError, StoreOptions};

/// How many events may wait for one actor. Further ones fail with an error that is `overloaded`.
const MAX_WAITING: usize = 10_000;

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
    alarm_changed: Notify,
    keeps_alarms: Once,
}

/// Settings of the actors of a process.
#[derive(Debug, Clone)]
pub(crate) struct ActorOptions {
    /// How long an actor whose sockets the host can hold may be without an event until it leaves memory.
    pub idle: Duration,
    /// The folder of the actors' files.
    pub folder: PathBuf,
}

#[derive(Default)]
pub(super) struct State {
    isolates: HashMap<u32, Entry>,
    /// The isolates of the generation that serves, by the number of their worker.
    serving: Vec<u32>,
    homes: HashMap<Actor, Home>,
    pub(super) sockets: Sockets,
    pub(super) alarms: Alarms,
    /// The number of the instance that was started last: later instances of an actor have higher ones.
    token: u64,
}

/// An isolate that runs actors, or calls them.
struct Entry {
    mail: mpsc::UnboundedSender<Mail>,
    /// Its code was replaced: actors leave it as soon as they are quiet.
    retires: bool,
}

/// Where an actor runs.
struct Home {
    isolate: u32,
    /// Events on their way to it.
    waiting: usize,
}

/// An actor: its class and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Actor {
    pub class: Arc<str>,
    /// 64 hexadecimal digits.
    pub id: Arc<str>,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.id)
    }
}

/// A message to an isolate.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Something for an actor: a request or a call.
    Event { from: u32, actor: Actor, name: Option<Arc<str>>, data: Vec<u8> },
    /// Something about a call, a stub or a stream, of another isolate or the same one.
    Peer { from: u32, data: Vec<u8> },
    /// A message or the end of a socket; `actor` if the socket is one that its actor may hibernate with.
    Socket { end: End, actor: Option<Actor>, item: Item, credit: Option<(LineId, usize)> },
    /// A call's result was not sent, because what the actor had written is lost.
    Failed { call: u32, message: Arc<str> },
    /// The storage of an actor has failed: its object ends.
    Broken { instance: u32, actor: Actor, message: Arc<str> },
    /// The alarm of an actor is due.
    Alarm { actor: Actor },
    /// An isolate ended. Calls that it has not answered fail.
    Gone { isolate: u32 },
    /// The isolate's code was replaced.
    Retire,
}

/// Why an event cannot be sent to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many events wait.
    Overloaded,
    /// The process stops.
    Stopping,
}

impl Actors {
    pub(crate) fn new(hub: Hub, options: ActorOptions) -> Actors {
        let actors = Actors(Arc::new(Inner {
            state: Mutex::default(),
            hub,
            owner: OnceLock::new(),
            options,
            store: OnceLock::new(),
            alarm_changed: Notify::new(),
            keeps_alarms: Once::new(),
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

    pub(super) fn options(&self) -> &ActorOptions {
        &self.0.options
    }

    pub(super) fn alarm_changed(&self) -> &Notify {
        &self.0.alarm_changed
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

    /// A number that is higher than those before.
    pub(super) fn next_token(&self) -> u64 {
        let mut state = self.lock();
        state.token += 1;
        state.token
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The owner of the lines of actors' sockets.
    pub(in crate::ext) fn line_owner(&self) -> OwnerId {
        *self.0.owner.get().expect("it is set when this is made")
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while this is locked")
    }

    // -- isolates ----------------------------------------------------------------------------------------------------

    /// A new isolate, whose mail the receiver gets.
    pub(crate) fn register(&self, owner: OwnerId) -> mpsc::UnboundedReceiver<Mail> {
        let (mail, inbox) = mpsc::unbounded_channel();
        self.lock().isolates.insert(owner.0, Entry { mail, retires: false });
        inbox
    }

    /// These isolates serve from now on, in the order of the workers. Actors leave the others.
    pub(crate) fn serve(&self, owners: impl Iterator<Item = OwnerId>) {
        let mut state = self.lock();
        state.serving = owners.map(|owner| owner.0).collect();
        let State { isolates, serving, homes, .. } = &mut *state;
        for (number, entry) in isolates.iter_mut() {
            let has_actors = homes.values().any(|home| home.isolate == *number);
            if !serving.contains(number) && has_actors && !entry.retires {
                entry.retires = true;
                let _ = entry.mail.send(Mail::Retire);
            }
        }
        drop(state);
        self.0.keeps_alarms.call_once(|| {
            self.hub().runtime().spawn(self.clone().keep_alarms());
        });
        let actors = self.clone();
        // This reads a file.
        self.hub().runtime().spawn_blocking(move || actors.load_alarms());
    }

    /// An isolate has ended. Its actors start anew elsewhere when they are called again.
    pub(crate) fn unregister(&self, owner: OwnerId) {
        let mut state = self.lock();
        if state.isolates.remove(&owner.0).is_none() {
            return;
        }
        state.serving.retain(|serving| *serving != owner.0);
        let State { homes, alarms, .. } = &mut *state;
        homes.retain(|actor, home| {
            let stays = home.isolate != owner.0;
            if !stays {
                alarms.lost(actor);
            }
            stays
        });
        for entry in state.isolates.values() {
            let _ = entry.mail.send(Mail::Gone { isolate: owner.0 });
        }
        let lines = state.isolate_ended(owner.0);
        drop(state);
        for line in lines {
            self.hub().turn().finish(line, CloseCode::IsolateLost.into());
        }
    }

    /// Whether an isolate runs no actor.
    pub(crate) fn is_idle(&self, owner: OwnerId) -> bool {
        !self.lock().homes.values().any(|home| home.isolate == owner.0)
    }

    /// How many actors run, and how many events wait for them.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            alive: state.homes.len(),
            waiting: state.homes.values().map(|home| home.waiting).sum(),
            hibernating: state.hibernating(),
            alarms: state.alarms.len(),
            alarms_due: state.alarms.due(),
        }
    }

    // -- mail --------------------------------------------------------------------------------------------------------

    /// Sends an event to an actor. Returns the isolate that runs it.
    pub(super) fn send_event(
        &self,
        from: u32,
        actor: Actor,
        name: Option<Arc<str>>,
        data: Vec<u8>,
    ) -> Result<u32, Refused> {
        let mut state = self.lock();
        state.to_actor(actor.clone(), Some(from), Mail::Event { from, actor, name, data })
    }

    /// Sends the alarm of an actor to it.
    pub(super) fn send_alarm(&self, actor: Actor) -> Result<u32, Refused> {
        self.lock().to_actor(actor.clone(), None, Mail::Alarm { actor })
    }

    /// Sends something to an isolate. False if the isolate has ended.
    pub(super) fn send_peer(&self, from: u32, to: u32, data: Vec<u8>) -> bool {
        let state = self.lock();
        state.isolates.get(&to).is_some_and(|entry| entry.mail.send(Mail::Peer { from, data }).is_ok())
    }

    /// An isolate has received an event of an actor.
    pub(super) fn received(&self, actor: &Actor) {
        if let Some(home) = self.lock().homes.get_mut(actor) {
            home.waiting = home.waiting.saturating_sub(1);
        }
    }

    /// The actor left its isolate, unless events are on their way to it there. Returns whether it left.
    pub(super) fn release(&self, isolate: u32, actor: &Actor) -> bool {
        let mut state = self.lock();
        match state.homes.get(actor) {
            Some(home) if home.isolate == isolate && home.waiting == 0 => {
                state.homes.remove(actor);
                true
            }
            Some(_) => false,
            None => true,
        }
    }
}

/// How many actors there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Actors that an isolate runs.
    pub alive: usize,
    /// Actors that no isolate runs and that have open sockets.
    pub hibernating: usize,
    /// Events that wait for actors.
    pub waiting: usize,
    /// Alarms that are set.
    pub alarms: usize,
    /// Alarms whose time has come and whose handlers have not ended.
    pub alarms_due: usize,
}

impl State {
    /// Sends mail to the isolate that runs an actor. `from` is where the actor runs if no code serves yet.
    pub(super) fn to_actor(&mut self, actor: Actor, from: Option<u32>, mail: Mail) -> Result<u32, Refused> {
        let number = match self.homes.get(&actor) {
            Some(home) if home.waiting >= MAX_WAITING => return Err(Refused::Overloaded),
            Some(home) => home.isolate,
            None => self.placed(&actor).or(from).ok_or(Refused::Stopping)?,
        };
        let entry = self.isolates.get(&number).ok_or(Refused::Stopping)?;
        entry.mail.send(mail).map_err(|_| Refused::Stopping)?;
        self.homes.entry(actor).or_insert(Home { isolate: number, waiting: 0 }).waiting += 1;
        Ok(number)
    }

    /// The isolate in which an actor starts.
    fn placed(&self, actor: &Actor) -> Option<u32> {
        let digits = actor.id.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok())?;
        let index = (digits as usize).checked_rem(self.serving.len())?;
        Some(self.serving[index])
    }

    /// Sends mail to an isolate.
    pub(super) fn to_isolate(&self, isolate: u32, mail: Mail) {
        if let Some(entry) = self.isolates.get(&isolate) {
            let _ = entry.mail.send(mail);
        }
    }

    /// Whether an isolate runs an actor.
    pub(super) fn is_home(&self, actor: &Actor) -> bool {
        self.homes.contains_key(actor)
    }
}
