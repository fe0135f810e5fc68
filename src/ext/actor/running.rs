//! The actors of one isolate.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use deno_core::{OpState, op2};
use slab::Slab;
use tokio::sync::mpsc;

use super::directory::{Actors, Caller, Content, Failure, Mail};
use crate::ext::OpError;
use crate::lines::Hub;
use liveline_proto::actor::{self as engine, ActorId, EventId, GateId, Hold};
use liveline_proto::{LineId, OwnerId};
use liveline_store::actor::{ActorFiles, ActorStorage, Address, Commit, Savepoint, StorageError, StorageId};

/// The actors that an isolate runs, and its mail.
pub(crate) struct Running {
    pub(super) actors: Actors,
    pub(super) isolate: u32,
    pub(super) inbox: Inbox,
    instances: Slab<Instance>,
    /// The number of each instance here.
    numbers: HashMap<engine::Instance, u32>,
    /// The number of the instance of each storage.
    stored: HashMap<StorageId, u32>,
    /// The text that was sent last, so that the same text for many sockets is encoded once.
    pub(super) last: Option<liveline_proto::Frame>,
    /// JavaScript has work for a turn of its own.
    wants_turn: bool,
    /// The files of its actors, once one was used.
    files: Option<ActorFiles>,
}

/// The mail of an isolate.
pub(super) struct Inbox {
    pub mail: mpsc::UnboundedReceiver<Mail>,
    /// Received and not handled.
    pub next: Option<Mail>,
    /// What JavaScript has received of lines, to be acknowledged when it is done with it.
    pub credits: Vec<(LineId, usize)>,
}

/// An actor that the isolate runs.
pub(super) struct Instance {
    pub actor: Arc<ActorId>,
    /// How the engine knows it; also the token that its writes check.
    pub id: engine::Instance,
    /// Its storage, once it was used.
    storage: Option<StorageId>,
    /// The actor that it is a facet of, and its name there.
    facet_of: Option<(u32, String)>,
    savepoints: Vec<Savepoint>,
    /// Whether the engine knows that this turn has written.
    has_written: bool,
}

impl Running {
    pub(crate) fn new(actors: Actors, owner: OwnerId) -> Running {
        let mail = actors.register(owner);
        let inbox = Inbox { mail, next: None, credits: Vec::new() };
        Running {
            actors,
            isolate: owner.0,
            inbox,
            instances: Slab::new(),
            numbers: HashMap::new(),
            stored: HashMap::new(),
            last: None,
            wants_turn: false,
            files: None,
        }
    }

    pub(super) fn instance(&self, instance: u32) -> Option<&Instance> {
        self.instances.get(instance as usize)
    }

    /// An actor begins to run here. Returns its number.
    pub(super) fn begin(
        &mut self,
        actor: Arc<ActorId>,
        id: engine::Instance,
        facet_of: Option<(u32, String)>,
    ) -> u32 {
        let savepoints = Vec::new();
        let new = Instance { actor, id, storage: None, facet_of, savepoints, has_written: false };
        let number = self.instances.insert(new) as u32;
        self.numbers.insert(id, number);
        number
    }

    /// The number of an instance that has not ended here.
    pub(super) fn number_of(&self, id: engine::Instance) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    /// Whether there is mail, or JavaScript has work for a turn of its own. If not, the task of `cx` is woken when there
    /// is.
    pub(crate) fn poll_mail(&mut self, cx: &mut Context<'_>) -> bool {
        let is_wanted = std::mem::take(&mut self.wants_turn);
        let inbox = &mut self.inbox;
        if inbox.next.is_none()
            && let Poll::Ready(next) = inbox.mail.poll_recv(cx)
        {
            inbox.next = next;
        }
        is_wanted || self.inbox.next.is_some()
    }

    /// Whether JavaScript has work for a turn of its own.
    pub(crate) fn wants_turn(&self) -> bool {
        self.wants_turn
    }

