//! Members, announcements and messages of channels.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::*;

fn json(text: &str) -> Payload {
    Some(Arc::from(RawValue::from_string(text.to_owned()).unwrap()))
}

fn room() -> ChannelId {
    "room".parse().unwrap()
}

fn loud() -> JoinOptions {
    let announcement = Announcement { joins: json("\"joins\""), leaves: json("\"leaves\"") };
    JoinOptions { announcement: Some(announcement), ..JoinOptions::default() }
}

/// Lines 1 and 2 of session A, line 3 of no session.
fn three() -> Channels {
    let mut channels = Channels::default();
    for (line, session) in [(1, Some("A")), (2, Some("A")), (3, None)] {
        told_of_entry(&mut channels, line, session, loud());
    }
    channels
}

fn lines(outcome: &Outcome) -> Vec<u64> {
    outcome.frames.iter().map(|(line, _)| line.0).collect()
}

/// What follows from the changes until now.
fn announced(channels: &mut Channels) -> Outcome {
    channels.announce(Instant::now()).unwrap_or_default()
}

/// The lines that receive an announcement when the line enters.
fn told_of_entry(
    channels: &mut Channels,
    line: u64,
    session: Option<&str>,
    options: JoinOptions,
) -> Vec<u64> {
    channels.enter(room(), LineId(line), session, options);
    lines(&announced(channels))
}

fn told_of_leaving(channels: &mut Channels, line: u64) -> Vec<u64> {
    channels.leave(&room(), LineId(line));
    lines(&announced(channels))
}

const HI: Message = Message { kind: "message", event_id: "e", size: 7 };

