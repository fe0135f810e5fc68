//! Announcements of members that joined or left a channel, in few frames.
//!
//! ```text
//!  all:   joins and leaves since the channel began      ...|xxxxxxxxxxxxxxx|
//!  told:  those that were announced                        ▲        ▲
//!  since: where a membership that is newer begins          told     since
//! ```
//!
//! A quiet channel announces a change at once. A busy one collects changes and announces them in one frame for each
//! line, so seldom that its lines together receive a bounded number of frames a second. A frame with one change is the
//! same as without collecting; one with a few lists them; one with many only has their numbers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::account::{Account, Charged};
use crate::Envelope;
use crate::{ChannelId, LineId, MemberId, Payload};

/// Types of announcements, which a client cannot send.
pub(crate) const JOINS: &str = "joins";
pub(crate) const LEAVES: &str = "leaves";
/// Several changes in one frame.
pub(crate) const JOINS_AND_LEAVES: &str = "joins-leaves";

/// How many changes one frame lists at most, and bytes of payload together.
const MAX_LISTED: usize = 32;
const MAX_LISTED_BYTES: usize = 4096;
/// How many the frames of all lines list together: in a channel of 10,000 lines, three each.
const MAX_LISTED_TO_ALL: usize = 32_000;

/// The time between two announcements grows with the number of lines: 50,000 frames a second for each channel.
const WINDOW: Duration = Duration::from_millis(5);
const WINDOW_PER_LINE: Duration = Duration::from_micros(20);
const MAX_WINDOW: Duration = Duration::from_secs(1);

/// With at most this many lines, a few changes are announced at once before the channel collects.
const SMALL: usize = 64;
const BURST: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Joins,
    Leaves,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Joins => JOINS,
            Kind::Leaves => LEAVES,
        }
    }
}

/// A member joined or left. The payload is its handler's.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub kind: Kind,
    pub member: MemberId,
    pub line: LineId,
    pub payload: Payload,
}

impl Change {
    fn event_id(&self) -> String {
        format!("{}-{}", self.kind.name(), self.member.0)
    }
}

/// Numbers of changes, counted from the beginning of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    joins: u64,
    leaves: u64,
}

impl Count {
    fn sum(self) -> u64 {
        self.joins + self.leaves
    }

    fn since(self, earlier: Count) -> Count {
        Count { joins: self.joins - earlier.joins, leaves: self.leaves - earlier.leaves }
    }
}

/// The changes of a channel.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    all: Count,
    told: Count,
    /// The changes after `told`, in order; empty if they are too many to be listed.
    listed: Vec<Change>,
    listed_bytes: usize,
    /// The line of the last one.
    last: Option<LineId>,
    /// When the next announcement is due, apart from the burst of a small channel.
    next: Option<Instant>,
}

/// An announcement: a frame for the client, and the same for a handler that listens.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub kind: &'static str,
    pub event_id: String,
    pub payload: Payload,
    pub from: LineId,
    pub frame: Charged,
}

impl Changes {
    /// Adds one, in a channel with this many lines.
    pub(super) fn add(&mut self, change: Change, lines: usize) {
        let is_listed = self.is_listed();
        let size = change.payload.as_ref().map_or(0, |payload| payload.get().len());
        match change.kind {
            Kind::Joins => self.all.joins += 1,
            Kind::Leaves => self.all.leaves += 1,
        }
        self.last = Some(change.line);
        let most = MAX_LISTED.min(MAX_LISTED_TO_ALL / lines.max(1));
        let fits = self.listed.len() < most && self.listed_bytes + size <= MAX_LISTED_BYTES;
        if is_listed && (fits || self.listed.is_empty()) {
            self.listed_bytes += size;
            self.listed.push(change);
        } else {
            (self.listed, self.listed_bytes) = (Vec::new(), 0);
        }
    }

    /// How many changes there were; a new membership receives those after them.
    pub(super) fn so_far(&self) -> Count {
        self.all
    }

    /// Whether there are changes to announce.
    pub(super) fn is_pending(&self) -> bool {
        self.all != self.told
    }

    /// When a channel with this many lines may announce its changes.
    pub(super) fn due(&self, lines: usize, now: Instant) -> Instant {
        let ahead = if lines <= SMALL { window(lines) * (BURST - 1) } else { Duration::ZERO };
        self.next.and_then(|next| next.checked_sub(ahead)).map_or(now, |due| due.max(now))
    }

