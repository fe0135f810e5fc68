//! Limits and counters of actors.

use std::time::Duration;

/// Limits of actors.
#[derive(Debug, Clone)]
pub struct ActorLimits {
    /// How many events of one actor may wait.
    pub mailbox: usize,
    /// How many instances may exist at the same time. When there are more, the one that was idle for the longest time
    /// stops.
    pub alive: usize,
    /// How many sockets one actor may keep while it hibernates.
    pub sockets: usize,
    /// How many tags a socket may have.
    pub tags: usize,
    /// UTF-16 units of a tag.
    pub tag_length: usize,
    /// How long an instance with sockets is idle until it stops.
    pub hibernate_after: Duration,
    /// How long an instance without sockets, or with timers, is idle until it stops.
    pub evict_after: Duration,
    /// How long an instance may block the delivery of events.
    pub block: Duration,
    /// How long after a reload new events of a busy actor wait for those that run, so that it can move.
    pub drain: Duration,
    /// How long after that the next attempt is made.
    pub drain_again: Duration,
    /// How long after its handler has thrown an alarm is repeated: twice as long each time.
    pub alarm_delay: Duration,
    /// How often an alarm is repeated.
    pub alarm_retries: u32,
}

impl Default for ActorLimits {
    fn default() -> ActorLimits {
        ActorLimits {
            mailbox: 10_000,
            alive: 10_000,
            sockets: 32_768,
            tags: 10,
            tag_length: 256,
            hibernate_after: Duration::from_secs(10),
            evict_after: Duration::from_secs(70),
            block: Duration::from_secs(30),
            drain: Duration::from_millis(100),
            drain_again: Duration::from_secs(1),
            alarm_delay: Duration::from_secs(2),
            alarm_retries: 6,
        }
    }
}

/// Counters of all actors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActorStats {
    /// Instances that exist.
    pub alive: usize,
    /// Actors without an instance whose sockets are kept.
    pub hibernating: usize,
    /// Events that wait.
    pub queued: usize,
    /// Alarms that are set.
    pub alarms: usize,
    /// Alarms whose time has come and whose handler has not returned.
    pub alarms_due: usize,
}
