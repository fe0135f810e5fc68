//! Who is present at a topic: members by their connections.
//!
//! A member is present while it has a connection, and for a while after the last one was lost, so that a page which
//! reconnects does not leave. A connection that has to send signs of life is lost when they stay away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::Millis;

/// How long members stay without a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceTimes {
    /// Milliseconds that a member stays after its last connection was lost.
    pub grace: u64,
    /// Milliseconds after which a connection is lost that gave no sign of life; `None` where its end is noticed by
    /// other means, as that of a socket is.
    pub expiry: Option<u64>,
}

/// A change of who is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// The member.
    pub member: Arc<str>,
    /// What happened.
    pub kind: PresenceKind,
    /// JSON about the member.
    pub data: Bytes,
}

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceKind {
    /// It has its first connection.
    Joined,
    /// Its data is different now.
    Updated,
    /// It has no connection any more.
    Left,
}

impl PresenceKind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            PresenceKind::Joined => "join",
            PresenceKind::Updated => "update",
            PresenceKind::Left => "leave",
        }
    }
}

/// The members of one topic.
#[derive(Debug, Default)]
pub(super) struct Presence {
    members: BTreeMap<Arc<str>, Member>,
    connections: BTreeMap<u64, Connection>,
    /// When connections without a sign of life and members without connections end.
    deadlines: BTreeSet<(Millis, Deadline)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Connection(u64),
    Member(Arc<str>),
}

#[derive(Debug)]
struct Member {
    data: Bytes,
    connections: usize,
    leaves_at: Option<Millis>,
}

#[derive(Debug)]
struct Connection {
    member: Arc<str>,
    times: PresenceTimes,
    lost_at: Option<Millis>,
}

impl Presence {
    /// A connection enters for a member, or changes the member's data.
    pub(super) fn enter(
        &mut self,
        connection: u64,
        member: &str,
        data: Bytes,
        times: PresenceTimes,
        now: Millis,
    ) -> Vec<PresenceChange> {
        let mut changes = Vec::new();
        if self.connections.get(&connection).is_some_and(|known| &*known.member != member) {
            changes.extend(self.leave(connection));
        }
        let member: Arc<str> = member.into();
        if let Some(before) = self.connections.remove(&connection) {
            self.disarm(before.lost_at, Deadline::Connection(connection));
            let known = self.members.get_mut(&member).expect("a connection has a member");
            known.connections -= 1;
        }
        let lost_at = times.expiry.map(|expiry| now.plus(expiry));
        self.arm(lost_at, Deadline::Connection(connection));
        self.connections.insert(connection, Connection { member: member.clone(), times, lost_at });
        let change = match self.members.get_mut(&member) {
            None => {
                self.members
                    .insert(member.clone(), Member { data: data.clone(), connections: 1, leaves_at: None });
                Some(PresenceKind::Joined)
            }
            Some(known) => {
                known.connections += 1;
                let leaves_at = known.leaves_at.take();
                let is_new = known.data != data;
                known.data = data.clone();
                self.disarm(leaves_at, Deadline::Member(member.clone()));
                is_new.then_some(PresenceKind::Updated)
            }
        };
        changes.extend(change.map(|kind| PresenceChange { member, kind, data }));
        changes
    }

    /// A connection gave a sign of life. Returns whether it is known.
    pub(super) fn alive(&mut self, connection: u64, now: Millis) -> bool {
        let Some(known) = self.connections.get_mut(&connection) else { return false };
        let lost_at = known.times.expiry.map(|expiry| now.plus(expiry));
        let before = std::mem::replace(&mut known.lost_at, lost_at);
        self.disarm(before, Deadline::Connection(connection));
        self.arm(lost_at, Deadline::Connection(connection));
        true
    }

    /// A connection leaves on purpose: its member leaves at once if it was the last.
    pub(super) fn leave(&mut self, connection: u64) -> Option<PresenceChange> {
        let known = self.connections.remove(&connection)?;
        self.disarm(known.lost_at, Deadline::Connection(connection));
        let member = self.members.get_mut(&known.member).expect("a connection has a member");
        member.connections -= 1;
        if member.connections > 0 {
            return None;
        }
        self.remove(&known.member)
    }