    /// All pending changes are announced.
    pub(super) fn settle(&mut self, lines: usize, now: Instant) {
        self.told = self.all;
        (self.listed, self.listed_bytes) = (Vec::new(), 0);
        self.next = Some(self.next.map_or(now, |next| next.max(now)) + window(lines));
    }

    /// Whether all that is pending is listed.
    fn is_listed(&self) -> bool {
        self.listed.len() as u64 == self.all.since(self.told).sum()
    }
}

fn window(lines: usize) -> Duration {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    (WINDOW + WINDOW_PER_LINE.saturating_mul(lines)).min(MAX_WINDOW)
}

/// The announcements of a channel's pending changes.
pub(crate) struct Notices<'a> {
    channel: &'a ChannelId,
    account: &'a Account,
    changes: &'a Changes,
    /// Numbers this round of announcements.
    number: u64,
    /// Encoded announcements, by how many of the pending changes they leave out.
    known: HashMap<u64, Notice>,
}

#[derive(Serialize)]
struct Several<'a> {
    joins: u64,
    leaves: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Listed<'a>>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    event: &'static str,
    #[serde(rename = "eventID")]
    event_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
}

impl<'a> Notices<'a> {
    pub(super) fn new(
        channel: &'a ChannelId,
        account: &'a Account,
        changes: &'a Changes,
        number: u64,
    ) -> Self {
        Notices { channel, account, changes, number, known: HashMap::new() }
    }

    /// The announcement for a membership that began at `since`; none if all changes happened before.
    pub(super) fn after(&mut self, since: Count) -> Option<Notice> {
        let Changes { all, told, .. } = *self.changes;
        let since = if since.sum() > told.sum() { since } else { told };
        let skipped = since.since(told).sum();
        if since == all {
            return None;
        }
        if let Some(notice) = self.known.get(&skipped) {
            return Some(notice.clone());
        }
        let notice = self.encode(since, skipped);
        // Without a list, each newer membership has numbers of its own, which are cheap to encode.
        if skipped == 0 || self.changes.is_listed() {
            self.known.insert(skipped, notice.clone());
        }
        Some(notice)
    }

