//! How long a client may take for a request's head.
//!
//! hyper sets a deadline for every request, and almost none is reached. So to set one is a store, and each connection
//! has one timer of the runtime that looks at the deadline when it fires, and mostly finds a later one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The deadline of a connection. Clones share it.
#[derive(Clone)]
pub struct HeadTimer(Arc<Deadline>);

struct Deadline {
    began: Instant,
    /// Nanoseconds from `began`; 0 while no head is awaited.
    at: AtomicU64,
    has_passed: AtomicBool,
}

impl HeadTimer {
    pub fn new() -> HeadTimer {
        let (at, has_passed) = Default::default();
        HeadTimer(Arc::new(Deadline { began: Instant::now(), at, has_passed }))
    }

    /// Resolves when a head is late; the connection learns of it when it is polled next. Deadlines are `limit` ahead.
    pub async fn late(&self, limit: Duration) {
        let mut wait = limit;
        while !wait.is_zero() {
            tokio::time::sleep(wait).await;
            wait = match self.0.at.load(Ordering::Relaxed) {
                0 => limit,
                at => Duration::from_nanos(at).saturating_sub(self.0.began.elapsed()),
            };
        }
        self.0.has_passed.store(true, Ordering::Relaxed);
    }

    fn set(&self, deadline: Instant) {
        let nanos = deadline.saturating_duration_since(self.0.began).as_nanos();
        self.0.at.store(u64::try_from(nanos).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
        self.0.has_passed.store(false, Ordering::Relaxed);
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.set(deadline);
        Box::pin(Awaited(self.clone()))
    }

    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.set(deadline);
    }
}

/// A head that is awaited, until it is dropped.
struct Awaited(HeadTimer);

impl Sleep for Awaited {}

impl Future for Awaited {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.0.has_passed.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.0.at.store(0, Ordering::Relaxed);
    }
}
