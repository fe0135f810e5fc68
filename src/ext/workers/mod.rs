//! What the Workers dialect needs of the host. Half of `runtime-js/workers/`.
//!
//! | file | what it does |
//! |---|---|
//! | `triggers` | when times of cron expressions come, and which isolate handles each |
//! | `stores` | the files of D1 databases, KV namespaces and queues |
//! | `ops` | the ops of these |

mod ops;
mod stores;
mod triggers;

use std::cell::Cell;
use std::rc::Rc;

use deno_core::{OpState, op2};

pub(super) use ops::{
    op_d1_dump, op_d1_exec, op_d1_query, op_kv_delete, op_kv_get, op_kv_list, op_kv_put, op_queue_send,
    op_queue_settle, op_queue_take,
};
pub(crate) use stores::Stores;
pub(super) use triggers::{is_newest, op_cron_next, op_trigger_begin, op_trigger_claim};

/// Work of the isolate that belongs to no exchange, such as the handling of a cron's time. A retired isolate ends after
/// it.
#[derive(Default, Clone)]
pub(crate) struct Background(Rc<Cell<u32>>);

impl Background {
    /// Whether no such work runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.get() == 0
    }
}

/// Such work begins, or has ended.
#[op2(fast)]
pub(super) fn op_background(state: &mut OpState, begins: bool) {
    let Background(count) = state.borrow::<Background>();
    let now = if begins { count.get() + 1 } else { count.get().saturating_sub(1) };
    count.set(now);
}
