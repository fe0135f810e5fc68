//! Channels: lines whose clients receive each other's messages. This module keeps the members and decides which line
//! receives what; the registry sends it.
//!
//! ```text
//!  channel ──▶ members: a session, or one line without one ──▶ memberships: the member's lines
//! ```
//!
//! A member receives the messages of the others on each of its lines, and none of its own. The others are informed that
//! it joins with its first line and leaves with its last, at the latest before the next message in the channel.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use self::account::{Account, Charged};
use self::presence::{Change, Changes, Count, JOINS, JOINS_AND_LEAVES, Kind, LEAVES, Notices};
use self::receivers::Receivers;
use crate::line::is_reserved;
use crate::{ChannelId, Envelope, Event, Frame, LineId, MemberId, Payload};

mod account;
mod presence;
mod receivers;

pub(crate) use self::account::Place;

/// How a line takes part in a channel, as its handler decides.
#[derive(Debug, Clone, Default)]
pub struct JoinOptions {
    /// What the other members receive when its member joins and leaves. `None`: nothing.
    pub announcement: Option<Announcement>,
    /// Data about the member for the other members.
    pub presence: Payload,
    /// The types that the client may send; any if `None`.
    pub allowed: Option<Vec<String>>,
    /// The handler decides what becomes of each message of its client: [`Event::Relay`].
    pub decides: bool,
}

/// What the other members receive when a member joins and leaves.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// When it joins.
    pub joins: Payload,
    /// When it leaves.
    pub leaves: Payload,
}

/// What a handler listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// The messages of its own client in the channel.
    Client,
    /// The messages of every client in the channel.
    Channel,
    /// Members that join and leave.
    Presence,
}

/// A message of a client in a channel.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its type without the channel: `message`, `typing`.
    pub kind: &'a str,
    /// The sender's name for it.
    pub event_id: &'a str,
    /// Bytes that a handler which listens acknowledges.
    pub size: usize,
}

/// What the other members receive of a message.
#[derive(Debug, Clone)]
pub enum Payloads {
    /// All of them the same, which is encoded once.
    Same(Payload),
    /// Each member its own. A member that is not listed receives nothing.
    Each(Vec<(MemberId, Payload)>),
}

/// A member of a channel.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Its id.
    pub id: MemberId,
    /// [`JoinOptions::presence`] of its first line.
    pub data: Payload,
    /// It is the member that asked.
    pub is_self: bool,
}

/// What follows from an input: frames for clients, events for handlers that listen.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub frames: Vec<(LineId, Charged)>,
    pub events: Vec<(LineId, Event)>,
    /// How many lines are in the channel.
    pub lines: usize,
}

/// What becomes of a client's message in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelayDecision {
    pub member: MemberId,
    pub relay: Relay,
    /// The client's own handler receives it, too.
    pub is_for_handler: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relay {
    /// The client may not send this type.
    Denied,
    /// Its handler decides.
    Handler,
    /// The others receive it as it is.
    Free,
}

/// All channels, and the channels of each line.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    channels: HashMap<ChannelId, Channel>,
    entered: HashMap<LineId, Vec<ChannelId>>,
    next_member: u64,
    /// Channels with changes since the last [`Channels::announce`].
    changed: Vec<ChannelId>,
    /// Channels that collect changes, by when these are announced.
    collecting: BTreeSet<(Instant, ChannelId)>,
    /// How many announcements there were, which numbers them.
    announcements: u64,
}

#[derive(Debug, Default)]
struct Channel {
    members: BTreeMap<MemberId, Member>,
    receivers: Receivers,
    by_session: HashMap<String, MemberId>,
    account: Account,
    changes: Changes,
    /// When the collected changes are announced.
    collects_until: Option<Instant>,
}

#[derive(Debug)]
struct Member {
    session: Option<String>,
    /// In the order in which they began; never empty.
    memberships: Vec<Membership>,
}

/// One line of a member.
#[derive(Debug)]
struct Membership {
    line: LineId,
    options: JoinOptions,
    listens_to_client: bool,
    listens_to_presence: bool,
    /// Changes before this count are not announced to it.
    since: Count,
}

