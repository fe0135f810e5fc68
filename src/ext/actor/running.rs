//! The actors of one isolate.

use std::sync::Arc;
use std::task::{Context, Poll};

use deno_core::{OpState, op2};
use slab::Slab;
use tokio::sync::mpsc;

use super::directory::{Actor, Actors, Mail};
use super::gate::Gate;
use crate::ext::OpError;
use crate::lines::Hub;
use liveline_proto::{LineId, OwnerId};
use liveline_store::actor::{ActorFiles, ActorStorage, Address, Commit, Savepoint, StorageError, StorageId};

/// The actors that an isolate runs, and its mail.
pub(crate) struct Running {
    pub(super) actors: Actors,
    pub(super) isolate: u32,
    pub(super) inbox: Inbox,
    pub(super) instances: Slab<Instance>,
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
    pub actor: Actor,
    pub gate: Gate,
    /// Its storage, once it was used.
    storage: Option<StorageId>,
    /// The actor that it is a facet of, and its name there.
    facet_of: Option<(u32, String)>,
    savepoints: Vec<Savepoint>,
}

impl Instance {
    fn new(actor: Actor, facet_of: Option<(u32, String)>) -> Instance {
        Instance { actor, gate: Gate::default(), storage: None, facet_of, savepoints: Vec::new() }
    }
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
            last: None,
            wants_turn: false,
            files: None,
        }
    }

    pub(super) fn instance(&self, instance: u32) -> Option<&Instance> {
        self.instances.get(instance as usize)
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
        let facet_of = found.facet_of.clone();
        let address = Address::new(&found.actor.class, &found.actor.id)?;
        let parent = match &facet_of {
            Some((parent, _)) => Some(self.storage_of(*parent)?),
            None => None,
        };
        let files = self.files.as_mut().expect("they were opened above");
        let storage = match (parent, facet_of) {
            (Some(parent), Some((_, name))) => files.start_facet(parent, &name)?,
            _ => files.start(address, self.actors.next_token())?,
        };
        self.instances[instance as usize].storage = Some(storage);
        Ok(storage)
    }

    /// Runs a call of an actor's storage. After an error of the file the actor's object ends.
    pub(super) fn with_storage<T>(
        &mut self,
        instance: u32,
        work: impl FnOnce(&mut ActorStorage) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let storage = self.storage_of(instance).inspect_err(|error| self.broke(instance, error))?;
        let files = self.files.as_mut().expect("there is a storage");
        let storage = files.storage(storage)?;
        let result = work(storage);
        let has_writes = storage.has_writes();
        if let Some(found) = self.instances.get(instance as usize).filter(|_| has_writes) {
            found.gate.wrote();
        }
        result.inspect_err(|error| self.broke(instance, error))
    }

    /// The object ends in a later turn, if its storage cannot be used any more.
    fn broke(&self, instance: u32, error: &StorageError) {
        let Some(found) = self.instances.get(instance as usize).filter(|_| error.is_fatal()) else { return };
        let message: Arc<str> = error.to_string().into();
        let mail = Mail::Broken { instance, actor: found.actor.clone(), message };
        self.actors.lock().mail_isolate(self.isolate, mail);
    }

    /// The turn has ended: commits what the actors have written.
    pub(crate) fn commit(&mut self) {
        let Some(files) = &mut self.files else { return };
        for (storage, result) in files.commit_all() {
            let found = self.instances.iter().find(|(_, found)| found.storage == Some(storage));
            let Some((instance, found)) = found else { continue };
            match result {
                Ok(commit) => self.sync(instance as u32, found, commit),
                Err(error) => {
                    tracing::error!("{}: {error}", found.actor);
                    self.broke(instance as u32, &error);
                    found.gate.lost(&self.actors, error.to_string());
                }
            }
        }
    }

    /// What leaves the actor waits until a commit is durable.
    fn sync(&self, instance: u32, found: &Instance, commit: Commit) {
        let Ok(store) = self.actors.store() else { return };
        if let Some(due) = commit.alarm.filter(|_| found.facet_of.is_none()) {
            self.actors.set_alarm(&found.actor, due);
        }
        found.gate.committed();
        let (gate, actors, actor, isolate) =
            (found.gate.clone(), self.actors.clone(), found.actor.clone(), self.isolate);
        store.sync(commit, move |synced| {
            let failure = synced.err().map(|error| error.to_string());
            if let Some(message) = &failure {
                tracing::error!("{actor}: {message}");
                let mail = Mail::Broken { instance, actor, message: message.as_str().into() };
                actors.lock().mail_isolate(isolate, mail);
            }
            gate.synced(&actors, failure);
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
    fn stop(&mut self, instance: u32) {
        let Some(found) = self.instances.try_remove(instance as usize) else { return };
        if let Some((files, storage)) = self.files.as_mut().zip(found.storage) {
            files.stop(storage);
        }
        // Nothing that waited for its writes leaves any more.
        found.gate.ended(&self.actors);
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

pub(super) fn actor(class: &str, id: &str) -> Actor {
    Actor { class: Arc::from(class), id: Arc::from(id) }
}

/// The isolate begins to run an actor. Returns its number here.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_start(state: &mut OpState, #[string] class: &str, #[string] id: &str) -> u32 {
    let running = state.borrow_mut::<Running>();
    running.instances.insert(Instance::new(actor(class, id), None)) as u32
}

/// The isolate no longer runs an actor, unless events are on their way to it. Returns whether it left.
#[op2]
pub(crate) fn op_actor_leave(
    state: &mut OpState,
    #[smi] instance: u32,
    #[string] name: Option<String>,
) -> bool {
    let running = state.borrow_mut::<Running>();
    let Some(Instance { actor, facet_of, .. }) = running.instance(instance) else { return true };
    running.actors.lock().remember_name(actor, name.map(Arc::from));
    if facet_of.is_none() && !running.actors.release(running.isolate, actor) {
        return false;
    }
    running.stop(instance);
    true
}

/// The isolate no longer runs an actor's object. Events that are on their way to the actor make another one.
#[op2(fast)]
pub(crate) fn op_actor_reset(state: &mut OpState, #[smi] instance: u32) {
    state.borrow_mut::<Running>().stop(instance);
}

/// Whether what an actor sends leaves at once.
#[op2(fast)]
pub(crate) fn op_actor_is_open(state: &mut OpState, #[smi] instance: u32) -> bool {
    state.borrow::<Running>().instance(instance).is_none_or(|instance| instance.gate.is_open())
}

/// Asks for another turn, in which JavaScript receives mail.
#[op2(fast)]
pub(crate) fn op_actor_again(state: &mut OpState) {
    state.borrow_mut::<Running>().wants_turn = true;
}

/// After how many milliseconds without an event an actor may leave.
#[op2(fast)]
pub(crate) fn op_actor_idle(state: &mut OpState) -> f64 {
    state.borrow::<Running>().actors.options().idle.as_millis() as f64
}

/// The isolate begins to run a facet of an actor that it runs. Returns its number here.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_start_facet(
    state: &mut OpState,
    #[smi] parent: u32,
    #[string] name: String,
    #[string] class: &str,
    #[string] id: &str,
) -> u32 {
    let running = state.borrow_mut::<Running>();
    running.instances.insert(Instance::new(actor(class, id), Some((parent, name)))) as u32
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
    running.files.as_mut().expect("there is a storage").delete_facet(storage, name)?;
    Ok(())
}

/// The name of an actor that left its isolate with sockets; null if it has none.
#[op2]
#[string]
pub(crate) fn op_actor_remembered(
    state: &mut OpState,
    #[string] class: &str,
    #[string] id: &str,
) -> Option<String> {
    let name = state.borrow::<Running>().actors.lock().name_of(&actor(class, id));
    name.map(|name| name.to_string())
}

/// The number of this isolate.
#[op2(fast)]
#[smi]
pub(crate) fn op_actor_isolate(state: &mut OpState) -> u32 {
    state.borrow::<Running>().isolate
}