    fn encode(&self, since: Count, skipped: u64) -> Notice {
        let Changes { all, listed, last, .. } = self.changes;
        let listed = listed.get(skipped as usize..).filter(|listed| !listed.is_empty());
        if let Some([change]) = listed {
            let (kind, event_id) = (change.kind.name(), change.event_id());
            // The protocol sends a single change as an ordinary message.
            return self.notice(kind, "message", event_id, change.payload.clone(), change.line);
        }
        let Count { joins, leaves } = all.since(since);
        let events = listed.map(|listed| {
            let entry = |change: &'a Change| Listed {
                event: change.kind.name(),
                event_id: change.event_id(),
                message: change.payload.as_deref(),
            };
            listed.iter().map(entry).collect()
        });
        let several = Several { joins, leaves, events };
        let payload = to_raw_value(&several).expect("numbers, strings and checked JSON always encode");
        let event_id = format!("{JOINS_AND_LEAVES}-{}", self.number);
        let from = last.expect("something is pending");
        self.notice(JOINS_AND_LEAVES, JOINS_AND_LEAVES, event_id, Some(payload.into()), from)
    }

    /// `kind` is the type for handlers, `wire_kind` the type on the wire.
    fn notice(
        &self,
        kind: &'static str,
        wire_kind: &str,
        event_id: String,
        payload: Payload,
        from: LineId,
    ) -> Notice {
        let wire_kind = format!("{}:{wire_kind}", self.channel.as_str());
        let envelope = Envelope { kind: &wire_kind, event_id: &event_id, ..Default::default() };
        let frame = self.account.charge(envelope.encode(payload.as_deref()));
        Notice { kind, event_id, payload, from, frame }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    fn change(kind: Kind, member: u64) -> Change {
        let text = format!("\"{member}\"");
        let payload = Some(Arc::from(RawValue::from_string(text).unwrap()));
        Change { kind, member: MemberId(member), line: LineId(member), payload }
    }

    fn joins(members: std::ops::Range<u64>) -> Changes {
        let mut changes = Changes::default();
        members.for_each(|member| changes.add(change(Kind::Joins, member), 1));
        changes
    }

    /// Type and id of an announcement, and its message.
    fn told(changes: &Changes, since: Count) -> Option<(String, Value)> {
        let (room, account) = ("room".parse().unwrap(), Account::default());
        let notice = Notices::new(&room, &account, changes, 5).after(since)?;
        let frame: Value = serde_json::from_str(notice.frame.frame().as_str()).unwrap();
        let text = |key: &str| frame[".wq"][key].as_str().unwrap().to_owned();
        Some((format!("{} {}", text("type"), text("eventID")), frame["message"].clone()))
    }

    fn single(event_id: &str, message: Value) -> Option<(String, Value)> {
        Some((format!("room:message {event_id}"), message))
    }

    fn several(message: Value) -> Option<(String, Value)> {
        Some(("room:joins-leaves joins-leaves-5".to_owned(), message))
    }

    #[test]
    fn one_change_is_a_message() {
        let changes = joins(7..8);
        assert_eq!(told(&changes, Count::default()), single("joins-7", json!("7")));
        assert_eq!(told(&changes, changes.so_far()), None);
    }

    #[test]
    fn a_few_changes_are_listed_from_where_a_seat_begins() {
        let mut changes = joins(1..2);
        let after_one = changes.so_far();
        changes.add(change(Kind::Leaves, 9), 1);
        let after_two = changes.so_far();
        changes.add(Change { payload: None, ..change(Kind::Joins, 2) }, 1);
        let mut events = vec![
            json!({ "event": "leaves", "eventID": "leaves-9", "message": "9" }),
            json!({ "event": "joins", "eventID": "joins-2" }),
        ];
        assert_eq!(told(&changes, after_two), single("joins-2", Value::Null));
        let wanted = json!({ "joins": 1, "leaves": 1, "events": events });
        assert_eq!(told(&changes, after_one), several(wanted));
        events.insert(0, json!({ "event": "joins", "eventID": "joins-1", "message": "1" }));
        let wanted = json!({ "joins": 2, "leaves": 1, "events": events });
        assert_eq!(told(&changes, Count::default()), several(wanted));
    }

    #[test]
    fn many_changes_are_numbers() {
        let mut changes = joins(0..40);
        let since = changes.so_far();
        changes.add(change(Kind::Leaves, 3), 1);
        assert_eq!(told(&changes, Count::default()), several(json!({ "joins": 40, "leaves": 1 })));
        assert_eq!(told(&changes, since), several(json!({ "joins": 0, "leaves": 1 })));
        changes.settle(40, Instant::now());
        changes.add(change(Kind::Leaves, 4), 1);
        assert_eq!(told(&changes, Count::default()), single("leaves-4", json!("4")));
    }

    #[test]
    fn few_changes_are_numbers_in_a_large_channel() {
        let mut changes = Changes::default();
        (0..3).for_each(|member| changes.add(change(Kind::Joins, member), 10_000));
        assert_eq!(told(&changes, Count::default()).unwrap().1["events"].as_array().map(Vec::len), Some(3));
        changes.add(change(Kind::Joins, 3), 10_000);
        assert_eq!(told(&changes, Count::default()), several(json!({ "joins": 4, "leaves": 0 })));
    }

    #[test]
    fn large_changes_are_numbers_unless_they_are_alone() {
        let payload: Payload = Some(to_raw_value(&"x".repeat(MAX_LISTED_BYTES)).unwrap().into());
        let large = |member| Change { payload: payload.clone(), ..change(Kind::Joins, member) };
        let mut changes = Changes::default();
        changes.add(large(1), 1);
        assert_eq!(told(&changes, Count::default()).unwrap().0, "room:message joins-1");
        changes.add(large(2), 1);
        assert_eq!(told(&changes, Count::default()), several(json!({ "joins": 2, "leaves": 0 })));
    }

    #[test]
    fn due_is_at_once_in_a_quiet_channel_and_then_after_a_window() {
        let start = Instant::now();
        let mut changes = Changes::default();
        assert_eq!(changes.due(10_000, start), start);
        changes.settle(10_000, start);
        assert_eq!(changes.due(10_000, start), start + window(10_000));
        let later = start + Duration::from_secs(9);
        assert_eq!(changes.due(10_000, later), later);

        let mut small = Changes::default();
        (0..BURST).for_each(|_| {
            assert_eq!(small.due(3, start), start);
            small.settle(3, start);
        });
        assert_eq!(small.due(3, start), start + window(3));
    }
}