impl Channels {
    /// A line enters; lines of one `session` are one member. A line that is in it already stays as it is.
    pub(crate) fn enter(&mut self, id: ChannelId, line: LineId, session: Option<&str>, options: JoinOptions) {
        let channel = self.channels.entry(id.clone()).or_default();
        if channel.receivers.contains(line) {
            return;
        }
        self.entered.entry(line).or_default().push(id.clone());
        let announcement = options.announcement.clone();
        let since = channel.changes.so_far();
        let mut membership =
            Membership { line, options, listens_to_client: false, listens_to_presence: false, since };
        let known = session.and_then(|session| channel.by_session.get(session).copied());
        if let Some(member) = known {
            channel.receivers.add(line, member);
            channel.members.get_mut(&member).expect("sessions name members").memberships.push(membership);
            return;
        }
        let member = MemberId(self.next_member);
        self.next_member += 1;
        channel.receivers.add(line, member);
        let session = session.map(str::to_owned);
        if let Some(session) = session.clone() {
            channel.by_session.insert(session, member);
        }
        if let Some(Announcement { joins: payload, .. }) = announcement {
            let lines = channel.receivers.len();
            channel.changes.add(Change { kind: Kind::Joins, member, line, payload }, lines);
            membership.since = channel.changes.so_far();
            self.changed.push(id);
        }
        channel.members.insert(member, Member { session, memberships: vec![membership] });
    }

    /// A line leaves one channel.
    pub(crate) fn leave(&mut self, id: &ChannelId, line: LineId) {
        let Some(entered) = self.entered.get_mut(&line) else { return };
        entered.retain(|other| other != id);
        if entered.is_empty() {
            self.entered.remove(&line);
        }
        self.vacate(id, line);
    }

    /// A line is over: it leaves every channel.
    pub(crate) fn leave_all(&mut self, line: LineId) {
        for id in self.entered.remove(&line).unwrap_or_default() {
            self.vacate(&id, line);
        }
        if self.entered.is_empty() {
            self.entered.shrink_to_fit();
        }
    }

    fn vacate(&mut self, id: &ChannelId, line: LineId) {
        let Some(channel) = self.channels.get_mut(id.as_str()) else { return };
        let Some(member) = channel.receivers.remove(line) else { return };
        let known = channel.members.get_mut(&member).expect("lines name members");
        let at = known
            .memberships
            .iter()
            .position(|membership| membership.line == line)
            .expect("a member knows its lines");
        let membership = known.memberships.remove(at);
        if !known.memberships.is_empty() {
            return;
        }
        if let Some(Member { session: Some(session), .. }) = channel.members.remove(&member) {
            channel.by_session.remove(&session);
        }
        if channel.members.is_empty() {
            // No member is left to receive announcements.
            if let Some(until) = channel.collects_until {
                self.collecting.remove(&(until, id.clone()));
            }
            self.channels.remove(id.as_str());
        } else if let Some(Announcement { leaves: payload, .. }) = membership.options.announcement {
            let lines = channel.receivers.len();
            channel.changes.add(Change { kind: Kind::Leaves, member, line, payload }, lines);
            self.changed.push(id.clone());
        }
    }

    /// Announces the changes of the next channel where that is due now. `None`: there is no such channel left.
    pub(crate) fn announce(&mut self, now: Instant) -> Option<Outcome> {
        while let Some(id) = self.changed.pop() {
            let Some(channel) = self.channels.get_mut(id.as_str()) else { continue };
            if channel.collects_until.is_some() || !channel.changes.is_pending() {
                continue;
            }
            let due = channel.changes.due(channel.receivers.len(), now);
            if due <= now {
                return Some(self.announce_changes(&id, now));
            }
            channel.collects_until = Some(due);
            self.collecting.insert((due, id));
        }
        None
    }

    /// Announces the changes of the next channel that has collected for long enough.
    pub(crate) fn announce_due(&mut self, now: Instant) -> Option<Outcome> {
        let (due, id) = self.collecting.first()?;
        let id = (*due <= now).then(|| id.clone())?;
        Some(self.announce_changes(&id, now))
    }

    /// When [`Channels::announce_due`] has something to do.
    pub(crate) fn next_announcement(&self) -> Option<Instant> {
        self.collecting.first().map(|(due, _)| *due)
    }

