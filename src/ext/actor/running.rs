//! The actors of one isolate.

use std::sync::Arc;
use std::task::{Context, Poll};

use deno_core::{OpState, op2};
use slab::Slab;
use tokio::sync::mpsc;

use super::directory::{Actor, Actors, Mail};
use super::gate::Gate;
use crate::lines::Hub;
use liveline_proto::{LineId, OwnerId};

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
}

impl Running {
    pub(crate) fn new(actors: Actors, owner: OwnerId) -> Running {
        let mail = actors.register(owner);
        let inbox = Inbox { mail, next: None, credits: Vec::new() };
        Running { actors, isolate: owner.0, inbox, instances: Slab::new(), last: None, wants_turn: false }
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

    /// Whether it runs no actor.
    pub(crate) fn is_idle(&self) -> bool {
        self.actors.is_idle(OwnerId(self.isolate))
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
    running.instances.insert(Instance { actor: actor(class, id), gate: Gate::default() }) as u32
}

/// The isolate no longer runs an actor, unless events are on their way to it. Returns whether it left.
#[op2(fast)]
pub(crate) fn op_actor_leave(state: &mut OpState, #[smi] instance: u32) -> bool {
    let running = state.borrow_mut::<Running>();
    let Some(Instance { actor, .. }) = running.instance(instance) else { return true };
    if !running.actors.release(running.isolate, actor) {
        return false;
    }
    running.instances.remove(instance as usize);
    true
}

/// The isolate no longer runs an actor's object. Events that are on their way to the actor make another one.
#[op2(fast)]
pub(crate) fn op_actor_reset(state: &mut OpState, #[smi] instance: u32) {
    state.borrow_mut::<Running>().instances.try_remove(instance as usize);
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
