//! Goes on after a turn was terminated or the heap was full.

use std::cell::Cell;
use std::rc::Rc;

use deno_core::{JsRuntime, v8};

use super::Isolate;
use super::functions::Function;
use crate::ext::{Memory, Streams, current_exchange};
use crate::script::engine::Terminator;
use crate::script::watchdog::TerminationReason;
use liveline_compiler::Diagnostic;
use liveline_proto::ExchangeId;

/// What an isolate at its heap limit may still allocate until it has stopped; without it V8 would end the process.
const HEAP_TO_UNWIND: usize = 1 << 30;

/// An isolate whose heap was full goes on if so much of it is free without the garbage: one in so many parts.
const HEAP_TO_GO_ON: usize = 4;

/// So many times code is stopped that runs on for an exchange that was stopped before, until the microtasks of the
/// turn are given up, which may be what it goes on with.
const STRIKES: u32 = 4;

impl Isolate {
    /// The turn that just ended was stopped. The exchange whose code ran fails; the others go on.
    pub(super) fn recover(&self, reason: TerminationReason) {
        let left = {
            let mut runtime = self.runtime.borrow_mut();
            runtime.v8_isolate().cancel_terminate_execution();
            self.microtasks.give_back();
            deno_core::scope!(scope, &mut *runtime);
            let left = current_exchange(scope);
            let undefined = v8::undefined(scope).into();
            scope.set_continuation_preserved_embedder_data(undefined);
            left
        };
        let culprit = self.terminator.take_culprit(left.map(|exchange| exchange.0)).map(ExchangeId);
        self.count_strike(culprit);
        let why = Diagnostic::new(self.describe_termination(reason));
        let object = culprit.and_then(|exchange| self.with_exchanges(|exchanges| exchanges.object(exchange)));
        match culprit {
            Some(exchange) => {
                self.with_exchanges(|exchanges| exchanges.stop(exchange, why));
                self.state.borrow_mut().borrow_mut::<Streams>().stopped(exchange);
            }
            None => {
                self.stopped_outside.set(Some(reason));
                tracing::error!(target: "liveline::handler", "outside of any exchange: {why}");
            }
        }
        self.enter(|scope, functions| {
            let arguments = [
                v8::Number::new(scope, culprit.map_or(-1.0, |exchange| exchange.0 as f64)).into(),
                object.map_or_else(|| v8::undefined(scope).into(), |it| v8::Local::new(scope, it).into()),
                v8::Boolean::new(scope, reason == TerminationReason::Heap).into(),
            ];
            functions.call(scope, Function::Stopped, &arguments);
        });
        self.microtasks.give_back();
        self.wake();
    }

    /// Code of an exchange that was stopped may go on in microtasks. Where that does not end, they are given up.
    fn count_strike(&self, culprit: Option<ExchangeId>) {
        let is_alive =
            culprit.is_some_and(|exchange| self.with_exchanges(|exchanges| exchanges.knows(exchange)));
        self.strikes.set(if is_alive { 0 } else { self.strikes.get() + 1 });
        self.terminator.keep_microtasks(self.strikes.get() < STRIKES);
    }

    /// The heap came near its limit, and was allowed to grow until the code that filled it had stopped. What is no
    /// garbage now decides whether the isolate can go on.
    pub(super) fn look_at_heap(&self, limit: usize) {
        let mut runtime = self.runtime.borrow_mut();
        runtime.v8_isolate().low_memory_notification();
        self.memory.look(runtime.v8_isolate());
        // Blobs that are garbage go when the event loop has had a turn.
        let looks_again = !self.looked.get() && self.memory.stores() > self.limits.heap / HEAP_TO_GO_ON;
        self.looked.set(looks_again);
        let used = runtime.v8_isolate().get_heap_statistics().used_heap_size() + self.memory.outside();
        // Where more is used, V8 leaves a quarter above that.
        runtime.remove_near_heap_limit_callback(limit);
        guard_heap(&mut runtime, &self.terminator, &self.near_limit, &self.memory);
        if looks_again {
            self.near_limit.set(Some(limit));
            self.wake();
        } else if used > self.limits.heap - self.limits.heap / HEAP_TO_GO_ON {
            // One that fills once more until another has taken its place is no reason to end its lines yet.
            let is_spent = used > self.limits.heap + self.limits.heap / 2;
            self.memory.leave(used);
            let (used, limit) = (used >> 20, self.limits.heap >> 20);
            let more = if is_spent { ", and its lines are closed with 1011" } else { "" };
            tracing::warn!(
                "the handlers of an isolate keep {used} MiB of its heap of {limit} MiB; another takes its place{more}"
            );
            self.is_spent.set(is_spent);
            self.filled.notify_one();
        }
    }

    pub(super) fn describe_termination(&self, reason: TerminationReason) -> String {
        match reason {
            TerminationReason::Cpu => {
                format!("the handler ran for {:?} without yielding and was stopped", self.limits.cpu)
            }
            TerminationReason::Heap => {
                let mebibytes = self.limits.heap >> 20;
                format!("the handler was stopped because the heap of its isolate is full ({mebibytes} MiB)")
            }
        }
    }
}

/// Stops whoever fills the heap. Notes the limit that this went over.
pub(super) fn guard_heap(
    runtime: &mut JsRuntime,
    terminator: &Terminator,
    near_limit: &Rc<Cell<Option<usize>>>,
    memory: &Memory,
) {
    let (terminator, near_limit, memory) = (terminator.clone(), near_limit.clone(), memory.clone());
    runtime.add_near_heap_limit_callback(move |current, initial| {
        near_limit.set(Some(initial));
        // V8 asks for more heap for a buffer that was refused, too, before it throws an error.
        if !memory.is_refusing(initial) {
            terminator.heap_is_full();
        }
        current + HEAP_TO_UNWIND
    });
}