    /// A connection was lost: its member leaves if no other connection comes in time.
    pub(super) fn lost(&mut self, connection: u64, now: Millis) -> Option<PresenceChange> {
        let grace = self.connections.get(&connection)?.times.grace;
        if grace == 0 {
            return self.leave(connection);
        }
        let known = self.connections.remove(&connection)?;
        self.disarm(known.lost_at, Deadline::Connection(connection));
        let member = self.members.get_mut(&known.member).expect("a connection has a member");
        member.connections -= 1;
        if member.connections == 0 {
            let leaves_at = now.plus(grace);
            member.leaves_at = Some(leaves_at);
            self.arm(Some(leaves_at), Deadline::Member(known.member));
        }
        None
    }

    /// Ends what is due.
    pub(super) fn tick(&mut self, now: Millis) -> Vec<PresenceChange> {
        let mut changes = Vec::new();
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
        {
            let (_, due) = self.deadlines.pop_first().expect("the loop's condition has seen it");
            changes.extend(match due {
                Deadline::Connection(connection) => self.lost(connection, now),
                Deadline::Member(member) => self.remove(&member),
            });
        }
        changes
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&Arc<str>, &Bytes)> {
        self.members.iter().map(|(member, known)| (member, &known.data))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn remove(&mut self, member: &Arc<str>) -> Option<PresenceChange> {
        let known = self.members.remove(member)?;
        self.disarm(known.leaves_at, Deadline::Member(member.clone()));
        Some(PresenceChange { member: member.clone(), kind: PresenceKind::Left, data: known.data })
    }

    fn arm(&mut self, at: Option<Millis>, deadline: Deadline) {
        self.deadlines.extend(at.map(|at| (at, deadline)));
    }

    fn disarm(&mut self, at: Option<Millis>, deadline: Deadline) {
        if let Some(at) = at {
            self.deadlines.remove(&(at, deadline));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: PresenceTimes = PresenceTimes { grace: 1000, expiry: None };

    fn kinds(changes: impl IntoIterator<Item = PresenceChange>) -> Vec<(String, PresenceKind)> {
        changes.into_iter().map(|change| (change.member.to_string(), change.kind)).collect()
    }

    #[test]
    fn a_member_with_two_tabs_leaves_with_the_second() {
        let mut presence = Presence::default();
        assert_eq!(
            kinds(presence.enter(1, "ann", "1".into(), SOCKET, Millis(0))),
            [("ann".into(), PresenceKind::Joined)]
        );
        assert!(presence.enter(2, "ann", "1".into(), SOCKET, Millis(0)).is_empty());
        assert!(presence.leave(1).is_none());
        assert_eq!(kinds(presence.leave(2)), [("ann".into(), PresenceKind::Left)]);
        assert!(presence.is_empty() && presence.deadlines.is_empty());
    }

    #[test]
    fn a_member_that_reconnects_in_time_stays() {
        let mut presence = Presence::default();
        presence.enter(1, "ann", "1".into(), SOCKET, Millis(0));
        assert!(presence.lost(1, Millis(10)).is_none());
        assert!(presence.enter(2, "ann", "1".into(), SOCKET, Millis(900)).is_empty());
        assert!(presence.tick(Millis(5000)).is_empty());
        presence.lost(2, Millis(5000));
        assert!(presence.tick(Millis(5999)).is_empty());
        assert_eq!(kinds(presence.tick(Millis(6000))), [("ann".into(), PresenceKind::Left)]);
    }

    #[test]
    fn a_connection_without_signs_of_life_is_lost() {
        let (mut presence, times) = (Presence::default(), PresenceTimes { grace: 0, expiry: Some(100) });
        presence.enter(1, "ann", "1".into(), times, Millis(0));
        assert!(presence.alive(1, Millis(90)));
        assert!(presence.tick(Millis(189)).is_empty());
        assert_eq!(presence.next_deadline(), Some(Millis(190)));
        assert_eq!(kinds(presence.tick(Millis(190))), [("ann".into(), PresenceKind::Left)]);
        assert!(!presence.alive(1, Millis(191)));
    }

    #[test]
    fn a_connection_may_change_its_member_and_data() {
        let mut presence = Presence::default();
        presence.enter(1, "ann", "1".into(), SOCKET, Millis(0));
        assert_eq!(
            kinds(presence.enter(1, "ann", "2".into(), SOCKET, Millis(0))),
            [("ann".into(), PresenceKind::Updated)]
        );
        assert_eq!(
            kinds(presence.enter(1, "bob", "2".into(), SOCKET, Millis(0))),
            [("ann".into(), PresenceKind::Left), ("bob".into(), PresenceKind::Joined)]
        );
        assert_eq!(presence.members().count(), 1);
    }
}
