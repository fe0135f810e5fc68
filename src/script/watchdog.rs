//! Ends JavaScript that does not yield, or that fills its heap, and notices where that cannot be ended.
//!
//! While a turn runs, V8 is asked now and then whose code runs. It answers where it can be interrupted. An exchange
//! that was seen running for the whole limit is terminated, and nothing else is: neither the exchange whose code
//! happens to run next, nor the host's own code between two exchanges. A turn that no answer comes from is in the
//! middle of something that V8 cannot interrupt, and if that lasts, the isolate is lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use deno_core::v8;

#[cfg(feature = "v8")]
use super::microtasks::Rescue;

/// Why an isolate was stopped.
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
    beats: AtomicU64,
    reason: AtomicU8,
    lost: AtomicBool,
    halted: AtomicBool,
    /// The exchange that the turn was begun for, plus one; 0 where that is not known.
    exchange: AtomicU64,
}

const RAN_TOO_LONG: u8 = 1;
const HEAP_IS_FULL: u8 = 2;

impl ExecutionCounter {
    /// JavaScript runs until the guard is dropped.
    pub(super) fn enter(&self) -> Running<'_> {
        self.beats.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// How often JavaScript was entered and left.
    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Notes for whom the next turn is, for the log.
    pub(super) fn is_for(&self, exchange: Option<u64>) {
        self.exchange.store(exchange.map_or(0, |exchange| exchange + 1), Ordering::Relaxed);
    }

    /// For whom the running turn is, as far as that is known.
    pub(super) fn exchange(&self) -> Option<u64> {
        self.exchange.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Records why the isolate is terminated. The first reason counts.
    fn terminated(&self, reason: TerminationReason) {
        let code = match reason {
            TerminationReason::Cpu => RAN_TOO_LONG,
            TerminationReason::Heap => HEAP_IS_FULL,
        };
        let _ = self.reason.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Why the isolate was stopped since the last call.
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

    /// Its thread does nothing more.
    #[cfg_attr(
        not(all(feature = "v8", target_os = "linux")),
        expect(dead_code, reason = "nothing halts a thread")
    )]
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Whether the isolate was given up. Its code is not to run again.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

/// See [`ExecutionCounter::enter`].
pub(super) struct Running<'a>(&'a ExecutionCounter);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long code may run.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunLimits {
    /// One exchange, without yielding.
    pub exchange: Duration,
    /// After that: code that does not stop although it was asked to.
    pub stopping: Duration,
}

impl RunLimits {
    pub(super) fn new(exchange: Duration) -> RunLimits {
        RunLimits { exchange, stopping: exchange.max(Duration::from_secs(1)) }
    }
}

/// What the watchdog does besides.
pub(super) trait Watched: Send {
    /// Is called now and then while a turn lasts, for what its end would do.
    fn meanwhile(&self);
    /// The isolate is lost: its code runs on and cannot be stopped. `exchange` is for whom, if that is known.
    fn lost(&self, exchange: Option<u64>);
}

/// Watches the isolate of the calling thread from a thread of its own. Ends when the counter is dropped, or the isolate
/// lost.
pub(super) fn watch(
    counter: &Arc<ExecutionCounter>,
    terminator: Terminator,
    limits: RunLimits,
    watched: impl Watched + 'static,
) {
    let counter = Arc::downgrade(counter);
    let clock = Clock::of_this_thread();
    let thread = std::thread::Builder::new().name("liveline-watchdog".into());
    let watching = thread.spawn(move || keep_watch(&counter, &terminator, &clock, limits, &watched));
    if let Err(error) = watching {
        tracing::warn!("no watchdog for endless loops: {error}");
    }
}