#[test]
fn enter_is_announced_to_others_once_for_a_session() {
    let mut channels = three();
    assert_eq!(channels.size(&room()), 2);
    channels.enter(room(), LineId(4), None, loud());
    let outcome = announced(&mut channels);
    assert_eq!((lines(&outcome), outcome.lines), (vec![1, 2, 3], 4));
    let frame = outcome.frames[0].1.frame().as_str();
    assert!(frame.contains(r#""message":"joins",".wq":{"type":"room:message""#), "{frame}");
    assert!(told_of_entry(&mut channels, 4, None, loud()).is_empty(), "it is in already");
    assert!(told_of_entry(&mut channels, 5, Some("A"), loud()).is_empty());
}

#[test]
fn leave_is_announced_with_the_last_line() {
    let mut channels = three();
    assert!(told_of_leaving(&mut channels, 1).is_empty());
    assert_eq!(told_of_leaving(&mut channels, 2), [3]);
    assert!(told_of_leaving(&mut channels, 2).is_empty());
    channels.leave_all(LineId(3));
    assert!(channels.is_empty());
}

#[test]
fn enter_quietly_is_not_announced() {
    let mut channels = three();
    assert!(told_of_entry(&mut channels, 4, None, JoinOptions::default()).is_empty());
    assert!(told_of_leaving(&mut channels, 4).is_empty());
}

#[test]
fn changes_of_one_input_are_one_frame_for_each_line() {
    let mut channels = three();
    for line in 4..8 {
        channels.enter(room(), LineId(line), None, loud());
    }
    channels.leave(&room(), LineId(3));
    let outcome = announced(&mut channels);
    assert_eq!(lines(&outcome), [1, 2, 4, 5, 6, 7]);
    let bytes = |at: usize| outcome.frames[at].1.frame().as_str().as_ptr();
    assert_eq!(bytes(0), bytes(1), "all that were there before share it");
    let listed = |at: usize| outcome.frames[at].1.frame().as_str().matches(r#""event":"#).count();
    assert_eq!(
        [0, 2, 3, 4].map(listed),
        [5, 4, 3, 2],
        "no line receives its own announcement, or earlier ones"
    );
    assert!(outcome.frames[5].1.frame().as_str().contains(r#""message":"leaves""#));
}

#[test]
fn changes_of_a_busy_channel_are_collected_until_something_is_said() {
    let (mut channels, now) = (Channels::default(), Instant::now());
    (0..100).for_each(|line| channels.enter(room(), LineId(line), None, loud()));
    assert_eq!(channels.announce(now).map_or(0, |outcome| outcome.frames.len()), 99);
    (100..110).for_each(|line| channels.enter(room(), LineId(line), None, loud()));
    assert!(channels.announce(now).is_none());
    let due = channels.next_announcement().expect("it is collecting");
    assert!(due > now && channels.announce_due(now).is_none());
    assert_eq!(channels.settle(&room(), now).map_or(0, |outcome| outcome.frames.len()), 109);
    assert!(channels.next_announcement().is_none() && channels.settle(&room(), now).is_none());

    channels.leave(&room(), LineId(0));
    assert!(channels.announce(now).is_none());
    let due = channels.next_announcement().expect("it is collecting again");
    assert_eq!(channels.announce_due(due).map_or(0, |outcome| outcome.frames.len()), 109);
    assert!(channels.announce_due(due).is_none());
}

#[test]
fn who_leaves_first_is_not_told_who_left_last() {
    let (mut channels, now) = (Channels::default(), Instant::now());
    (0..100).for_each(|line| channels.enter(room(), LineId(line), None, loud()));
    channels.announce(now);
    (0..100).for_each(|line| channels.leave_all(LineId(line)));
    assert!(channels.announce(now).is_none() && channels.next_announcement().is_none());
    assert!(channels.is_empty());
}

#[test]
fn relay_shares_one_frame_and_spares_the_sender() {
    let mut channels = three();
    channels.enter(room(), LineId(4), None, loud());
    let outcome = channels.relay(&room(), LineId(2), HI, Payloads::Same(json("1")));
    assert_eq!(lines(&outcome), [3, 4]);
    let bytes = |at: usize| outcome.frames[at].1.frame().as_str().as_ptr();
    assert_eq!(bytes(0), bytes(1));
    assert!(lines(&channels.relay(&room(), LineId(9), HI, Payloads::Same(None))).is_empty(), "no member");
}

#[test]
fn relay_each_reaches_those_it_names() {
    let channels = three();
    let members = channels.members(&room(), Some(LineId(3)));
    assert_eq!(members.iter().map(|member| member.is_self).collect::<Vec<_>>(), [false, true]);
    let payloads = members.iter().map(|member| (member.id, json("2"))).collect();
    assert_eq!(lines(&channels.relay(&room(), LineId(3), HI, Payloads::Each(payloads))), [1, 2]);
}

#[test]
fn listening_handlers_overhear_messages_and_members() {
    let mut channels = three();
    channels.listen(&room(), LineId(1), Listening::Channel);
    for sender in [LineId(1), LineId(3)] {
        let events = channels.relay(&room(), sender, HI, Payloads::Same(json("1"))).events;
        assert!(
            matches!(&events[..], [(LineId(1), Event::ChannelMessage { from, size: 7, .. })] if *from == sender)
        );
    }
    channels.leave(&room(), LineId(3));
    assert!(announced(&mut channels).events.is_empty(), "only handlers that listen receive announcements");
    channels.listen(&room(), LineId(1), Listening::Presence);
    channels.enter(room(), LineId(4), None, loud());
    let events = announced(&mut channels).events;
    assert!(
        matches!(&events[..], [(LineId(1), Event::ChannelMessage { kind, size: 0, .. })] if kind == "joins")
    );
}

#[test]
fn addressed_splits_at_the_last_colon() {
    let mut channels = Channels::default();
    channels.enter("a:7".parse().unwrap(), LineId(1), None, loud());
    let addressed =
        |line, kind| channels.addressed(LineId(line), kind).map(|(id, kind)| (id.as_str().to_owned(), kind));
    assert_eq!(addressed(1, "a:7:message"), Some(("a:7".to_owned(), "message")));
    for (line, kind) in [(1, "a:message"), (1, "a:7:b:message"), (1, "message"), (2, "a:7:message")] {
        assert_eq!(addressed(line, kind), None, "{kind}");
    }
}

#[test]
fn decision_follows_the_entry() {
    let mut channels = three();
    let options =
        JoinOptions { allowed: Some(vec!["message".to_owned()]), decides: true, ..JoinOptions::default() };
    channels.enter(room(), LineId(4), None, options);
    channels.listen(&room(), LineId(4), Listening::Client);
    let decision =
        |line, kind| channels.decision(&room(), LineId(line), kind).map(|it| (it.relay, it.is_for_handler));
    assert_eq!(decision(1, "typing"), Some((Relay::Free, false)));
    assert_eq!(decision(4, "message"), Some((Relay::Handler, true)));
    assert_eq!(decision(4, "typing"), Some((Relay::Denied, true)));
    assert_eq!(decision(5, "message"), None);
}

#[test]
fn largest_is_in_order_and_cut_to_its_count() {
    let mut channels = Channels::default();
    for (line, name) in ["b", "b", "b", "c", "c", "a", "e", "e", "e", "e", "d"].into_iter().enumerate() {
        channels.enter(name.parse().unwrap(), LineId(line as u64), None, JoinOptions::default());
    }
    let largest = |count| {
        let found = channels.largest(count).into_iter();
        found.map(|(id, members)| (id.as_str().to_owned(), members)).collect::<Vec<_>>()
    };
    let expected =
        [("e", 4), ("b", 3), ("c", 2), ("a", 1), ("d", 1)].map(|(id, members)| (id.to_owned(), members));
    for count in 0..=expected.len() + 1 {
        assert_eq!(largest(count), expected[..count.min(expected.len())], "{count}");
    }
}

#[test]
fn changes_of_one_turn_are_announced_together_and_once() {
    let mut channels = three();
    channels.enter(room(), LineId(4), None, loud());
    channels.enter(room(), LineId(5), None, loud());
    let now = Instant::now();
    let outcome = channels.announce(now).expect("the channel has changed");
    assert_eq!(lines(&outcome), [1, 2, 3, 4]);
    assert!(channels.announce(now).is_none(), "everything is announced");
}
