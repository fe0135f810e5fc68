//! Terminates JavaScript that does not yield, or that fills its heap, and detects code that cannot be terminated.
//!
//! While a turn runs, the watchdog asks V8 repeatedly which exchange's code runs; V8 answers at the next point where it
//! can be interrupted. An exchange that was seen running for the whole limit is terminated. Nothing else is: neither
//! the exchange whose code happens to run next, nor the host's own code between two exchanges. If no answer comes, V8
//! executes something that it cannot interrupt; if that lasts, the isolate is lost.
//!
//! While a debugger is attached, code may be paused, and nothing is terminated.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::engine::Terminator;
use super::inspector::DebugTime;

/// Why an isolate's turn was terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminationReason {
    /// An exchange ran too long without yielding.
    Cpu,
    /// Its heap reached the limit.
    Heap,
}

/// Counts entries into JavaScript and exits from it, so the count is odd while code runs.
#[derive(Default)]
pub(super) struct ExecutionCounter {
    count: AtomicU64,
    reason: AtomicU8,
    lost: AtomicBool,
    halted: AtomicBool,
    /// The exchange that the turn was begun for, plus one; 0 if there is none or it is not known.
    exchange: AtomicU64,
    /// Handlers are being loaded.
    loads: AtomicBool,
}

const RAN_TOO_LONG: u8 = 1;
const HEAP_IS_FULL: u8 = 2;

impl ExecutionCounter {
    /// Counts an entry into JavaScript, and the exit when the guard is dropped.
    pub(super) fn enter(&self) -> Running<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// The number of entries into JavaScript and exits from it.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Sets the exchange of the next turn, for the log.
    pub(super) fn set_exchange(&self, exchange: Option<u64>) {
        self.exchange.store(exchange.map_or(0, |exchange| exchange + 1), Ordering::Relaxed);
    }

    /// The exchange that the running turn was begun for, if it is known.
    pub(super) fn exchange(&self) -> Option<u64> {
        self.exchange.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Handlers are loaded until the guard is dropped: their modules may run for longer than an exchange.
    pub(super) fn load(&self) -> Loading<'_> {
        self.loads.store(true, Ordering::Relaxed);
        Loading(self)
    }

    /// Whether handlers are being loaded.
    pub(super) fn is_loading(&self) -> bool {
        self.loads.load(Ordering::Relaxed)
    }

    /// Records why the turn is terminated. The first reason counts.
    pub(super) fn terminated(&self, reason: TerminationReason) {
        let code = match reason {
            TerminationReason::Cpu => RAN_TOO_LONG,
            TerminationReason::Heap => HEAP_IS_FULL,
        };
        let _ = self.reason.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the isolate's turn was terminated since the last call of [`ExecutionCounter::take_reason`].
    pub(super) fn is_terminated(&self) -> bool {
        self.reason.load(Ordering::Relaxed) != 0
    }

    /// Why the isolate's turn was terminated since the last call.
    pub(super) fn take_reason(&self) -> Option<TerminationReason> {
        match self.reason.load(Ordering::Relaxed) {
            0 => None,
            _ => match self.reason.swap(0, Ordering::Relaxed) {
                RAN_TOO_LONG => Some(TerminationReason::Cpu),
                HEAP_IS_FULL => Some(TerminationReason::Heap),
                _ => None,
            },
        }
    }

    /// Records that the isolate's thread has stopped for good.
    #[allow(dead_code, reason = "only V8 on Linux halts threads")]
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Whether the isolate was given up. Its code must not run again.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

/// See [`ExecutionCounter::enter`].
pub(super) struct Running<'a>(&'a ExecutionCounter);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// See [`ExecutionCounter::load`].
pub(super) struct Loading<'a>(&'a ExecutionCounter);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loads.store(false, Ordering::Relaxed);
    }
}

/// Modules may run for this many limits of an exchange while handlers are loaded.
pub(super) const LOADING_LIMITS: u32 = 10;