    /// Announces all changes of a channel, because a message follows.
    pub(crate) fn settle(&mut self, id: &ChannelId, now: Instant) -> Option<Outcome> {
        let is_pending = self.channels.get(id.as_str())?.changes.is_pending();
        is_pending.then(|| self.announce_changes(id, now))
    }

    fn announce_changes(&mut self, id: &ChannelId, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(channel) = self.channels.get_mut(id.as_str()) else { return outcome };
        if let Some(until) = channel.collects_until.take() {
            self.collecting.remove(&(until, id.clone()));
        }
        self.announcements += 1;
        outcome.lines = channel.receivers.len();
        let mut notices = Notices::new(id, &channel.account, &channel.changes, self.announcements);
        for membership in channel.members.values().flat_map(|member| &member.memberships) {
            let Some(notice) = notices.after(membership.since) else { continue };
            if membership.listens_to_presence {
                let message = Message { kind: notice.kind, event_id: &notice.event_id, size: 0 };
                outcome.events.push((membership.line, overheard(id, notice.from, message, &notice.payload)));
            }
            outcome.frames.push((membership.line, notice.frame));
        }
        channel.changes.settle(outcome.lines, now);
        outcome
    }

    /// Whether the line is in any channel.
    pub(crate) fn contains(&self, line: LineId) -> bool {
        self.entered.contains_key(&line)
    }

    /// A line's handler listens from now on.
    pub(crate) fn listen(&mut self, id: &ChannelId, line: LineId, to: Listening) {
        let Some(channel) = self.channels.get_mut(id.as_str()) else { return };
        let Some(member) = channel.receivers.member(line) else { return };
        if to == Listening::Channel {
            return channel.receivers.listen(line);
        }
        let memberships =
            channel.members.get_mut(&member).into_iter().flat_map(|member| &mut member.memberships);
        for membership in memberships.filter(|membership| membership.line == line) {
            match to {
                Listening::Client => membership.listens_to_client = true,
                Listening::Channel => {}
                Listening::Presence => membership.listens_to_presence = true,
            }
        }
    }