    /// Whether it runs no actor.
    pub(crate) fn is_idle(&self) -> bool {
        self.actors.is_idle(OwnerId(self.isolate))
    }

    // -- storage -----------------------------------------------------------------------------------------------------

    /// The storage of an actor, which becomes its owner here with the first use.
    fn storage_of(&mut self, instance: u32) -> Result<StorageId, StorageError> {
        let ended = || StorageError::Misuse("the object has ended: its storage is closed".to_owned());
        let found = self.instances.get(instance as usize).ok_or_else(ended)?;
        if let Some(storage) = found.storage {
            return Ok(storage);
        }
        if self.files.is_none() {
            self.files = Some(self.actors.store()?.files());
        }
        let (facet_of, actor, token) = (found.facet_of.clone(), found.actor.clone(), found.id.token());
        let parent = match &facet_of {
            Some((parent, _)) => Some(self.storage_of(*parent)?),
            None => None,
        };
        let files = self.files.as_mut().expect("they were opened above");
        let storage = match (parent, facet_of) {
            (Some(parent), Some((_, name))) => files.start_facet(parent, &name)?,
            _ => files.start(Address::new(actor.class(), &actor.hex())?, token)?,
        };
        self.instances[instance as usize].storage = Some(storage);
        self.stored.insert(storage, instance);
        Ok(storage)
    }

    /// Runs a call of an actor's storage. After an error of the file the actor's object ends.
    pub(super) fn with_storage<T>(
        &mut self,
        instance: u32,
        work: impl FnOnce(&mut ActorStorage) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let storage = self.storage_of(instance).inspect_err(|error| self.broke(instance, error))?;
        let files = self.files.as_mut().expect("`storage_of` has opened the files");
        let storage = files.storage(storage)?;
        let result = work(storage);
        let holds_outputs = storage.holds_outputs();
        if let Some(found) = self.instances.get_mut(instance as usize)
            && holds_outputs
            && !found.has_written
        {
            found.has_written = true;
            let id = found.id;
            self.actors.engine(|engine| engine.written(id));
        }
        result.inspect_err(|error| self.broke(instance, error))
    }

    /// The object ends, if its storage cannot be used any more.
    fn broke(&self, instance: u32, error: &StorageError) {
        if let Some(found) = self.instances.get(instance as usize).filter(|_| error.is_fatal()) {
            let why = Failure::Host(error.to_string().into());
            self.actors.engine(|engine| engine.reset(found.id, why));
        }
    }

    /// The turn has ended: commits what the actors have written.
    pub(crate) fn commit(&mut self) {
        let Some(files) = &mut self.files else { return };
        for (storage, result) in files.commit_all() {
            let Some(number) = self.stored.get(&storage).copied() else { continue };
            let found = &mut self.instances[number as usize];
            match result {
                Ok(commit) => {
                    found.has_written = false;
                    self.sync(number, commit);
                }
                Err(error) => {
                    tracing::error!("{}: {error}", found.actor);
                    let (id, why) = (found.id, Failure::Host(error.to_string().into()));
                    self.actors.engine(|engine| engine.reset(id, why));
                }
            }
        }
    }

    /// What leaves the actor waits until a commit is durable.
    fn sync(&self, instance: u32, commit: Commit) {
        let (Ok(store), Some(found)) = (self.actors.store(), self.instance(instance)) else { return };
        let (id, ticket) = (found.id, commit.ticket);
        let alarm = commit.alarm.filter(|_| found.facet_of.is_none());
        self.actors.engine(|engine| {
            if let Some(due) = alarm {
                engine.set_alarm(&found.actor, due);
            }
            engine.committed(id, ticket);
        });
        let (actors, actor) = (self.actors.clone(), found.actor.clone());
        store.sync(commit, move |synced| {
            actors.engine(|engine| match synced {
                Ok(()) => engine.durable(id, ticket),
                Err(error) => {
                    tracing::error!("{actor}: {error}");
                    engine.reset(id, Failure::Host(error.to_string().into()));
                }
            });
            // No turn of an isolate ends here, which would write frames.
            actors.hub().flush();
        });
    }

