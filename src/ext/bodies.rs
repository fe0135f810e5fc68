//! How many bytes of request bodies the process holds for handlers that want them whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use liveline_proto::network;

/// Bytes are counted in steps of so many, so that small bodies are counted once.
const STEP: usize = 4 * 1024;

/// While the budget is used up, whoever does not send `PROGRESS` bytes within this time gives its place to others.
const STALLED: Duration = Duration::from_secs(2);
const PROGRESS: usize = 64 * 1024;

/// What a handler's requests may send.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    /// Bytes of one body.
    pub size: usize,
    /// How long a client may keep a body's reader waiting.
    pub patience: Duration,
    /// Parts of one form.
    pub form_parts: usize,
    /// Bytes of all bodies.
    pub budget: Bodies,
}

/// The bytes of all request bodies that are on their way into an isolate. What a handler has got counts for its
/// isolate, and streams are read only as they are wanted, so that neither is counted here. Clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: usize,
    /// What the bodies from one address may take of it.
    share: usize,
    books: Mutex<Books>,
    /// The budget did not suffice.
    short: Notify,
}

#[derive(Debug, Default)]
struct Books {
    held: usize,
    from: HashMap<u64, Share>,
}

/// What is held for one address.
#[derive(Debug, Default)]
struct Share {
    held: usize,
    bodies: usize,
    /// The share did not suffice.
    short: Arc<Notify>,
}

/// There is no room for more now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Bodies {
    /// A budget of which one address gets half, or what one body of `largest` bytes takes.
    pub(crate) fn new(budget: usize, largest: usize) -> Bodies {
        let share = (budget / 2).max(largest.min(budget));
        Bodies(Arc::new(Shared { budget, share, books: Mutex::default(), short: Notify::new() }))
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.books().held
    }

    /// Bytes that may be held.
    pub(crate) fn budget(&self) -> usize {
        self.0.budget
    }

    /// A body from there is going to be held.
    pub(crate) fn begin(&self, from: IpAddr, now: Instant) -> Held {
        let from = network(from);
        let short = {
            let mut books = self.books();
            let share = books.from.entry(from).or_default();
            share.bodies += 1;
            share.short.clone()
        };
        Held { bodies: self.clone(), from, counted: 0, length: 0, short, since: now, progress: 0 }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().expect("nothing panics with the books in hand")
    }
}

/// One body's part of what is held, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Bodies,
    from: u64,
    counted: usize,
    length: usize,
    short: Arc<Notify>,
    /// Since when `progress` bytes came.
    since: Instant,
    progress: usize,
}

impl Held {
    /// Bytes that all bodies may take.
    pub(crate) fn budget(&self) -> usize {
        self.bodies.budget()
    }

    /// So many more bytes came, and are to be held.
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

    /// So many bytes are held no longer.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.length = self.length.saturating_sub(bytes);
        let spare = self.counted - self.length.next_multiple_of(STEP).min(self.counted);
        if spare == 0 {
            return;
        }
        self.counted -= spare;
        let mut books = self.bodies.books();
        books.held -= spare;
        if let Some(share) = books.from.get_mut(&self.from) {
            share.held -= spare;
        }
    }

    fn count(&mut self, more: usize) -> Result<(), Full> {
        let Shared { budget, share: most, short, .. } = &*self.bodies.0;
        let mut books = self.bodies.books();
        let Books { held, from } = &mut *books;
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

    /// Waits until there is no room for another body while this one stalls.
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
        let mut books = self.bodies.books();
        books.held -= self.counted;
        if let Some(share) = books.from.get_mut(&self.from) {
            share.held -= self.counted;
            share.bodies -= 1;
            if share.bodies == 0 {
                books.from.remove(&self.from);
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
    fn what_is_held_is_counted_and_given_back() {
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
        assert!(bodies.books().from.is_empty());
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
    async fn who_stalls_is_in_the_way_of_others_and_who_sends_is_not() {
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