/// The limits of running code.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunLimits {
    /// For one exchange, without yielding.
    pub exchange: Duration,
    /// For modules while handlers are loaded, which no visitor causes: large packages take seconds.
    pub loading: Duration,
    /// For code that goes on after it was terminated.
    pub stopping: Duration,
}

impl RunLimits {
    pub(super) fn new(exchange: Duration) -> RunLimits {
        RunLimits {
            exchange,
            loading: LOADING_LIMITS * exchange,
            stopping: exchange.max(Duration::from_secs(1)),
        }
    }

    /// The limit of an exchange, plus one, or of the code outside of any exchange, which is 0.
    fn of(self, exchange: u64, loads: bool) -> Duration {
        if exchange == 0 && loads { self.loading } else { self.exchange }
    }
}

/// Further duties of the watchdog.
pub(super) trait Watched: Send {
    /// Called repeatedly while a turn lasts, for work that otherwise waits for the end of the turn.
    fn meanwhile(&self);
    /// Called when the isolate is lost: its code runs on and cannot be stopped. `exchange` is the one it runs for, if
    /// that is known.
    fn lost(&self, exchange: Option<u64>);
}

/// Watches the isolate of the calling thread from a thread of its own, until the counter is dropped or the isolate is
/// lost.
pub(super) fn watch(
    counter: &Arc<ExecutionCounter>,
    terminator: Terminator,
    limits: RunLimits,
    debug_time: DebugTime,
    watched: impl Watched + 'static,
) {
    let counter = Arc::downgrade(counter);
    let clock = Clock::of_this_thread();
    let thread = std::thread::Builder::new().name("liveline-watchdog".into());
    let watching =
        thread.spawn(move || keep_watch(&counter, &terminator, &clock, limits, &debug_time, &watched));
    if let Err(error) = watching {
        tracing::warn!("no watchdog for endless loops: {error}");
    }
}

fn keep_watch(
    counter: &Weak<ExecutionCounter>,
    terminator: &Terminator,
    clock: &Clock,
    limits: RunLimits,
    debug_time: &DebugTime,
    watched: &dyn Watched,
) {
    let interval = (limits.exchange / 20).clamp(Duration::from_millis(5), Duration::from_millis(50));
    let mut turn = Turn::begin(0, None, clock.now());
    while let Some(alive) = counter.upgrade() {
        let count = alive.count();
        if alive.halted.load(Ordering::Relaxed) {
            alive.lost.store(true, Ordering::Relaxed);
            return watched.lost(alive.exchange());
        }
        if debug_time.is_attached() {
            turn = Turn::begin(count, alive.exchange(), clock.now());
            watched.meanwhile();
        } else if count != turn.count {
            turn = Turn::begin(count, alive.exchange(), clock.now());
        } else if !count.is_multiple_of(2) {
            match turn.look(terminator, clock.now(), limits, alive.is_loading()) {
                Look::Fine => watched.meanwhile(),
                Look::Over { exchange } => terminator.condemn(count, Some(exchange), TerminationReason::Cpu),
                Look::Lost => {
                    alive.lost.store(true, Ordering::Relaxed);
                    return watched.lost(alive.exchange());
                }
            }
        }
        drop(alive);
        // Code that was seen running is looked at more often, so that it is not stopped long after its limit.
        std::thread::sleep(if turn.looks > 0 { interval / 4 } else { interval });
    }
}

/// The watchdog's record of a turn.
struct Turn {
    count: u64,
    began: Reading,
    /// The time of the last look, and the number of looks.
    looked: Reading,
    looks: u64,
    /// The number of the question whose answer is awaited.
    asked: Option<u64>,
    /// The time of the last answer, and the exchange that it named, plus one; before the first answer, the exchange
    /// that the turn was begun for.
    answered: Reading,
    last: Option<u64>,
    /// For how long each exchange was seen running in this turn.
    ran: HashMap<u64, Duration>,
    /// The exchange to terminate as soon as it is seen running.
    condemned: Option<u64>,
}