    pub(super) fn push_savepoint(&mut self, instance: u32, savepoint: Savepoint) -> u32 {
        let Some(found) = self.instances.get_mut(instance as usize) else { return 0 };
        found.savepoints.push(savepoint);
        found.savepoints.len() as u32
    }

    /// The savepoint that was begun as this many were open.
    pub(super) fn savepoint(&self, instance: u32, number: u32) -> Result<Savepoint, StorageError> {
        let found = self.instances.get(instance as usize);
        let savepoint = found.and_then(|found| found.savepoints.get((number as usize).checked_sub(1)?));
        savepoint.copied().ok_or_else(|| StorageError::Misuse("the transaction has ended already".to_owned()))
    }

    pub(super) fn pop_savepoint(&mut self, instance: u32) {
        if let Some(found) = self.instances.get_mut(instance as usize) {
            found.savepoints.pop();
        }
    }

    /// Ends an instance. What it has not committed is rolled back.
    fn stop(&mut self, instance: u32) -> Option<engine::Instance> {
        let found = self.instances.try_remove(instance as usize)?;
        self.numbers.remove(&found.id);
        if let Some((files, storage)) = self.files.as_mut().zip(found.storage) {
            self.stored.remove(&storage);
            files.stop(storage);
        }
        Some(found.id)
    }

