//! How long a client may keep the host waiting.

use std::time::{Duration, Instant};

/// How many bytes give back a second: who is slower than this for long wastes the host's time.
const BYTES_PER_SECOND: u32 = 1024;

/// A time that runs down while the host waits for one client, and comes back with every byte that moves. So a client
/// on a slow connection is waited for, and one that stands still or trickles is not.
#[derive(Debug, Clone)]
pub(crate) struct StallTimeout {
    limit: Duration,
    left: Duration,
    waiting_since: Option<Instant>,
}

impl StallTimeout {
    pub(crate) fn new(limit: Duration) -> StallTimeout {
        StallTimeout { limit, left: limit, waiting_since: None }
    }

    /// Nothing moves, and it is the client's turn. Returns when the patience ends.
    pub(crate) fn wait(&mut self, now: Instant) -> Instant {
        *self.waiting_since.get_or_insert(now) + self.left
    }

    /// So many bytes moved.
    pub(crate) fn moved(&mut self, bytes: usize, now: Instant) {
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned = Duration::from_secs(1) * bytes / BYTES_PER_SECOND;
        self.left = (self.left.saturating_sub(waited) + earned).min(self.limit);
    }

    /// The most that it can be.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether any of it is gone.
    pub(crate) fn is_spent(&self) -> bool {
        self.left < self.limit
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// When the patience ends, if the host waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        Some(self.waiting_since? + self.left)
    }
}

/// What comes before a deadline, `None` if nothing does. A process that was stopped finds that it is too late before it
/// has seen what came meanwhile, so there is one look more.
pub(crate) async fn within<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    if let Ok(came) = tokio::time::timeout_at(deadline.into(), future.as_mut()).await {
        return Some(came);
    }
    tokio::select! {
        biased;
        came = future => Some(came),
        // Meanwhile whatever the system has is read.
        () = tokio::task::yield_now() => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn patience() -> (StallTimeout, Instant) {
        (StallTimeout::new(LIMIT), Instant::now())
    }

    #[test]
    fn time_counts_only_while_the_host_waits() {
        let (mut patience, start) = patience();
        patience.moved(1, start + LIMIT * 100);
        assert_eq!(patience.deadline(), None);

        patience.wait(start + LIMIT * 101);
        patience.wait(start + LIMIT * 102);
        assert_eq!(patience.deadline(), Some(start + LIMIT * 102));
    }

    #[test]
    fn bytes_give_time_back_and_never_more_than_there_was() {
        let (mut patience, start) = patience();
        patience.wait(start);
        let mut now = start + Duration::from_secs(5);
        patience.moved(2048, now);
        patience.wait(now);
        assert_eq!(patience.deadline(), Some(now + Duration::from_secs(7)));

        now += Duration::from_secs(1);
        patience.moved(usize::MAX, now);
        patience.wait(now);
        assert_eq!(patience.deadline(), Some(now + LIMIT));
    }

    #[test]
    fn a_trickle_does_not_go_on_for_ever() {
        let (mut patience, start) = patience();
        let (mut now, mut got) = (start, 0);
        loop {
            patience.wait(now);
            let next = now + Duration::from_secs(1);
            if patience.deadline().is_some_and(|deadline| deadline <= next) {
                break;
            }
            now = next;
            patience.moved(100, now);
            got += 100;
        }
        assert!((900..1200).contains(&got), "{got} bytes in {:?}", now - start);
    }
}
