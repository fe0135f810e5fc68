//! The alarms of all actors: when each is due, and when one whose handler has failed is tried again.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::directory::{Actor, Actors};

/// How often the handler of an alarm is run again after it has failed.
pub(super) const MAX_RETRIES: u32 = 6;

/// The time until the first retry, in milliseconds; it doubles with each.
const FIRST_RETRY: i64 = 2000;

/// When an alarm is tried again that could not be sent, in milliseconds.
const UNSENT: i64 = 500;

/// The longest sleep: the clock of the machine may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Alarms {
    /// By time, in milliseconds since 1970.
    by_time: BTreeSet<(i64, Actor)>,
    times: HashMap<Actor, i64>,
    /// Alarms that were sent to their actors, and how often the handler of each has failed.
    sent: HashMap<Actor, u32>,
    /// Alarms that wait for a retry, likewise.
    failed: HashMap<Actor, u32>,
}

impl Alarms {
    fn set(&mut self, actor: &Actor, due: Option<i64>) {
        if let Some(before) = self.times.remove(actor) {
            self.by_time.remove(&(before, actor.clone()));
        }
        if let Some(due) = due {
            self.times.insert(actor.clone(), due);
            self.by_time.insert((due, actor.clone()));
        }
    }

    /// How many are due.
    pub(super) fn due(&self) -> usize {
        let now = now();
        self.by_time.iter().take_while(|(due, _)| *due <= now).count() + self.sent.len()
    }

    /// How many are set.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// An isolate ended, and with it the handlers of these actors' alarms: they are run again.
    pub(super) fn lost(&mut self, actor: &Actor) {
        if let Some(failures) = self.sent.remove(actor) {
            self.failed.insert(actor.clone(), failures);
            self.set(actor, Some(now() + FIRST_RETRY));
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Actors {
    /// The alarm of an actor is set, or deleted.
    pub(super) fn set_alarm(&self, actor: &Actor, due: Option<i64>) {
        let mut state = self.lock();
        state.alarms.failed.remove(actor);
        state.alarms.set(actor, due);
        drop(state);
        self.alarm_changed().notify_one();
    }

    /// How often the handler of an alarm that was sent has failed.
    pub(super) fn alarm_failures(&self, actor: &Actor) -> u32 {
        self.lock().alarms.sent.get(actor).copied().unwrap_or_default()
    }

    /// The handler of an alarm has failed, and runs again after a while.
    pub(super) fn retry_alarm(&self, actor: &Actor) {
        let mut state = self.lock();
        let failures = state.alarms.sent.remove(actor).unwrap_or_default();
        state.alarms.failed.insert(actor.clone(), failures + 1);
        state.alarms.set(actor, Some(now() + (FIRST_RETRY << failures.min(16))));
        drop(state);
        self.alarm_changed().notify_one();
    }

    /// The handler of an alarm has ended for good.
    pub(super) fn alarm_ended(&self, actor: &Actor) {
        self.lock().alarms.sent.remove(actor);
    }

    /// Reads the alarms that were set before. Those that are known already stay as they are.
    pub(super) fn load_alarms(&self) {
        let Some(Ok(store)) = self.existing_store() else { return };
        let all = match store.alarms().all() {
            Ok(all) => all,
            Err(error) => return tracing::error!("the alarms of actors cannot be read: {error}"),
        };
        let mut state = self.lock();
        for indexed in all {
            let actor = Actor { class: indexed.address.class().into(), id: indexed.address.id().into() };
            let alarms = &mut state.alarms;
            if !alarms.times.contains_key(&actor) && !alarms.sent.contains_key(&actor) {
                alarms.set(&actor, Some(indexed.due));
            }
        }
        drop(state);
        self.alarm_changed().notify_one();
    }

    /// Sends alarms when they are due. Never ready.
    pub(super) async fn keep_alarms(self) {
        loop {
            let next = self.send_due_alarms();
            let wait = next.map(|due| Duration::from_millis((due - now()).max(0).cast_unsigned()));
            let wait = wait.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.alarm_changed().notified() => {}
            }
        }
    }

    /// Sends what is due. Returns when the next one is.
    fn send_due_alarms(&self) -> Option<i64> {
        loop {
            let (due, actor) = self.lock().alarms.by_time.first().cloned()?;
            if due > now() {
                return Some(due);
            }
            let mut state = self.lock();
            state.alarms.set(&actor, None);
            let failures = state.alarms.failed.remove(&actor).unwrap_or_default();
            state.alarms.sent.insert(actor.clone(), failures);
            drop(state);
            if self.send_alarm(actor.clone()).is_err() {
                let mut state = self.lock();
                state.alarms.sent.remove(&actor);
                state.alarms.failed.insert(actor.clone(), failures);
                state.alarms.set(&actor, Some(now() + UNSENT));
                return Some(now() + UNSENT);
            }
        }
    }
}
