//! What one worker counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::Observer;

/// Upper bounds of the histogram of the time to answer, in seconds.
pub(super) const BOUNDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often an isolate's thread looks how late it is, and how full its heap.
const PROBE: Duration = Duration::from_millis(250);

/// Lateness is told as the worst of one or two times this many probes.
const PROBES_REMEMBERED: u64 = 20;

/// Which worker of which generation. No two isolates share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub worker: usize,
    pub generation: u64,
}

/// The JavaScript heap of an isolate, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heap {
    pub used: usize,
    pub limit: usize,
    /// What JavaScript keeps outside of it, such as the contents of buffers.
    pub external: usize,
}

/// One worker's end of its figures. Dropping it ends the worker's gauges; what it counted stays in the sums.
pub(crate) struct Meter {
    figures: Arc<Figures>,
    observer: Observer,
}

/// What one worker has counted. Its own thread writes, any thread reads.
#[derive(Debug)]
pub(super) struct Figures {
    pub place: Place,
    pub answers: Answers,
    heap: [Number; 3],
    lag: Lag,
}

/// Answered requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By the first digit of the status.
    classes: [Number; 5],
    /// By the time to answer; the last is for what is above all bounds.
    times: [Number; BOUNDS.len() + 1],
    nanoseconds: Number,
}

/// Sums of [`Answers`].
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerSums {
    pub classes: [u64; 5],
    pub times: [u64; BOUNDS.len() + 1],
    pub nanoseconds: u64,
}

/// A number that one thread writes: adding to it takes no more than a load and a store.
#[derive(Debug, Default)]
struct Number(AtomicU64);

impl Number {
    fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }

    fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Meter {
    pub(super) fn new(place: Place, observer: Observer) -> Meter {
        let (answers, heap) = Default::default();
        let figures = Arc::new(Figures { place, answers, heap, lag: Lag::new() });
        Meter { figures, observer }
    }

    pub(super) fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// A request was answered, so long after its head was read.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        self.figures.answers.add(status, took);
    }

    /// Looks at the isolate time and again, for as long as the future is polled. It has to be polled on the isolate's
    /// thread: how late it gets its turn is what other work there waits, too.
    pub(crate) async fn probe(&self, heap: impl Fn() -> Heap) {
        let Figures { heap: shown, lag, .. } = &*self.figures;
        loop {
            let Heap { used, limit, external } = heap();
            for (number, bytes) in shown.iter().zip([used, limit, external]) {
                number.set(bytes as u64);
            }
            let due = Instant::now() + PROBE;
            lag.expect(due);
            tokio::time::sleep_until(due.into()).await;
            lag.note(due.elapsed());
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.observer.dismiss(&self.figures);
    }
}

impl Figures {
    pub(super) fn heap(&self) -> Heap {
        let [used, limit, external] = [0, 1, 2].map(|i| self.heap[i].get() as usize);
        Heap { used, limit, external }
    }

    /// How late the thread was for its probes lately, or is for the one that is due.
    pub(super) fn lag(&self) -> Duration {
        self.lag.worst()
    }
}

impl Answers {
    fn add(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.classes.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.add(1);
        }
        let seconds = took.as_secs_f64();
        self.times[BOUNDS.partition_point(|bound| *bound < seconds)].add(1);
        self.nanoseconds.add(took.as_nanos() as u64);
    }

    pub(super) fn add_to(&self, sums: &mut AnswerSums) {
        for (sum, class) in sums.classes.iter_mut().zip(&self.classes) {
            *sum += class.get();
        }
        for (sum, time) in sums.times.iter_mut().zip(&self.times) {
            *sum += time.get();
        }
        sums.nanoseconds += self.nanoseconds.get();
    }
}

/// How late a thread is. All times are nanoseconds; instants count from `began`.
#[derive(Debug)]
struct Lag {
    began: Instant,
    due: Number,
    probes: Number,
    /// The worst of this stretch of probes, and of the one before.
    worst: Number,
    before: Number,
}

impl Lag {
    fn new() -> Lag {
        let (due, probes, worst, before) = Default::default();
        let lag = Lag { began: Instant::now(), due, probes, worst, before };
        lag.expect(lag.began + PROBE);
        lag
    }

    fn expect(&self, due: Instant) {
        self.due.set((due - self.began).as_nanos() as u64);
    }

    fn note(&self, late: Duration) {
        self.probes.add(1);
        if self.probes.get().is_multiple_of(PROBES_REMEMBERED) {
            self.before.set(self.worst.get());
            self.worst.set(0);
        }
        self.worst.set(self.worst.get().max(late.as_nanos() as u64));
    }

    fn worst(&self) -> Duration {
        let overdue = (self.began.elapsed().as_nanos() as u64).saturating_sub(self.due.get());
        Duration::from_nanos(overdue.max(self.worst.get()).max(self.before.get()))
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
        let lag = Lag::new();
        lag.expect(Instant::now() + Duration::from_secs(60));
        lag.note(Duration::from_millis(70));
        for _ in 0..PROBES_REMEMBERED {
            lag.note(Duration::ZERO);
            assert_eq!(lag.worst(), Duration::from_millis(70));
        }
        (0..PROBES_REMEMBERED).for_each(|_| lag.note(Duration::ZERO));
        assert_eq!(lag.worst(), Duration::ZERO);
    }

    #[test]
    fn a_probe_that_is_due_counts_before_it_comes() {
        let mut lag = Lag::new();
        lag.began -= Duration::from_secs(5);
        assert!(lag.worst() >= Duration::from_secs(4), "{lag:?}");
    }
}
