//! The site's `_hub.js`, which decides on what pages of LARC send. Half of `runtime-js/larc/larc.js`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, Resource, ResourceId, op2};
use serde::Serialize;
use tokio::sync::Notify;

use super::Exchanges;
use crate::topics::{Gate, Question, Verdict};

/// An isolate that answers questions, until this is closed.
struct Answering {
    gate: Gate,
    closed: Notify,
}

impl Resource for Answering {
    fn name(&self) -> Cow<'_, str> {
        "larcGate".into()
    }

    fn close(self: Rc<Self>) {
        self.closed.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.gate.end();
    }
}

/// This isolate answers from now on.
#[op2(fast)]
#[smi]
pub(crate) fn op_larc_begin(state: &mut OpState) -> ResourceId {
    let gate = state.borrow::<Exchanges>().host.pages.gate().clone();
    gate.begin();
    state.resource_table.add(Answering { gate, closed: Notify::new() })
}

/// This isolate no longer answers.
#[op2(fast)]
pub(crate) fn op_larc_end(state: &mut OpState, #[smi] id: ResourceId) {
    if let Ok(answering) = state.resource_table.take::<Answering>(id) {
        answering.close();
    }
}

/// A question for JavaScript.
#[derive(Serialize)]
pub(crate) struct Asked {
    id: f64,
    caller: String,
    topic: String,
    data: String,
}

/// The next question; null: there are no more.
#[op2]
#[serde]
pub(crate) async fn op_larc_next(state: Rc<RefCell<OpState>>, #[smi] id: ResourceId) -> Option<Asked> {
    let answering = state.borrow().resource_table.get::<Answering>(id).ok()?;
    tokio::select! {
        Question { id, caller, topic, data } = answering.gate.next() => {
            Some(Asked { id: id as f64, caller: caller.to_string(), topic, data })
        }
        () = answering.closed.notified() => None,
    }
}

/// Answers a question: 0 passes, 1 replaces the data by JSON, 2 drops, 3 refuses with a reason.
#[op2(fast)]
pub(crate) fn op_larc_answer(state: &mut OpState, id: f64, kind: i32, #[string] text: String) {
    let verdict = match kind {
        0 => Verdict::Pass,
        1 => Verdict::Replace(text),
        2 => Verdict::Drop,
        _ => Verdict::Refuse(text),
    };
    // The number was made from an integer that is small.
    state.borrow::<Exchanges>().host.pages.gate().answer(id as u64, verdict);
}
