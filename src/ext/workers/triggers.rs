//! Times of cron expressions. All isolates of a generation know the expressions; the first one that claims a time handles
//! it. Isolates of older generations claim none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds, Year};
use deno_core::{OpState, op2};

use crate::ext::Exchanges;

/// The cron triggers of the process, which serves one project.
static TRIGGERS: Mutex<Option<Triggers>> = Mutex::new(None);

#[derive(Default)]
struct Triggers {
    /// The newest generation that handles triggers.
    newest: u64,
    /// The last time that was claimed, by cron expression.
    last: HashMap<String, f64>,
}

fn triggers<R>(run: impl FnOnce(&mut Triggers) -> R) -> R {
    let mut triggers = TRIGGERS.lock().unwrap_or_else(PoisonError::into_inner);
    run(triggers.get_or_insert_default())
}

/// The first time after another that a cron expression stands for, in milliseconds of Unix time; 0 for none.
#[op2(fast)]
pub(crate) fn op_cron_next(#[string] pattern: &str, after: f64) -> f64 {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .alternative_weekdays(true)
        .build();
    let after = DateTime::<Utc>::from_timestamp_millis(after as i64);
    let next = parser.parse(pattern).ok().zip(after);
    let next = next.and_then(|(cron, after)| cron.find_next_occurrence(&after, false).ok());
    next.map_or(0.0, |next| next.timestamp_millis() as f64)
}

/// The isolate handles triggers from now on; those of older generations do not.
#[op2(fast)]
pub(crate) fn op_trigger_begin(state: &mut OpState) {
    let code = state.borrow::<Exchanges>().host.code;
    triggers(|triggers| triggers.newest = triggers.newest.max(code));
    if let Some(stores) = &state.borrow::<Exchanges>().host.stores {
        // Isolates of older generations wait for messages of queues.
        stores.changed().notify_waiters();
    }
}

/// Whether the isolate is of the newest generation that handles triggers.
pub(in crate::ext) fn is_newest(state: &OpState) -> bool {
    let code = state.borrow::<Exchanges>().host.code;
    triggers(|triggers| code >= triggers.newest)
}

/// Whether the isolate is to handle a time of a cron expression: it is of the newest generation, and nobody else handles
/// the time.
#[op2(fast)]
pub(crate) fn op_trigger_claim(state: &mut OpState, #[string] pattern: &str, time: f64) -> bool {
    let code = state.borrow::<Exchanges>().host.code;
    triggers(|triggers| {
        if code < triggers.newest {
            return false;
        }
        let last = triggers.last.entry(pattern.to_owned()).or_insert(0.0);
        let is_first = time > *last;
        *last = last.max(time);
        is_first
    })
}
