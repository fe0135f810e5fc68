//! Continues after a turn was terminated or the heap was full.

use std::cell::Cell;
use std::rc::Rc;

use deno_core::error::JsStackFrame;
use deno_core::{JsRuntime, v8};

use super::Isolate;
use super::functions::Function;
use crate::ext::{Memory, Streams, current_exchange, place_of_frame};
use crate::script::watchdog::{LOADING_LIMITS, TerminationReason};
use liveline_compiler::{Diagnostic, Place};
use liveline_proto::ExchangeId;

/// The bytes that an isolate at its heap limit may still allocate until it has stopped; without them V8 would end the
/// process.
const HEAP_TO_UNWIND: usize = 1 << 30;

/// An isolate whose heap was full goes on if, after a collection, at least this fraction of the limit is free: one in
/// four.
const HEAP_TO_GO_ON: usize = 4;

/// After this many terminations in a row of code whose exchange was terminated before, the turn's microtasks are
/// dropped, because that code may go on in them.
const STRIKES: u32 = 4;

impl Isolate {
    /// Handles the termination of the last turn. The exchange whose code ran fails; the others go on.
    pub(super) fn recover(&self, reason: TerminationReason) {
        let (left, context) = {
            let mut runtime = self.runtime.borrow_mut();
            runtime.v8_isolate().cancel_terminate_execution();
            self.microtasks.give_back();
            deno_core::scope!(scope, &mut *runtime);
            let left = current_exchange(scope);
            let context = scope.get_continuation_preserved_embedder_data();
            let context = v8::Global::new(scope, context);
            let undefined = v8::undefined(scope).into();
            scope.set_continuation_preserved_embedder_data(undefined);
            (left, context)
        };
        let (context, error) = self.terminator.take_stopped(context);
        let place = error.and_then(|error| self.place_of(&error));
        let culprit = self.terminator.take_culprit(left.map(|exchange| exchange.0)).map(ExchangeId);
        self.count_strike(culprit);
        let why = Diagnostic { place, ..Diagnostic::new(self.describe_termination(reason)) };
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
                v8::Boolean::new(scope, self.loader.has_required()).into(),
                context.map_or_else(|| v8::undefined(scope).into(), |it| v8::Local::new(scope, it)),
            ];
            functions.call(scope, Function::Stopped, &arguments);
        });
        self.microtasks.give_back();
        self.wake();
    }

    /// Where an error was made. No code of handlers runs for that, because it might not end, either.
    fn place_of(&self, error: &v8::Global<v8::Value>) -> Option<Place> {
        let mut runtime = self.runtime.borrow_mut();
        deno_core::scope!(scope, &mut *runtime);
        let error = v8::Local::new(scope, error);
        let message = v8::Exception::create_message(scope, error);
        place_of_frame(&JsStackFrame::from_v8_message(scope, message)?)
    }

    /// Code of a terminated exchange may go on in microtasks. If that does not end, the microtasks are dropped.
    fn count_strike(&self, culprit: Option<ExchangeId>) {
        let is_alive =
            culprit.is_some_and(|exchange| self.with_exchanges(|exchanges| exchanges.knows(exchange)));
        self.strikes.set(if is_alive { 0 } else { self.strikes.get() + 1 });
        self.terminator.keep_microtasks(self.strikes.get() < STRIKES);
    }

    /// After the heap was full, or came near V8's limit and was allowed to grow until the code that filled it had
    /// stopped: the live objects that remain decide whether the isolate can go on. Called before the next turn, and not
    /// at the end of the turn that filled the heap, because the collections would delay that turn's answers.
    pub(super) fn look_at_heap(&self) {
        if self.is_ending.get() {
            return;
        }
        let Some(limit) = self.near_limit.take() else { return };
        let mut runtime = self.runtime.borrow_mut();
        runtime.v8_isolate().low_memory_notification();
        self.memory.look(runtime.v8_isolate());
        // Blobs that are garbage are freed only after the event loop was polled.
        let looks_again = !self.looked.get() && self.memory.stores() > self.limits.heap / HEAP_TO_GO_ON;
        self.looked.set(looks_again);
        let used = runtime.v8_isolate().get_heap_statistics().used_heap_size() + self.memory.outside();
        // If more is used than the limit, V8 sets the limit a quarter above that.
        runtime.remove_near_heap_limit_callback(limit);
        guard_heap(&mut runtime, &self.near_limit, &self.memory);
        if looks_again {
            self.near_limit.set(Some(limit));
            self.wake();
        } else if used > self.limits.heap - self.limits.heap / HEAP_TO_GO_ON {
            // An isolate that fills its heap once more, before another has replaced it, does not have to end its lines
            // yet.
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
            TerminationReason::Cpu if self.counter.is_loading() => {
                let limit = LOADING_LIMITS * self.limits.cpu;
                format!("a module ran for {limit:?} without yielding and was stopped (see --cpu-timeout)")
            }
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

/// Lets `memory` look at code that comes near V8's limit, and records that limit.
pub(super) fn guard_heap(runtime: &mut JsRuntime, near_limit: &Rc<Cell<Option<usize>>>, memory: &Memory) {
    let (near_limit, memory) = (near_limit.clone(), memory.clone());
    runtime.add_near_heap_limit_callback(move |current, initial| {
        near_limit.set(Some(initial));
        // V8 also asks for more heap before it throws the error for a buffer whose allocation was refused.
        if !memory.is_refusing() {
            memory.doubt();
        }
        current + HEAP_TO_UNWIND
    });
}
