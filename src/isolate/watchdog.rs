//! Ends JavaScript that does not yield, or that fills its heap.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use deno_core::v8;

/// Why an isolate was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// It ran too long without yielding.
    Cpu,
    /// Its heap reached the limit.
    Heap,
}

/// An isolate's sign of life. Counts entries into JavaScript and exits from it, so it is odd while code runs.
#[derive(Default)]
pub struct Pulse {
    beats: AtomicU64,
    tripped: AtomicU8,
}

const TRIPPED_CPU: u8 = 1;
const TRIPPED_HEAP: u8 = 2;

impl Pulse {
    /// JavaScript runs until the guard is dropped.
    pub fn enter(&self) -> Running<'_> {
        self.beats.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// How often JavaScript was entered and left.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Notes that the isolate was stopped, and why. The first reason stands.
    pub fn trip(&self, trip: Trip) {
        let code = match trip {
            Trip::Cpu => TRIPPED_CPU,
            Trip::Heap => TRIPPED_HEAP,
        };
        let _ = self.tripped.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether a stop was asked for and has not been taken note of.
    #[cfg(feature = "v8")]
    fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed) != 0
    }

    /// Why the isolate was stopped since the last call.
    pub fn take_trip(&self) -> Option<Trip> {
        match self.tripped.swap(0, Ordering::Relaxed) {
            TRIPPED_CPU => Some(Trip::Cpu),
            TRIPPED_HEAP => Some(Trip::Heap),
            _ => None,
        }
    }
}

/// See [`Pulse::enter`].
pub struct Running<'a>(&'a Pulse);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// Watches the isolate of the calling thread from a thread of its own, and stops it when one entry into JavaScript
/// uses up `limit`. Ends when the pulse is dropped.
///
/// Until then `meanwhile` is called now and then, for what a turn's end would do.
pub fn watch(pulse: &Arc<Pulse>, stopper: Stopper, limit: Duration, meanwhile: impl Fn() + Send + 'static) {
    let pulse = Arc::downgrade(pulse);
    let clock = Clock::of_this_thread();
    let thread = std::thread::Builder::new().name("liveline-watchdog".into());
    let watching = thread.spawn(move || keep_watch(&pulse, &stopper, &clock, limit, &meanwhile));
    if let Err(error) = watching {
        tracing::warn!("no watchdog for endless loops: {error}");
    }
}

fn keep_watch(pulse: &Weak<Pulse>, stopper: &Stopper, clock: &Clock, limit: Duration, meanwhile: &dyn Fn()) {
    let interval = (limit / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let mut seen = 0;
    let mut since = clock.now();
    while let Some(pulse) = pulse.upgrade() {
        let beats = pulse.beats();
        let running = beats % 2 == 1;
        if beats != seen || !running {
            (seen, since) = (beats, clock.now());
        } else if clock.now().used_since(&since) >= limit {
            pulse.trip(Trip::Cpu);
            stopper.stop();
            since = clock.now();
        } else {
            meanwhile();
        }
        drop(pulse);
        std::thread::sleep(interval);
    }
}

/// How long a thread has run. On a busy machine that is less than the time that has passed, and a handler is not to
/// blame for the difference.
struct Clock {
    /// Where Linux tells it.
    #[cfg(target_os = "linux")]
    account: Option<std::path::PathBuf>,
}

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

/// Stops the code that an isolate runs, from any thread.
#[derive(Clone)]
pub struct Stopper {
    isolate: v8::IsolateHandle,
    #[cfg(feature = "v8")]
    witness: Arc<interrupt::Witness>,
}

#[cfg(feature = "v8")]
pub use interrupt::Witness;

#[cfg(feature = "v8")]
impl Stopper {
    pub fn new(isolate: v8::IsolateHandle, witness: Arc<Witness>) -> Stopper {
        Stopper { isolate, witness }
    }

    /// Notes who runs, then ends it: after the end, V8 no longer knows whose code it was.
    pub fn stop(&self) {
        interrupt::request(&self.isolate, &self.witness);
    }
}

/// QuickJS has no interrupts; who ran is then read afterwards, where that still can be told.
#[cfg(not(feature = "v8"))]
impl Stopper {
    pub fn new(isolate: v8::IsolateHandle) -> Stopper {
        Stopper { isolate }
    }

    pub fn stop(&self) {
        self.isolate.terminate_execution();
    }
}

/// Looking at an isolate in the middle of what it runs.
#[cfg(feature = "v8")]
#[expect(unsafe_code, reason = "V8 calls back through a C function")]
mod interrupt {
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Weak};

    use deno_core::v8;

    use super::Pulse;
    use crate::ops::current_exchange;

    /// What an interrupt saw: the exchange whose code was running.
    pub struct Witness {
        context: v8::Global<v8::Context>,
        /// Weak, because the watchdog's thread holds the witness and ends with the pulse.
        pulse: Weak<Pulse>,
        /// The exchange's number plus one; 0 for none.
        exchange: AtomicU64,
    }

    // SAFETY: `context` is only touched on the isolate's thread: there it is made, read by the interrupt, and, as the
    // isolate keeps a reference until it ends, dropped. The other field is atomic.
    unsafe impl Send for Witness {}
    // SAFETY: as above.
    unsafe impl Sync for Witness {}

    impl Witness {
        pub fn new(context: v8::Global<v8::Context>, pulse: &Arc<Pulse>) -> Witness {
            let pulse = Arc::downgrade(pulse);
            Witness { context, pulse, exchange: AtomicU64::new(0) }
        }

        /// The exchange that the last interrupt saw.
        pub fn take(&self) -> Option<u64> {
            self.exchange.swap(0, Ordering::Relaxed).checked_sub(1)
        }
    }

    pub fn request(isolate: &v8::IsolateHandle, witness: &Arc<Witness>) {
        isolate.request_interrupt(interrupt, Arc::as_ptr(witness).cast_mut().cast());
    }

    unsafe extern "C" fn interrupt(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
        // SAFETY: `data` is the witness, which lives at least as long as the isolate that calls.
        let witness = unsafe { &*data.cast::<Witness>() };
        if !witness.pulse.upgrade().is_some_and(|pulse| pulse.is_tripped()) {
            // The turn that was to be stopped ended by itself; this is another.
            return;
        }
        // SAFETY: V8 passes the isolate that is running on this thread.
        let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
        {
            v8::scope!(let scope, &mut isolate);
            let context = v8::Local::new(scope, &witness.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            let exchange = current_exchange(scope).map_or(0, |exchange| exchange.0 + 1);
            witness.exchange.store(exchange, Ordering::Relaxed);
        }
        isolate.terminate_execution();
    }
}