enum Look {
    Fine,
    /// An exchange used up its limit.
    Over {
        exchange: u64,
    },
    Lost,
}

impl Turn {
    fn begin(count: u64, of: Option<u64>, now: Reading) -> Turn {
        let (ran, last) = (HashMap::new(), of.map(|exchange| exchange + 1));
        Turn {
            count,
            began: now,
            looked: now,
            looks: 0,
            asked: None,
            answered: now,
            last,
            ran,
            condemned: None,
        }
    }

    fn look(&mut self, terminator: &Terminator, now: Reading, limits: RunLimits, loads: bool) -> Look {
        let before = std::mem::replace(&mut self.looked, now);
        self.looks += 1;
        let question = *self.asked.get_or_insert_with(|| terminator.ask());
        if !terminator.answered(question) {
            let unanswered = now.used_since(&self.answered);
            let limit = limits.of(self.last.unwrap_or_default(), loads);
            return match self.last {
                _ if unanswered >= limit + limits.stopping => Look::Lost,
                // If the late answer names the same exchange, it is terminated at once.
                Some(exchange) if unanswered >= limit => self.over(exchange),
                _ => Look::Fine,
            };
        }
        let exchange = terminator.seen();
        // An exchange that the last answer named has run since that answer. Another one may have begun at any time
        // since then: if the code before it could not be interrupted, it is charged only from the last look.
        let since = if self.last == Some(exchange) {
            self.answered
        } else if self.looks <= 2 {
            self.began
        } else {
            before
        };
        self.last = Some(exchange);
        let ran = self.ran.entry(exchange).or_default();
        *ran += now.used_since(&since);
        let is_over = *ran >= limits.of(exchange, loads);
        self.answered = now;
        self.asked = Some(terminator.ask());
        if is_over { self.over(exchange) } else { Look::Fine }
    }

    /// Condemns an exchange. Returns `Over` only the first time: the terminator keeps the order until it is carried
    /// out.
    fn over(&mut self, exchange: u64) -> Look {
        match self.condemned.replace(exchange) == Some(exchange) {
            true => Look::Fine,
            false => Look::Over { exchange },
        }
    }
}

/// Measures how long a thread has run. On a busy machine that is less than the time that has passed, and a handler is
/// not charged for the difference.
struct Clock {
    /// The file in which Linux counts the thread's run time.
    #[cfg(target_os = "linux")]
    account: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    /// The thread's own run time, if it can be read.
    used: Option<Duration>,
}

/// A thread that does not run at all, because it waits inside the engine, is stopped after this many limits.
const WAITING_LIMITS: u32 = 10;

impl Clock {
    fn of_this_thread() -> Clock {
        Clock {
            #[cfg(target_os = "linux")]
            account: std::fs::read_link("/proc/thread-self")
                .ok()
                .map(|thread| std::path::Path::new("/proc").join(thread).join("schedstat")),
        }
    }

    fn now(&self) -> Reading {
        Reading { at: Instant::now(), used: self.used() }
    }

    #[cfg(target_os = "linux")]
    fn used(&self) -> Option<Duration> {
        let account = std::fs::read_to_string(self.account.as_ref()?).ok()?;
        // Kernels without this statistic write 0.
        account.split(' ').next()?.parse().ok().filter(|used| *used > 0).map(Duration::from_nanos)
    }

    #[cfg(not(target_os = "linux"))]
    fn used(&self) -> Option<Duration> {
        None
    }
}

impl Reading {
    fn used_since(&self, before: &Reading) -> Duration {
        let passed = self.at - before.at;
        match (self.used, before.used) {
            (Some(now), Some(then)) => now.saturating_sub(then).max(passed / WAITING_LIMITS),
            _ => passed,
        }
    }
}
