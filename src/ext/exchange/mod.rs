//! The exchanges of one isolate. Half of `runtime-js/exchange.js`.
//!
//! This file has the ops, [`table`] the exchanges, [`slot`] what belongs to one of them, [`effects`] what the state
//! machine asks for, and [`ended`] what JavaScript is told at the end.

mod effects;
mod ended;
mod slot;
mod table;

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

pub(crate) use ended::Ended;
pub(in crate::ext) use ended::Phase;
pub(crate) use slot::{Begun, Call, Unanswered};
pub(in crate::ext) use slot::{BodyFault, Slot};
pub(crate) use table::{Exchanges, Mode};

use self::slot::Cause;
use super::{OpError, from_exception};
use crate::http::Answer;
use crate::lines::Hub;
use liveline_proto::{Close, CloseCode, ExchangeError, ExchangeId, Input, LineId};

/// The exchange that an op is about. Ops get its number as a float, which V8's fast calls pass as it is; a type of our
/// own would turn them into slow calls.
pub(super) struct Current<'a> {
    pub all: &'a mut Exchanges,
    pub id: ExchangeId,
}

/// The way from an op's arguments to its exchange.
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

    /// What belongs to it, while it has not ended.
    pub(super) fn slot(self) -> Result<&'a mut Slot, ExchangeError> {
        self.all.slot(self.id).ok_or(ExchangeError::Ended)
    }

    pub(super) fn phase(&mut self) -> Phase {
        self.all.phase(self.id)
    }

    /// Its line with the hub that has it, if it is live.
    pub(super) fn line(self) -> Option<(&'a Hub, LineId)> {
        let line = self.all.line(self.id)?;
        Some((&self.all.host.hub, line))
    }

    /// Whether HTTP's answer, and with it every header, has left.
    pub(super) fn is_answered(&mut self) -> bool {
        self.all.is_answered(self.id)
    }

    /// Whether the client is behind with what was sent last.
    pub(super) fn is_congested(&mut self) -> bool {
        self.all.is_congested(self.id)
    }

    /// The handler closed its line.
    pub(super) fn close(self) {
        self.all.close(self.id);
    }

    /// Closes its line once all is sent, and ends it.
    pub(super) fn finish(self, close: Close) {
        self.all.finish(self.id, close);
    }

    /// The request's body is not what it was read as.
    pub(super) fn ill_body(self, is_too_large: bool, text: &str) {
        self.all.ill_body(self.id, is_too_large, text);
    }

    /// Does something with its line: now, or when it opens, if ever.
    pub(super) fn on_line(self, act: impl FnOnce(&Hub, LineId) + 'static) {
        self.all.on_line(self.id, act);
    }
}

/// How far the exchange has come: a [`Phase`].
#[op2(fast)]
#[smi]
pub(crate) fn op_exchange_phase(state: &mut OpState, id: f64) -> u32 {
    state.exchange(id).phase() as u32
}

/// Something in JavaScript waits for the exchange's end from now on. False where that has come.
#[op2(fast)]
pub(crate) fn op_exchange_follow(state: &mut OpState, id: f64) -> bool {
    let Current { all, id } = state.exchange(id);
    all.follow(id)
}

/// Keeps the object of an exchange whose first turn was stopped before it could return it.
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

/// What keeps the exchange open: `exchange.js` numbers the inputs.
#[op2(fast)]
pub(crate) fn op_exchange_input(state: &mut OpState, id: f64, #[smi] input: u32) -> Result<(), OpError> {
    let input = match input {
        // One more handler runs for it.
        0 => Input::Started,
        // A handler has returned.
        1 => Input::Returned,
        // Something more keeps it open.
        2 => Input::Hold,
        // One hold is over.
        3 => Input::Release,
        // The response had its last state.
        _ => Input::Done,
    };
    // Only a hold matters to an exchange that is over.
    let must_be_open = matches!(input, Input::Hold);
    match state.exchange(id).input(input) {
        Err(error) if must_be_open => Err(error.into()),
        _ => Ok(()),
    }
}

/// The handler failed with `error`, or because it asked a client that cannot be asked. Reentrant: reading an error may
/// run its getters.
#[op2(fast, reentrant)]
pub(crate) fn op_exchange_fail<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    id: f64,
    error: v8::Local<'s, v8::Value>,
    is_unreachable: bool,
) {
    let diagnostic = from_exception(scope, error);
    let cause = if is_unreachable { Cause::Unreachable } else { Cause::Handler };
    let mut state = state.borrow_mut();
    let Current { all, id } = state.exchange(id);
    all.fail(id, cause, diagnostic, CloseCode::HandlerFailed.into());
}

/// The line that the handler passes on was lost.
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

/// One more of the messages that came together is being delivered: so many are now.
#[op2(fast)]
pub(crate) fn op_messages_heard(state: &mut OpState, #[smi] count: u32) {
    state.exchanges().begin_messages(count);
}
