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

    /// Notes that the isolate was stopped, and why. The first reason stands.
    pub fn trip(&self, trip: Trip) {
        let code = match trip {
            Trip::Cpu => TRIPPED_CPU,
            Trip::Heap => TRIPPED_HEAP,
        };
        let _ = self.tripped.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
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

/// Watches `pulse` from a thread of its own and terminates the isolate when one entry lasts longer than `limit`.
/// Ends when the pulse is dropped.
pub fn watch(pulse: &Arc<Pulse>, isolate: v8::IsolateHandle, limit: Duration) {
    let pulse = Arc::downgrade(pulse);
    let thread = std::thread::Builder::new().name("liveline-watchdog".into());
    let watching = thread.spawn(move || keep_watch(&pulse, &isolate, limit));
    if let Err(error) = watching {
        tracing::warn!("no watchdog for endless loops: {error}");
    }
}

fn keep_watch(pulse: &Weak<Pulse>, isolate: &v8::IsolateHandle, limit: Duration) {
    let interval = (limit / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let mut seen = 0;
    let mut since = Instant::now();
    while let Some(pulse) = pulse.upgrade() {
        let beats = pulse.beats.load(Ordering::Relaxed);
        let running = beats % 2 == 1;
        if beats != seen || !running {
            (seen, since) = (beats, Instant::now());
        } else if since.elapsed() >= limit {
            pulse.trip(Trip::Cpu);
            isolate.terminate_execution();
            since = Instant::now();
        }
        drop(pulse);
        std::thread::sleep(interval);
    }
}
