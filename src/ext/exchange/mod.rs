//! The exchanges of one isolate. Half of `runtime-js/exchange.js`.
//!
//! This file has the ops; [`table`]: the exchanges; [`slot`]: the data of one exchange; [`effects`]: the
//! effects of the state machine; [`ended`]: the phases, and the record of an end for JavaScript.

mod effects;
mod ended;
mod slot;
mod table;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

pub(crate) use ended::Ended;
pub(in crate::ext) use ended::Phase;
pub(crate) use slot::{Begun, Call, Unanswered};
pub(in crate::ext) use slot::{BodyFault, Slot};
pub(crate) use table::{Exchanges, Mode, Services};

use self::slot::Cause;
use super::{OpError, from_exception};
use crate::http::{Answer, Audience};
use crate::lines::Hub;
use liveline_proto::{Close, CloseCode, ExchangeError, ExchangeId, Input, LineId, QueuedFrame};

/// The exchange that an op works on. Ops receive its number as a float, which V8's fast calls pass unchanged;
/// a type of our own would turn them into slow calls.
pub(super) struct Current<'a> {
    pub all: &'a mut Exchanges,
    pub id: ExchangeId,
}

/// Looks up the exchange that the arguments of an op name.
pub(super) trait ExchangeState {
    fn exchanges(&mut self) -> &mut Exchanges;
    fn exchange(&mut self, id: f64) -> Current<'_>;
}

impl ExchangeState for OpState {
    fn exchanges(&mut self) -> &mut Exchanges {
        self.borrow_mut()
    }

    fn exchange(&mut self, id: f64) -> Current<'_> {
        Current { all: self.borrow_mut(), id: ExchangeId(id as u64) }
    }
}

impl<'a> Current<'a> {
    pub(super) fn input(&mut self, input: Input<Box<Answer>>) -> Result<(), ExchangeError> {
        self.all.input(self.id, input)
    }

    pub(super) fn send(&mut self, frame: QueuedFrame) -> Result<(), ExchangeError> {
        self.all.send(self.id, frame)
    }

    /// Its slot; an error if it has ended.
    pub(super) fn slot(self) -> Result<&'a mut Slot, ExchangeError> {
        self.all.slot(self.id).ok_or(ExchangeError::Ended)
    }

    pub(super) fn phase(&mut self) -> Phase {
        self.all.phase(self.id)
    }

    /// Its line and the hub, if a line is open.
    pub(super) fn line(self) -> Option<(&'a Hub, LineId)> {
        let line = self.all.line(self.id)?;
        Some((&self.all.host.hub, line))
    }

    /// Whether the HTTP answer, with all its headers, was sent.
    pub(super) fn is_answered(&mut self) -> bool {
        self.all.is_answered(self.id)
    }

    /// Whether the line's queue was congested after the last frame.
    pub(super) fn is_congested(&mut self) -> bool {
        self.all.is_congested(self.id)
    }

    /// Closes the exchange because the handler closed its line.
    pub(super) fn close(self) {
        self.all.close(self.id);
    }

    /// Ends the exchange; its line closes after all queued frames are sent.
    pub(super) fn finish(self, close: Close) {
        self.all.finish(self.id, close);
    }

    /// Records that the request body is malformed or beyond a limit.
    pub(super) fn ill_body(self, is_too_large: bool, text: &str) {
        self.all.ill_body(self.id, is_too_large, text);
    }

    /// Runs `act` on its line: now, or when the line opens. Dropped if no line opens.
    pub(super) fn on_line(self, act: impl FnOnce(&Hub, LineId) + 'static) {
        self.all.on_line(self.id, act);
    }
}

/// The phase of the exchange: a [`Phase`].
#[op2(fast)]
#[smi]
pub(crate) fn op_exchange_phase(state: &mut OpState, id: f64) -> u32 {
    state.exchange(id).phase() as u32
}

/// Registers that JavaScript waits for the end of the exchange. Returns false if it has ended.
#[op2(fast)]
pub(crate) fn op_exchange_follow(state: &mut OpState, id: f64) -> bool {
    let Current { all, id } = state.exchange(id);
    all.follow(id)
}

/// The client of the exchange gets one answer as it is, even if it asked for a stream of states.
#[op2(fast)]
pub(crate) fn op_exchange_plain(state: &mut OpState, id: f64) {
    if let Ok(slot) = state.exchange(id).slot()
        && matches!(slot.client, Audience::Stream(_))
    {
        slot.client = Audience::Plain;
    }
}

/// Stores the object of an exchange whose first turn was stopped before it could return the object.
#[op2(fast)]
pub(crate) fn op_exchange_attach<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
    object: v8::Local<'s, v8::Object>,
) {
    let Current { all, id } = state.exchange(id);
    all.attach(id, || v8::Global::new(scope, object));
}

/// Passes an input to the exchange, numbered as in `exchange.js`.
#[op2(fast)]
pub(crate) fn op_exchange_input(state: &mut OpState, id: f64, #[smi] input: u32) -> Result<(), OpError> {
    let input = match input {
        // A handler starts.
        0 => Input::Started,
        // A handler has returned.
        1 => Input::Returned,
        // One more hold (promise, callback or generator) keeps the exchange open.
        2 => Input::Hold,
        // One hold is over.
        3 => Input::Release,
        // Work begins that the answer does not wait for. Like a body that is still written, it keeps the exchange.
        5 => Input::StreamBegan,
        // Such work has ended.
        6 => Input::StreamEnded,
        // The response has sent its last state.
        4 => Input::Done,
        number => unreachable!("exchange.js has no input {number}"),
    };
    // After the end of the exchange, only what would keep it is an error.
    let must_be_open = matches!(input, Input::Hold | Input::StreamBegan);
    match state.exchange(id).input(input) {
        Err(error) if must_be_open => Err(error.into()),
        _ => Ok(()),
    }
}

/// The handler failed with `error`; `is_unreachable`: because it sent a request to a client that cannot
/// receive one. Reentrant: reading an error may run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_exchange_fail<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    id: f64,
    error: v8::Local<'s, v8::Value>,
    is_unreachable: bool,
    #[string] file: String,
    #[string] export: String,
) {
    let mut diagnostic = from_exception(scope, error);
    if !file.is_empty() {
        diagnostic.move_to_export(Path::new(&file), &export);
    }
    let cause = if is_unreachable { Cause::Unreachable } else { Cause::Handler };
    let mut state = state.borrow_mut();
    let Current { all, id } = state.exchange(id);
    all.fail(id, cause, diagnostic, CloseCode::HandlerFailed.into());
}

/// The upstream line that the handler relays was lost.
#[op2(fast)]
pub(crate) fn op_exchange_lost(state: &mut OpState, id: f64, #[string] reason: String) {
    let Current { all, id } = state.exchange(id);
    all.lose_upstream(id, reason);
}

/// The user navigated away and the handler did not object.
#[op2(fast)]
pub(crate) fn op_exchange_navigated(state: &mut OpState, id: f64) {
    state.exchange(id).finish(CloseCode::Navigated.into());
}
