//! The budget for request bodies that are buffered for handlers that read them whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use liveline_proto::network;

/// Granularity of the count, in bytes, so that small bodies are counted once.
const STEP: usize = 4 * 1024;

/// While the budget is used up, a body that does not receive `PROGRESS` bytes within this time is dropped.
const STALLED: Duration = Duration::from_secs(2);
const PROGRESS: usize = 64 * 1024;

/// Limits for request bodies.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    /// Maximum size of one body, in bytes.
    pub size: usize,
    /// How long a client may stall the reader of a body.
    pub patience: Duration,
    /// Maximum number of parts of one form.
    pub form_parts: usize,
    /// The budget of all bodies together.
    pub budget: Bodies,
}

/// The budget for all request bodies that are being received for an isolate. Bodies passed to a handler count
/// toward the memory of its isolate, and streams are read only on demand, so neither is counted here. Clones
/// share the count.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: usize,
    /// Maximum bytes of the bodies from one address.
    share: usize,
    counts: Mutex<Counts>,
    /// Notified when the budget does not suffice.
    short: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    held: usize,
    from: HashMap<u64, Share>,
}

/// The bytes and bodies of one address.
#[derive(Debug, Default)]
struct Share {
    held: usize,
    bodies: usize,
    /// Notified when the share does not suffice.
    short: Arc<Notify>,
}

/// The budget, or the share of the address, is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Bodies {
    /// A budget. One address may use half of it, or as much as one body of `largest` bytes if that is more.
    pub(crate) fn new(budget: usize, largest: usize) -> Bodies {
        let share = (budget / 2).max(largest.min(budget));
        Bodies(Arc::new(Shared { budget, share, counts: Mutex::default(), short: Notify::new() }))
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.counts().held
    }

    /// Bytes that may be held.
    pub(crate) fn budget(&self) -> usize {
        self.0.budget
    }

    /// Starts the count of a body from an address.
    pub(crate) fn begin(&self, from: IpAddr, now: Instant) -> Held {
        let from = network(from);
        let short = {
            let mut counts = self.counts();
            let share = counts.from.entry(from).or_default();
            share.bodies += 1;
            share.short.clone()
        };
        Held { bodies: self.clone(), from, counted: 0, length: 0, short, since: now, progress: 0 }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().expect("nothing panics while the counts are locked")
    }
}

/// The counted bytes of one body, returned to the budget on drop.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Bodies,
    from: u64,
    counted: usize,
    length: usize,
    short: Arc<Notify>,
    /// Start of the interval in which `progress` bytes arrived.
    since: Instant,
    progress: usize,
}

impl Held {
    /// The budget of all bodies, in bytes.
    pub(crate) fn budget(&self) -> usize {
        self.bodies.budget()
    }

    /// Counts `bytes` more bytes that have arrived.
    pub(crate) fn grow(&mut self, bytes: usize, now: Instant) -> Result<(), Full> {
        self.length += bytes;
        self.progress += bytes;
        if self.progress >= PROGRESS {
            (self.progress, self.since) = (0, now);
        }
        let needed = self.length.next_multiple_of(STEP);
        if needed > self.counted {
            self.count(needed - self.counted)?;
        }
        Ok(())
    }

    /// Returns `bytes` bytes to the budget.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.length = self.length.saturating_sub(bytes);
        let spare = self.counted - self.length.next_multiple_of(STEP).min(self.counted);
        if spare == 0 {
            return;
        }
        self.counted -= spare;
        let mut counts = self.bodies.counts();
        counts.held -= spare;
        if let Some(share) = counts.from.get_mut(&self.from) {
            share.held -= spare;
        }
    }

    fn count(&mut self, more: usize) -> Result<(), Full> {
        let Shared { budget, share: most, short, .. } = &*self.bodies.0;
        let mut counts = self.bodies.counts();
        let Counts { held, from } = &mut *counts;
        let share = from.get_mut(&self.from).expect("it is there for as long as it has bodies");
        if share.held + more > *most {
            share.short.notify_waiters();
            return Err(Full);
        }
        if *held + more > *budget {
            short.notify_waiters();
            return Err(Full);
        }
        *held += more;
        share.held += more;
        self.counted += more;
        Ok(())
    }

    /// Waits until another body finds no room while this one stalls.
    pub(crate) async fn in_the_way(&self) {
        loop {
            tokio::select! {
                () = self.bodies.0.short.notified() => {}
                () = self.short.notified() => {}
            }
            if self.since.elapsed() >= STALLED {
                return;
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.bodies.counts();
        counts.held -= self.counted;
        if let Some(share) = counts.from.get_mut(&self.from) {
            share.held -= self.counted;
            share.bodies -= 1;
            if share.bodies == 0 {
                counts.from.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn held_bytes_are_counted_and_returned() {
        let bodies = Bodies::new(100 * STEP, 10 * STEP);
        let now = Instant::now();
        let mut one = bodies.begin(address(1), now);
        assert_eq!(one.grow(1, now), Ok(()));
        assert_eq!(one.grow(STEP - 1, now), Ok(()));
        assert_eq!(bodies.held(), STEP);
        assert_eq!(one.grow(1, now), Ok(()));
        assert_eq!(bodies.held(), 2 * STEP);
        one.shrink(2);
        assert_eq!(bodies.held(), STEP);
        one.shrink(STEP - 1);
        assert_eq!(bodies.held(), 0);
        assert_eq!(one.grow(STEP, now), Ok(()));
        drop(one);
        assert_eq!(bodies.held(), 0);
        assert!(bodies.counts().from.is_empty());
    }

    #[test]
    fn one_address_gets_half() {
        let bodies = Bodies::new(100 * STEP, 10 * STEP);
        let now = Instant::now();
        let [mut one, mut other, mut stranger, mut third] =
            [1, 1, 2, 3].map(|last| bodies.begin(address(last), now));
        assert_eq!(one.grow(40 * STEP, now), Ok(()));
        assert_eq!(other.grow(20 * STEP, now), Err(Full));
        assert_eq!(stranger.grow(50 * STEP, now), Ok(()));
        assert_eq!(third.grow(20 * STEP, now), Err(Full));
        drop(one);
        assert_eq!(third.grow(1, now), Ok(()));
    }

    #[test]
    fn one_body_may_be_as_large_as_its_own_limit() {
        let bodies = Bodies::new(10 * STEP, 9 * STEP);
        let now = Instant::now();
        assert_eq!(bodies.begin(address(1), now).grow(9 * STEP, now), Ok(()));
        let bodies = Bodies::new(10 * STEP, 90 * STEP);
        assert_eq!(bodies.begin(address(1), now).grow(10 * STEP, now), Ok(()));
    }

    #[tokio::test]
    async fn a_stalled_body_is_in_the_way_and_a_sending_one_is_not() {
        let bodies = Bodies::new(10 * STEP, 10 * STEP);
        let now = Instant::now();
        let long_ago = now.checked_sub(2 * STALLED).expect("the clock runs for longer");
        let mut stalled = bodies.begin(address(1), long_ago);
        stalled.grow(5 * STEP, long_ago).expect("there is room");
        let mut sending = bodies.begin(address(1), now);
        sending.grow(5 * STEP, now).expect("there is room");
        let mut refused = bodies.begin(address(2), now);
        tokio::select! {
            biased;
            () = sending.in_the_way() => panic!("it sends"),
            () = stalled.in_the_way() => {}
            () = async { assert_eq!(refused.grow(1, now), Err(Full)); std::future::pending().await } => {}
        }
    }
}