    /// Acknowledges what JavaScript has received of lines.
    pub(super) fn acknowledge(&mut self) {
        let hub: &Hub = self.actors.hub();
        if self.inbox.credits.is_empty() {
            return;
        }
        let mut turn = hub.deferred_turn();
        for (line, size) in self.inbox.credits.drain(..) {
            turn.acknowledge(line, size);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.actors.unregister(OwnerId(self.isolate));
    }
}

/// An instance of this isolate, for the engine.
fn known(state: &OpState, instance: u32) -> Option<(Actors, engine::Instance)> {
    let running = state.borrow::<Running>();
    running.instance(instance).map(|found| (running.actors.clone(), found.id))
}

/// The constructor of an actor has returned.
#[op2(fast)]
pub(crate) fn op_actor_started(state: &mut OpState, #[smi] instance: u32) {
    if let Some((actors, id)) = known(state, instance) {
        actors.engine(|engine| engine.started(id));
    }
}

/// The constructor has thrown; `error` is serialized. Returns whether that was for an alarm, so that nobody receives the
/// error.
#[op2(fast)]
pub(crate) fn op_actor_start_failed(
    state: &mut OpState,
    #[smi] instance: u32,
    #[buffer] error: &[u8],
) -> bool {
    let running = state.borrow_mut::<Running>();
    let Some(id) = running.stop(instance) else { return false };
    running.actors.engine(|engine| engine.start_failed(id, Failure::Thrown(error.into())))
}

/// The isolate no longer runs an actor's object, as the engine wants it.
#[op2(fast)]
pub(crate) fn op_actor_stopped(state: &mut OpState, #[smi] instance: u32) {
    let running = state.borrow_mut::<Running>();
    if let Some(id) = running.stop(instance) {
        running.actors.engine(|engine| engine.stopped(id));
    }
}

/// An actor's object cannot go on and ends; `error` is serialized. Events that come from now on make another one.
#[op2(fast)]
pub(crate) fn op_actor_reset(state: &mut OpState, #[smi] instance: u32, #[buffer] error: &[u8]) {
    let running = state.borrow_mut::<Running>();
    if let Some(id) = running.stop(instance) {
        running.actors.engine(|engine| {
            engine.reset(id, Failure::Thrown(error.into()));
            engine.stopped(id);
        });
    }
}

/// The handler of an event of an actor has ended.
#[op2(fast)]
pub(crate) fn op_actor_finished(state: &mut OpState, #[smi] instance: u32, #[number] event: u64) {
    if let Some((actors, id)) = known(state, instance) {
        actors.finished(id, EventId(event));
    }
}

/// Code of the isolate that an actor handles as an event, by its number; of a call if `call` is not 0. False if too many
/// events wait, or the actor has ended.
#[op2(fast)]
pub(crate) fn op_actor_enqueue(
    state: &mut OpState,
    #[smi] instance: u32,
    #[smi] number: u32,
    #[smi] isolate: u32,
    #[smi] call: u32,
) -> bool {
    let Some((actors, id)) = known(state, instance) else { return false };
    let caller = (call != 0).then_some(Caller { isolate, call });
    actors.engine(|engine| engine.send_to(id, Content::Local { number, caller }).is_ok())
}

/// Holds the events of an actor back: while a transaction runs, or for `blockConcurrencyWhile()`. Returns the number of
/// the gate.
#[op2(fast)]
#[number]
pub(crate) fn op_actor_close_gate(state: &mut OpState, #[smi] instance: u32) -> u64 {
    let closed =
        known(state, instance).and_then(|(actors, id)| actors.engine(|engine| engine.close_gate(id)));
    closed.map_or(0, |gate| gate.0)
}

/// Opens a gate.
#[op2(fast)]
pub(crate) fn op_actor_open_gate(state: &mut OpState, #[smi] instance: u32, #[number] gate: u64) {
    if let Some((actors, id)) = known(state, instance) {
        actors.engine(|engine| engine.open_gate(id, GateId(gate)));
    }
}

/// Something of an actor begins or ends that goes on without an event: a timer; or what keeps the actor in the isolate.
#[op2(fast)]
pub(crate) fn op_actor_hold(state: &mut OpState, #[smi] instance: u32, is_timer: bool, begins: bool) {
    let hold = if is_timer { Hold::Timer } else { Hold::Work };
    if let Some((actors, id)) = known(state, instance) {
        actors.engine(|engine| match begins {
            true => engine.hold(id, hold),
            false => engine.unhold(id, hold),
        });
    }
}

/// Whether what an actor sends leaves at once.
#[op2(fast)]
pub(crate) fn op_actor_is_open(state: &mut OpState, #[smi] instance: u32) -> bool {
    known(state, instance).is_none_or(|(actors, id)| actors.engine(|engine| engine.may_leave(id)))
}

/// Asks for another turn, in which JavaScript receives mail.
#[op2(fast)]
pub(crate) fn op_actor_again(state: &mut OpState) {
    state.borrow_mut::<Running>().wants_turn = true;
}

/// The isolate begins to run a facet of an actor that it runs. Returns its number here; -1 if it runs already.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_start_facet(state: &mut OpState, #[smi] parent: u32, #[string] name: String) -> i32 {
    let running = state.borrow_mut::<Running>();
    let Some(found) = running.instance(parent) else { return -1 };
    let facet = ActorId::parse(format!("{}/{name}", found.actor.class()), &found.actor.hex())
        .expect("an actor's id has the form of one");
    let parent_id = found.id;
    match running.actors.engine(|engine| engine.start_facet(parent_id, facet.clone())) {
        Some(id) => running.begin(Arc::new(facet), id, Some((parent, name))).cast_signed(),
        None => -1,
    }
}

/// Deletes the storage of a facet that does not run.
#[op2(fast)]
pub(crate) fn op_actor_delete_facet(
    state: &mut OpState,
    #[smi] parent: u32,
    #[string] name: &str,
) -> Result<(), OpError> {
    let running = state.borrow_mut::<Running>();
    let storage = running.storage_of(parent)?;
    running.files.as_mut().expect("`storage_of` has opened the files").delete_facet(storage, name)?;
    Ok(())
}

/// The number of this isolate.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_isolate(state: &mut OpState) -> u32 {
    state.borrow::<Running>().isolate
}