    /// Splits the type of a message into the channel that it is addressed to, if the line is in it, and the rest.
    pub(crate) fn addressed<'a>(&self, line: LineId, kind: &'a str) -> Option<(ChannelId, &'a str)> {
        let (channel, kind) = kind.rsplit_once(':')?;
        let id = self.entered.get(&line)?.iter().find(|id| id.as_str() == channel)?;
        Some((id.clone(), kind))
    }

    /// What becomes of a message of the type `kind` from the line's client.
    pub(crate) fn decision(&self, id: &ChannelId, line: LineId, kind: &str) -> Option<RelayDecision> {
        let (member, membership) = self.channels.get(id.as_str())?.membership(line)?;
        let may =
            membership.options.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|it| it == kind));
        let relay = match membership.options.decides {
            _ if !may => Relay::Denied,
            true => Relay::Handler,
            false => Relay::Free,
        };
        Some(RelayDecision { member, relay, is_for_handler: membership.listens_to_client })
    }

    /// A message of the line's client, for the other members and for handlers that listen.
    pub(crate) fn relay(
        &self,
        id: &ChannelId,
        line: LineId,
        message: Message,
        payloads: Payloads,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(channel) = self.channels.get(id.as_str()) else { return outcome };
        outcome.lines = channel.receivers.len();
        let Some(sender) = channel.receivers.member(line) else { return outcome };
        let Message { kind, event_id, .. } = message;
        let wire_kind = format!("{}:{kind}", id.as_str());
        let envelope = Envelope { kind: &wire_kind, event_id, ..Default::default() };
        let charge = |payload: &Payload| channel.account.charge(envelope.encode(payload.as_deref()));
        match payloads {
            Payloads::Same(payload) => {
                let frame = charge(&payload);
                outcome.frames.reserve_exact(outcome.lines);
                for receiver in channel.receivers.iter() {
                    if receiver.member != sender {
                        outcome.frames.push((receiver.line, frame.clone()));
                    }
                    if receiver.listens {
                        outcome.events.push((receiver.line, overheard(id, line, message, &payload)));
                    }
                }
            }
            Payloads::Each(payloads) => {
                for (member_id, payload) in payloads {
                    let Some(member) = channel.members.get(&member_id) else { continue };
                    let frame = charge(&payload);
                    for membership in &member.memberships {
                        if member_id != sender {
                            outcome.frames.push((membership.line, frame.clone()));
                        }
                        if channel.receivers.listens(membership.line) {
                            outcome.events.push((membership.line, overheard(id, line, message, &payload)));
                        }
                    }
                }
            }
        }
        outcome
    }

    /// A handler's frame for every client in a channel.
    pub(crate) fn post(&self, id: &ChannelId, frame: &Frame) -> Outcome {
        let Some(channel) = self.channels.get(id.as_str()) else { return Outcome::default() };
        let frame = channel.account.charge(frame.clone());
        Outcome {
            frames: channel.receivers.iter().map(|receiver| (receiver.line, frame.clone())).collect(),
            events: Vec::new(),
            lines: channel.receivers.len(),
        }
    }

    /// Bytes that all lines of a channel have queued together.
    #[cfg(test)]
    pub(crate) fn queued_in(&self, id: &ChannelId) -> usize {
        self.channels.get(id.as_str()).map_or(0, |channel| channel.account.bytes())
    }

    /// The members of a channel. `line` marks the caller's own options.
    pub(crate) fn members(&self, id: &ChannelId, line: Option<LineId>) -> Vec<Presence> {
        let Some(channel) = self.channels.get(id.as_str()) else { return Vec::new() };
        let own = line.and_then(|line| channel.receivers.member(line));
        let presence = |(id, member): (&MemberId, &Member)| {
            let data = member.memberships.first().and_then(|membership| membership.options.presence.clone());
            Presence { id: *id, data, is_self: Some(*id) == own }
        };
        channel.members.iter().map(presence).collect()
    }

    /// How many members a channel has.
    pub(crate) fn size(&self, id: &ChannelId) -> usize {
        self.channels.get(id.as_str()).map_or(0, |channel| channel.members.len())
    }

    /// How many channels there are, and how many members in all of them.
    pub(crate) fn count(&self) -> (u64, u64) {
        let members = self.channels.values().map(|channel| channel.members.len()).sum::<usize>();
        (self.channels.len() as u64, members as u64)
    }

    /// Bytes that the lines of all channels have queued together.
    pub(crate) fn queued(&self) -> u64 {
        self.channels.values().map(|channel| channel.account.bytes() as u64).sum()
    }

    /// The `count` channels with the most members, the largest first.
    pub(crate) fn largest(&self, count: usize) -> Vec<(ChannelId, usize)> {
        let mut largest: Vec<(Reverse<usize>, &ChannelId)> = Vec::new();
        for (id, channel) in &self.channels {
            let place = (Reverse(channel.members.len()), id);
            let at = largest.partition_point(|known| *known < place);
            if at < count {
                largest.truncate(count - 1);
                largest.insert(at, place);
            }
        }
        largest.into_iter().map(|(Reverse(members), id)| (id.clone(), members)).collect()
    }

    /// Whether no line is in any channel.
    pub(crate) fn is_empty(&self) -> bool {
        debug_assert!(
            !self.channels.is_empty() || self.collecting.is_empty(),
            "a channel that collects has members"
        );
        self.channels.is_empty() && self.entered.is_empty()
    }
}

impl Channel {
    fn membership(&self, line: LineId) -> Option<(MemberId, &Membership)> {
        let member = self.receivers.member(line)?;
        let membership =
            self.members.get(&member)?.memberships.iter().find(|membership| membership.line == line)?;
        Some((member, membership))
    }
}

/// Whether a client may send the type `kind` in a channel. Announcements and reserved types are the host's.
pub(crate) fn may_send(kind: &str) -> bool {
    !kind.is_empty() && !is_reserved(kind) && ![JOINS, LEAVES, JOINS_AND_LEAVES].contains(&kind)
}

fn overheard(channel: &ChannelId, from: LineId, message: Message, payload: &Payload) -> Event {
    let Message { kind, event_id, size } = message;
    Event::ChannelMessage {
        channel: channel.clone(),
        kind: kind.to_owned(),
        event_id: event_id.to_owned(),
        payload: payload.clone(),
        from,
        size,
    }
}

#[cfg(test)]
mod tests;
