//! The answers of a thread that are sent together, one right after the other.
//!
//! A send to a client that sleeps has to wake it, which costs about as much processor time as the rest of the send. A thread
//! that sends each answer before it runs the next handler wakes the client for each one, where the client is one process with
//! many connections, as a proxy is. Of answers that are sent closely one after the other, only the first does.
//!
//! So an answer waits until every connection that is ready had its turn, but not for long.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::wire::Wire;

/// Answers that wait at a time.
const MOST: usize = 32;

/// How long an answer waits while no handler takes long.
const LONGEST: Duration = Duration::from_micros(500);

/// An answer that waited longer than this was behind a slow handler.
const LATE: Duration = Duration::from_millis(10);

/// For so long after a late answer none waits: where one handler was slow, the next may be.
const PAUSE: Duration = Duration::from_secs(1);

thread_local! {
    static ROUND: RefCell<Round> = const { RefCell::new(Round::new()) };
}

/// See the module.
struct Round {
    held: Vec<Held>,
    /// When the first of them was held.
    since: Option<Instant>,
    paused_until: Option<Instant>,
    /// Wakes the task that ends the round.
    ending: Option<Waker>,
}

/// A connection whose answer waits.
struct Held {
    wire: Rc<RefCell<Wire>>,
    /// Wakes the connection's task.
    waker: Waker,
}

impl Round {
    const fn new() -> Round {
        Round { held: Vec::new(), since: None, paused_until: None, ending: None }
    }

    fn is_full(&self, now: Instant) -> bool {
        self.held.len() >= MOST || self.since.is_some_and(|since| now.duration_since(since) >= LONGEST)
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// The connections whose answers can be sent.
    fn end(&mut self) -> Vec<Held> {
        let now = Instant::now();
        if self.since.take().is_some_and(|since| now.duration_since(since) > LATE) {
            self.paused_until = Some(now + PAUSE);
        }
        std::mem::take(&mut self.held)
    }
}

/// Has the output of `wire`, which is complete `now`, wait for the end of the round, unless that could take long, or nothing
/// ends rounds.
pub(super) fn hold(wire: &Rc<RefCell<Wire>>, now: Instant, cx: &Context<'_>) {
    if ROUND.with_borrow(|round| round.is_full(now)) {
        send();
    }
    ROUND.with_borrow_mut(|round| {
        let Some(ending) = round.ending.as_ref().filter(|_| !round.is_paused(now)) else { return };
        if round.held.is_empty() {
            ending.wake_by_ref();
        }
        round.since.get_or_insert(now);
        round.held.push(Held { wire: wire.clone(), waker: cx.waker().clone() });
        wire.borrow_mut().hold();
    });
}

/// The round has nothing to do with `wire` any more. What it holds of it is sent.
pub(super) fn leave(wire: &Rc<RefCell<Wire>>) {
    // More than one, if answers were held again after others had to be sent at once.
    let mine = ROUND.with_borrow_mut(|round| {
        round.held.extract_if(.., |held| Rc::ptr_eq(&held.wire, wire)).collect::<Vec<_>>()
    });
    mine.into_iter().for_each(Held::send);
}

/// Ends the rounds of this thread, each when every task that was ready had its turn. Never ready.
pub(in crate::server) async fn end_all() {
    /// Answers are not held any more when nothing ends their rounds.
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            ROUND.with_borrow_mut(|round| round.ending = None);
            send();
        }
    }
    let _last = Last;
    poll_fn(|cx| {
        ROUND.with_borrow_mut(|round| round.ending = Some(cx.waker().clone()));
        send();
        Poll::Pending
    })
    .await
}

/// Sends the answers that wait.
fn send() {
    let mut held = ROUND.with_borrow_mut(Round::end);
    held.drain(..).for_each(Held::send);
    // The list is made once.
    ROUND.with_borrow_mut(|round| round.held = held);
}

impl Held {
    fn send(self) {
        self.wire.borrow_mut().send_held(&mut Context::from_waker(&self.waker));
    }
}
