//! The output gate of an actor: what leaves it waits until everything that it has written before is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

use super::directory::{Actors, Mail};
use super::sockets::{End, Item, OnLines};

/// What leaves an actor.
pub(super) enum Leaving {
    /// The result of a call.
    Reply { from: u32, to: u32, call: u32, data: Vec<u8> },
    /// A message or the end of one of its sockets.
    Socket { end: End, item: Item },
    /// Code of the actor waits before it does something that others can observe.
    Waiter(oneshot::Sender<()>),
}

/// See the module. Clones are the same gate.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    /// The current turn has written, and is not committed.
    is_dirty: bool,
    /// Commits that are not durable.
    unsynced: usize,
    queue: VecDeque<Leaving>,
    /// Somebody lets out what is queued.
    is_draining: bool,
    /// Why a commit was lost.
    failure: Option<Arc<str>>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("nothing panics while a gate is locked")
    }

    /// Something leaves the actor: now, or when what was written is durable.
    pub(super) fn pass(&self, actors: &Actors, leaving: Leaving) {
        let mut held = self.lock();
        if held.is_dirty || held.unsynced > 0 || held.is_draining || !held.queue.is_empty() {
            held.queue.push_back(leaving);
            return;
        }
        let failure = held.failure.clone();
        drop(held);
        carry_out(actors, leaving, failure.as_ref());
    }

    /// Whether what leaves is not held back.
    pub(super) fn is_open(&self) -> bool {
        let held = self.lock();
        !held.is_dirty && held.unsynced == 0 && !held.is_draining && held.queue.is_empty()
    }

    /// The current turn has written.
    pub(super) fn wrote(&self) {
        self.lock().is_dirty = true;
    }

    /// The turn was committed and becomes durable.
    pub(super) fn committed(&self) {
        let mut held = self.lock();
        held.is_dirty = false;
        held.unsynced += 1;
    }

    /// A commit is durable, or is lost. `flush`: frames are written at once, because no turn of an isolate ends.
    pub(super) fn synced(&self, actors: &Actors, failure: Option<String>) {
        {
            let mut held = self.lock();
            held.unsynced = held.unsynced.saturating_sub(1);
            if let Some(failure) = failure {
                held.failure = Some(failure.into());
            }
        }
        self.drain(actors);
    }

    /// The turn's writes were lost before they were committed.
    pub(super) fn lost(&self, actors: &Actors, failure: String) {
        {
            let mut held = self.lock();
            held.is_dirty = false;
            held.failure = Some(failure.into());
        }
        self.drain(actors);
    }

    /// The object has ended. What waits for a commit leaves when that is durable; what waits for writes that were not
    /// committed never leaves.
    pub(super) fn ended(&self, actors: &Actors) {
        let is_dirty = self.lock().is_dirty;
        if is_dirty {
            self.lost(
                actors,
                "the Durable Object was reset before what it had written was stored".to_owned(),
            );
        }
    }

    /// Lets out what is queued, in order.
    fn drain(&self, actors: &Actors) {
        loop {
            let mut held = self.lock();
            let is_closed = (held.is_dirty || held.unsynced > 0) && held.failure.is_none();
            if is_closed || held.queue.is_empty() {
                held.is_draining = false;
                break;
            }
            held.is_draining = true;
            let queue = std::mem::take(&mut held.queue);
            let failure = held.failure.clone();
            drop(held);
            for leaving in queue {
                carry_out(actors, leaving, failure.as_ref());
            }
        }
        actors.hub().flush();
    }
}

/// Sends what leaves. After a failure, callers receive the failure, and sockets nothing.
fn carry_out(actors: &Actors, leaving: Leaving, failure: Option<&Arc<str>>) {
    match (leaving, failure) {
        (Leaving::Reply { from, to, data, .. }, None) => drop(actors.send_peer(from, to, data)),
        (Leaving::Reply { to, call, .. }, Some(failure)) => {
            let mail = Mail::Failed { call, message: failure.clone() };
            actors.lock().to_isolate(to, mail);
        }
        (Leaving::Socket { end, item }, None) => {
            let mut on_lines = OnLines::default();
            actors.lock().send(end, item, &mut on_lines);
            on_lines.carry_out(actors);
        }
        (Leaving::Socket { .. }, Some(_)) => {}
        // The receiver is gone if the code was stopped. After a failure it learns of that by its next write.
        (Leaving::Waiter(waiter), _) => drop(waiter.send(())),
    }
}
