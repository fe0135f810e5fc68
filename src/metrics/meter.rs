//! The metrics of one worker: counters of its answers, its heap, and the delay of its event loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::Metrics;

/// Upper bounds of the histogram of the time to answer, in seconds.
pub(super) const BOUNDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often an isolate's thread measures how late it is and how full its heap is.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// The delay that is shown is the worst of the last 20 to 40 probes.
const PROBES_REMEMBERED: u64 = 20;

/// Which worker of which generation. No two isolates share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerId {
    /// The number of the worker, from 0.
    pub worker: usize,
    /// The number of the reload that loaded its code, from 0.
    pub generation: u64,
}

/// The JavaScript heap of an isolate, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heap {
    /// Bytes in use.
    pub used: usize,
    /// How many bytes the heap and everything outside of it may take together.
    pub limit: usize,
    /// Bytes that JavaScript holds outside of its heap, such as the contents of buffers.
    pub external: usize,
}

/// Records the metrics of one worker, on its thread. When it is dropped the worker's gauges disappear; its counters stay
/// in the sums.
pub(crate) struct Meter {
    worker: Arc<WorkerMetrics>,
    metrics: Metrics,
}

/// The metrics of one worker. Its own thread writes them, any thread may read them.
#[derive(Debug)]
pub(super) struct WorkerMetrics {
    /// Which worker it is.
    pub id: WorkerId,
    /// Its answered requests.
    pub answers: Answers,
    probed: Mutex<Probed>,
}

/// Counters of answered requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By the first digit of the status.
    classes: [AtomicU64; 5],
    /// By the time to answer, one counter for each of [`BOUNDS`] and the last for longer times.
    times: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// Sums of [`Answers`].
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerSums {
    /// By the first digit of the status.
    pub classes: [u64; 5],
    /// By the time to answer, as in [`Answers`].
    pub times: [u64; BOUNDS.len() + 1],
    /// The sum of the times to answer.
    pub nanoseconds: u64,
}

/// What the probes of an isolate have found.
#[derive(Debug)]
struct Probed {
    heap: Heap,
    /// When the next probe is due.
    due: Instant,
    probes: u64,
    /// The worst delay since the number of probes was last a multiple of [`PROBES_REMEMBERED`].
    worst: Duration,
    /// The worst delay of as many probes before.
    worst_before: Duration,
}

impl Meter {
    /// A meter whose counters are zero.
    pub(super) fn new(id: WorkerId, metrics: Metrics) -> Meter {
        let probed = Mutex::new(Probed::new(Instant::now()));
        Meter { worker: Arc::new(WorkerMetrics { id, answers: Answers::default(), probed }), metrics }
    }

    /// The metrics that it writes.
    pub(super) fn worker(&self) -> &Arc<WorkerMetrics> {
        &self.worker
    }

    /// Counts a request that was answered `took` after its head was read.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        self.worker.answers.add(status, took);
    }

    /// Probes the isolate for as long as the future is polled. Poll it on the isolate's thread: the delay of its timer
    /// is the delay of everything else there.
    pub(crate) async fn probe(&self, heap: impl Fn() -> Heap) {
        loop {
            let heap = heap();
            let due = Instant::now() + PROBE_INTERVAL;
            {
                let mut probed = self.worker.probed();
                probed.heap = heap;
                probed.due = due;
            }
            tokio::time::sleep_until(due.into()).await;
            self.worker.probed().record(due.elapsed());
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.metrics.remove_worker(&self.worker);
    }
}

impl WorkerMetrics {
    /// The heap when it was last probed.
    pub(super) fn heap(&self) -> Heap {
        self.probed().heap
    }

    /// The delay of the isolate's event loop: the worst of the last probes, or of the one that is due.
    pub(super) fn lag(&self) -> Duration {
        self.probed().lag(Instant::now())
    }

    fn probed(&self) -> MutexGuard<'_, Probed> {
        self.probed.lock().expect("nothing panics while it holds a worker's probes")
    }
}

impl Answers {
    fn add(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.classes.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = took.as_secs_f64();
        self.times[BOUNDS.partition_point(|bound| *bound < seconds)].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Adds the counters to `sums`.
    pub(super) fn add_to(&self, sums: &mut AnswerSums) {
        for (sum, class) in sums.classes.iter_mut().zip(&self.classes) {
            *sum += class.load(Ordering::Relaxed);
        }
        for (sum, time) in sums.times.iter_mut().zip(&self.times) {
            *sum += time.load(Ordering::Relaxed);
        }
        sums.nanoseconds += self.nanoseconds.load(Ordering::Relaxed);
    }
}

impl Probed {
    fn new(now: Instant) -> Probed {
        let (heap, probes, worst, worst_before) = Default::default();
        Probed { heap, due: now + PROBE_INTERVAL, probes, worst, worst_before }
    }

    /// Records the delay of one probe.
    fn record(&mut self, delay: Duration) {
        self.probes += 1;
        if self.probes.is_multiple_of(PROBES_REMEMBERED) {
            self.worst_before = std::mem::take(&mut self.worst);
        }
        self.worst = self.worst.max(delay);
    }

    fn lag(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.due).max(self.worst).max(self.worst_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class_and_time() {
        let answers = Answers::default();
        answers.add(StatusCode::OK, Duration::from_micros(100));
        answers.add(StatusCode::NOT_FOUND, Duration::from_micros(101));
        answers.add(StatusCode::OK, Duration::from_secs(60));
        let mut sums = AnswerSums::default();
        answers.add_to(&mut sums);
        answers.add_to(&mut sums);
        assert_eq!(sums.classes, [0, 4, 0, 2, 0]);
        assert_eq!((sums.times[0], sums.times[1], sums.times[BOUNDS.len()]), (2, 2, 2));
        assert_eq!(sums.nanoseconds, 2 * (201_000 + 60_000_000_000));
    }

    #[test]
    fn lag_is_remembered_for_a_while() {
        let now = Instant::now();
        let mut probed = Probed::new(now);
        probed.record(Duration::from_millis(70));
        for _ in 0..PROBES_REMEMBERED {
            probed.record(Duration::ZERO);
            assert_eq!(probed.lag(now), Duration::from_millis(70));
        }
        (0..PROBES_REMEMBERED).for_each(|_| probed.record(Duration::ZERO));
        assert_eq!(probed.lag(now), Duration::ZERO);
    }

    #[test]
    fn a_probe_that_is_due_counts_before_it_runs() {
        let now = Instant::now();
        let probed = Probed::new(now);
        assert_eq!(probed.lag(now + PROBE_INTERVAL + Duration::from_secs(4)), Duration::from_secs(4));
    }
}