fn keep_watch(
    counter: &Weak<ExecutionCounter>,
    terminator: &Terminator,
    clock: &Clock,
    limits: RunLimits,
    watched: &dyn Watched,
) {
    let interval = (limits.exchange / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let mut turn = Turn::begin(0, None, clock.now());
    while let Some(alive) = counter.upgrade() {
        let beats = alive.beats();
        if alive.halted.load(Ordering::Relaxed) {
            alive.lost.store(true, Ordering::Relaxed);
            return watched.lost(alive.exchange());
        }
        if beats != turn.beats || beats.is_multiple_of(2) {
            turn = Turn::begin(beats, alive.exchange(), clock.now());
        } else {
            match turn.look(terminator, clock.now(), limits) {
                Look::Fine => watched.meanwhile(),
                Look::Over { exchange } => terminator.condemn(beats, Some(exchange), TerminationReason::Cpu),
                Look::Lost => {
                    alive.lost.store(true, Ordering::Relaxed);
                    return watched.lost(alive.exchange());
                }
            }
        }
        drop(alive);
        std::thread::sleep(interval);
    }
}

/// A turn as the watchdog sees it.
struct Turn {
    beats: u64,
    began: Reading,
    /// When it was looked at last, and how often that was.
    looked: Reading,
    looks: u64,
    /// The question whose answer is awaited, by its number.
    asked: Option<u64>,
    /// When the last answer came, and who ran then; before the first, for whom the turn was begun.
    answered: Reading,
    last: Option<u64>,
    /// How long each exchange was seen running in it.
    ran: HashMap<u64, Duration>,
    /// Who is to be terminated as soon as it is seen running.
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
    fn begin(beats: u64, of: Option<u64>, now: Reading) -> Turn {
        let (ran, last) = (HashMap::new(), of.map(|exchange| exchange + 1));
        Turn {
            beats,
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

    fn look(&mut self, terminator: &Terminator, now: Reading, limits: RunLimits) -> Look {
        let before = std::mem::replace(&mut self.looked, now);
        self.looks += 1;
        let question = *self.asked.get_or_insert_with(|| terminator.ask());
        if !terminator.answered(question) {
            let unanswered = now.used_since(&self.answered);
            return match self.last {
                _ if unanswered >= limits.exchange + limits.stopping => Look::Lost,
                // If it is still the same that answers at last, it is over at once.
                Some(exchange) if unanswered >= limits.exchange => self.over(exchange),
                _ => Look::Fine,
            };
        }
        let exchange = terminator.seen();
        // Who was running before has run all the time. Of another exchange nobody knows since when it has, if what ran
        // before it could not be interrupted.
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
        let is_over = *ran >= limits.exchange;
        self.answered = now;
        self.asked = Some(terminator.ask());
        if is_over { self.over(exchange) } else { Look::Fine }
    }

    /// Condemns an exchange, once: each answer is an occasion to carry that out.
    fn over(&mut self, exchange: u64) -> Look {
        match self.condemned.replace(exchange) == Some(exchange) {
            true => Look::Fine,
            false => Look::Over { exchange },
        }
    }
}

/// How long a thread has run. On a busy machine that is less than the time that has passed, and a handler is not to
/// blame for the difference.
struct Clock {
    /// Where Linux tells it.
    #[cfg(target_os = "linux")]
    account: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    /// The thread's own time, where it can be told.
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
        // Kernels that keep no account say 0.
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

/// Asks what an isolate runs, and stops it, from any thread.
#[derive(Clone)]
pub(super) struct Terminator {
    isolate: v8::IsolateHandle,
    probe: Arc<InterruptProbe>,
}

/// A verdict on whichever exchange runs.
#[cfg(feature = "v8")]
const ANYBODY: u64 = u64::MAX;

/// What interrupts of one isolate see, and what they are to do.
#[cfg_attr(not(feature = "v8"), expect(dead_code, reason = "QuickJS has no interrupts"))]
pub(super) struct InterruptProbe {
    /// Weak, because the watchdog's thread holds the probe and ends with the counter.
    counter: Weak<ExecutionCounter>,
    /// How many questions were asked and answered: see [`Terminator::ask`].
    asked: AtomicU64,
    answered: AtomicU64,
    /// Who was running then: the exchange's number plus one; 0 for none.
    seen: AtomicU64,
    /// The turn that is to end, by its beat; no turn is 0.
    condemned_turn: AtomicU64,
    /// Who is to end in it, as in `seen`, or [`ANYBODY`].
    condemned: AtomicU64,
    condemned_for: AtomicU8,
    /// Who was terminated, as in `seen`.
    culprit: AtomicU64,
    #[cfg(feature = "v8")]
    inside: interrupt::Inside,
}

impl InterruptProbe {
    /// Condemns who runs in the turn with this beat.
    #[cfg(feature = "v8")]
    fn pronounce(&self, beats: u64, exchange: u64, reason: TerminationReason) {
        self.condemned_for.store(reason as u8, Ordering::Relaxed);
        self.condemned.store(exchange, Ordering::Relaxed);
        self.condemned_turn.store(beats, Ordering::Release);
    }

    /// Whether the turn of `counter` is to end if this runs, and why.
    #[cfg(feature = "v8")]
    fn verdict(&self, counter: &ExecutionCounter, running: u64) -> Option<TerminationReason> {
        if self.condemned_turn.load(Ordering::Acquire) != counter.beats() {
            // The turn that was to be stopped ended by itself; this is another.
            return None;
        }
        let condemned = self.condemned.load(Ordering::Relaxed);
        if condemned != ANYBODY && condemned != running {
            return None;
        }
        let is_heap = self.condemned_for.load(Ordering::Relaxed) == TerminationReason::Heap as u8;
        Some(if is_heap { TerminationReason::Heap } else { TerminationReason::Cpu })
    }

    /// The exchange that was terminated last.
    pub(super) fn take_culprit(&self) -> Option<u64> {
        self.culprit.swap(0, Ordering::Relaxed).checked_sub(1)
    }

    /// Whether microtasks that wait behind one that is terminated are kept from now on.
    #[cfg(feature = "v8")]
    pub(super) fn keeps_microtasks(&self, keeps: bool) {
        if let Some(rescue) = &self.inside.rescue {
            rescue.is_wanted(keeps);
        }
    }
}

#[cfg(feature = "v8")]
impl Terminator {
    /// For the isolate of `runtime`, on its thread.
    pub(super) fn new(
        runtime: &mut deno_core::JsRuntime,
        counter: &Arc<ExecutionCounter>,
        rescue: Option<Rescue>,
    ) -> Terminator {
        let inside = interrupt::Inside::new(runtime, rescue);
        let isolate = runtime.v8_isolate().thread_safe_handle();
        Terminator { isolate, probe: Arc::new(InterruptProbe::new(counter, inside)) }
    }

    /// Asks whose code runs. Returns the question's number.
    fn ask(&self) -> u64 {
        let question = self.probe.asked.fetch_add(1, Ordering::Relaxed) + 1;
        interrupt::request(&self.isolate, &self.probe);
        question
    }

    fn answered(&self, question: u64) -> bool {
        self.probe.answered.load(Ordering::Acquire) >= question
    }

    fn seen(&self) -> u64 {
        self.probe.seen.load(Ordering::Relaxed)
    }

    /// Ends the turn with this beat as soon as this exchange, or any if none is given, is seen running in it.
    fn condemn(&self, beats: u64, exchange: Option<u64>, reason: TerminationReason) {
        self.probe.pronounce(beats, exchange.unwrap_or(ANYBODY), reason);
        interrupt::request(&self.isolate, &self.probe);
    }

    /// Ends the running turn because the heap is full. Only from the isolate's own thread.
    pub(super) fn heap_is_full(&self) {
        if let Some(counter) = self.probe.counter.upgrade() {
            self.condemn(counter.beats(), None, TerminationReason::Heap);
        }
    }

    pub(super) fn probe(&self) -> &InterruptProbe {
        &self.probe
    }
}

#[cfg(feature = "v8")]
impl InterruptProbe {
    fn new(counter: &Arc<ExecutionCounter>, inside: interrupt::Inside) -> InterruptProbe {
        let [asked, answered, seen, condemned_turn, condemned, culprit] = Default::default();
        let (counter, condemned_for) = (Arc::downgrade(counter), AtomicU8::default());
        InterruptProbe { counter, asked, answered, seen, condemned_turn, condemned, condemned_for, culprit, inside }
    }
}

/// QuickJS has no interrupts: every question is answered at once, and who ran is read afterwards, where that still
/// can be told.
#[cfg(not(feature = "v8"))]
impl Terminator {
    pub fn new(runtime: &mut deno_core::JsRuntime, counter: &Arc<ExecutionCounter>) -> Terminator {
        let [asked, answered, seen, condemned_turn, condemned, culprit] = Default::default();
        let (counter, condemned_for) = (Arc::downgrade(counter), AtomicU8::default());
        let probe =
            InterruptProbe { counter, asked, answered, seen, condemned_turn, condemned, condemned_for, culprit };
        Terminator { isolate: runtime.v8_isolate().thread_safe_handle(), probe: Arc::new(probe) }
    }

    fn ask(&self) -> u64 {
        0
    }

    fn answered(&self, _question: u64) -> bool {
        true
    }

    fn seen(&self) -> u64 {
        0
    }

    fn condemn(&self, _beats: u64, _exchange: Option<u64>, reason: TerminationReason) {
        if let Some(counter) = self.probe.counter.upgrade() {
            counter.terminated(reason);
        }
        self.isolate.terminate_execution();
    }

    pub fn heap_is_full(&self) {
        self.condemn(0, None, TerminationReason::Heap);
    }

    pub fn probe(&self) -> &InterruptProbe {
        &self.probe
    }
}

/// Looking at an isolate in the middle of what it runs.
#[cfg(feature = "v8")]
#[expect(unsafe_code, reason = "V8 calls back through a C function")]
mod interrupt {
    use std::ffi::c_void;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use deno_core::{JsRuntime, v8};

    use super::InterruptProbe;
    use crate::ext::current_exchange;
    use crate::script::microtasks::Rescue;

    /// What belongs to the isolate's thread alone.
    pub(super) struct Inside {
        context: v8::Global<v8::Context>,
        /// Absent where this V8 is not known well enough.
        pub rescue: Option<Rescue>,
    }

    // SAFETY: it is only touched on the isolate's thread: there it is made, and used by the interrupt. It is dropped
    // there as well, as the isolate keeps a reference to the probe until it ends.
    unsafe impl Send for Inside {}
    // SAFETY: as above.
    unsafe impl Sync for Inside {}

    impl Inside {
        pub(super) fn new(runtime: &mut JsRuntime, rescue: Option<Rescue>) -> Inside {
            Inside { context: runtime.main_context(), rescue }
        }
    }

    pub(super) fn request(isolate: &v8::IsolateHandle, probe: &Arc<InterruptProbe>) {
        isolate.request_interrupt(interrupt, Arc::as_ptr(probe).cast_mut().cast());
    }

    unsafe extern "C" fn interrupt(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
        // SAFETY: `data` is the probe, which lives at least as long as the isolate that calls.
        let probe = unsafe { &*data.cast::<InterruptProbe>() };
        // SAFETY: V8 passes the isolate that is running on this thread.
        let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
        let running = {
            v8::scope!(let scope, &mut isolate);
            let context = v8::Local::new(scope, &probe.inside.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            current_exchange(scope).map_or(0, |exchange| exchange.0 + 1)
        };
        probe.seen.store(running, Ordering::Relaxed);
        probe.answered.store(probe.asked.load(Ordering::Relaxed), Ordering::Release);
        let Some(counter) = probe.counter.upgrade() else { return };
        let Some(reason) = probe.verdict(&counter, running) else { return };
        counter.terminated(reason);
        probe.culprit.store(running, Ordering::Relaxed);
        if let Some(rescue) = &probe.inside.rescue {
            // SAFETY: this is an interrupt, and what follows is the termination.
            unsafe { rescue.set_aside() };
        }
        isolate.terminate_execution();
    }
}
