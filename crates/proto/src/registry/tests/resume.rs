//! Lines of `liveline.v1` that lose their connections, step by step; and signs of life.

use super::*;
use crate::Welcome;

/// A line and a well-behaved client.
pub(crate) struct Pair {
    pub world: World,
    pub id: LineId,
    pub attachment: Attachment,
    /// The newest token consists of this byte.
    pub token: u8,
    /// The number of the last frame that the client sent.
    said: u64,
}

impl Pair {
    /// A client whose line is open, and that has acknowledged its first frame.
    pub(super) fn open(limits: Limits) -> Pair {
        Pair::joined(limits).greeted()
    }

    /// The client has read the first frames of a line.
    fn greeted(mut self) -> Pair {
        assert_eq!(self.taken(), [welcome(1, 0, false)]);
        self.raw("a0");
        self.receives(CONNECT);
        assert!(self.taken()[0].starts_with("1 "));
        self.raw("a1");
        self.world.engine.actions();
        self
    }

    /// A client that has read nothing yet.
    pub(super) fn joined(limits: Limits) -> Pair {
        Pair::joined_by(visitor(), limits)
    }

    fn joined_by(visitor: Visitor, limits: Limits) -> Pair {
        let mut world = World::empty(limits);
        let (owner, exchange) = (OwnerId(1), ExchangeId(2));
        let opening = Opening { owner, exchange, visitor: visitor.clone(), token: TOKEN };
        let id = world.engine.open(opening).unwrap();
        let attachment =
            world.join(TOKEN, TransportKind::Resumable(token(1)), Caller::from(&visitor)).unwrap();
        Pair { world, id, attachment, token: 1, said: 0 }
    }

    /// All that the connection writes; then it has written all.
    pub(super) fn taken(&mut self) -> Vec<String> {
        let engine = &mut self.world.engine;
        let mut frames = Vec::new();
        let end = loop {
            match engine.take(self.attachment, 100, &mut frames) {
                Take::Some => {}
                Take::Last => break None,
                Take::Idle => {
                    engine.written(self.attachment);
                    break None;
                }
                Take::Close(close) => break Some(format!("close {}", close.code.number())),
                Take::Gone => break Some("gone".to_owned()),
            }
        };
        frames.iter().map(brief).chain(end).collect()
    }

    /// The client's text, as it is.
    pub(super) fn raw(&mut self, text: &str) {
        self.world.engine.receive(self.attachment, text);
    }

    /// The client's next frame.
    pub(super) fn receives(&mut self, envelope: &str) {
        self.said += 1;
        self.raw(&format!("{} {envelope}", self.said));
    }

    /// The connection breaks.
    pub(super) fn lose(&mut self) {
        let engine = &mut self.world.engine;
        engine.disconnected(self.attachment, CloseCode::Abnormal.into());
    }

    /// The client resumes with the token of the byte `known`.
    pub(super) fn resumes(&mut self, known: u8, after: u64) -> Result<(), JoinError> {
        self.resumes_as(known, after, Caller::from(&visitor()))
    }

    fn resumes_as(&mut self, known: u8, after: u64, caller: Caller<'_>) -> Result<(), JoinError> {
        let engine = &mut self.world.engine;
        self.attachment = engine.resume(token(known), token(self.token + 1), after, caller)?;
        self.token += u8::from(known == self.token);
        Ok(())
    }

    pub(super) fn send(&mut self, priority: Priority, text: &str) {
        let engine = &mut self.world.engine;
        engine.send(self.id, QueuedFrame::new(priority, text));
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.world.now += time;
        self.world.engine.at(self.world.now).tick();
    }
}

fn token(number: u8) -> Token {
    Token([number; 16])
}

/// The text that stands for a welcome with the token of this byte.
pub(crate) fn welcome(number: u8, received: u64, lost: bool) -> String {
    format!("welcome {}, received {received}, lost {lost}", token(number))
}

/// A short text for what a connection writes.
fn brief(outgoing: &Outgoing) -> String {
    let text = text_of(outgoing);
    match text.strip_prefix('w').and_then(|welcome| serde_json::from_str(welcome).ok()) {
        Some(Welcome { token, received, lost, .. }) => {
            format!("welcome {token}, received {received}, lost {lost}")
        }
        None => text,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

// -- resuming ---------------------------------------------------------------------------------------------------

#[test]
fn lost_frames_are_sent_again_in_order() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "two");
    pair.send(Priority::Message, "three");
    assert_eq!(pair.taken(), ["2 two", "3 three"]);
    pair.lose();
    pair.send(Priority::Message, "four");
    pair.resumes(1, 2).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, false), "3 three".into(), "4 four".into()]);
    pair.raw("a4");
    assert!(pair.world.dispatched().is_empty(), "the handler never noticed");
    assert_eq!(pair.world.engine.stats().resumed, 1);
}

#[test]
fn lost_before_it_listened_still_waits_for_the_ping() {
    let mut pair = Pair::joined(limits());
    pair.send(Priority::Message, "hello");
    assert_eq!(pair.taken(), [welcome(1, 0, false)]);
    pair.lose();
    pair.resumes(1, 0).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 0, false)]);
    pair.raw("a0");
    assert!(pair.taken().is_empty(), "an acknowledgement says nothing");
    pair.receives(CONNECT);
    assert_eq!(pair.taken()[1], "2 hello");
}

#[test]
fn the_token_before_is_valid_until_the_client_sends() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.resumes(1, 1).unwrap();
    pair.taken();
    pair.lose();
    pair.resumes(1, 1).expect("the welcome may have been lost");
    assert_eq!(pair.taken(), [welcome(2, 1, false)], "whichever of the two arrives");
    pair.lose();
    pair.resumes(2, 1).unwrap();
    pair.taken();
    pair.raw("a1");
    pair.lose();
    assert_eq!(pair.resumes(2, 1), Err(JoinError::Unknown));
    pair.resumes(3, 1).unwrap();
}

#[test]
fn the_first_token_is_valid_until_the_client_sends() {
    let mut pair = Pair::joined(limits());
    pair.lose();
    assert_eq!(TOKEN, token(9));
    pair.resumes(9, 0).expect("the first welcome may have been lost");
    assert_eq!(pair.taken(), [welcome(1, 0, false)]);
    pair.raw("a0");
    assert_eq!(pair.resumes(9, 0), Err(JoinError::Unknown));
}

#[test]
fn taken_over_the_old_connection_is_ignored() {
    let mut pair = Pair::open(limits());
    let old = pair.attachment;
    pair.send(Priority::Message, "two");
    pair.resumes(1, 1).unwrap();
    let engine = &mut pair.world.engine;
    assert_eq!(engine.take(old, 100, &mut Vec::new()), Take::Gone);
    engine.receive(old, "2 \"late\"");
    engine.reject(old, CloseCode::TooBig.into());
    engine.disconnected(old, CloseCode::Done.into());
    assert_eq!(pair.taken(), [welcome(2, 1, false), "2 two".into()]);
    assert!(pair.world.dispatched().is_empty());
}

#[test]
fn resuming_as_another_visitor_is_refused() {
    let ann = of_session("ann");
    let mut pair = Pair::joined_by(ann.clone(), limits()).greeted();
    pair.lose();
    for stranger in [of_session("bob"), visitor()] {
        assert_eq!(pair.resumes_as(1, 1, Caller::from(&stranger)), Err(JoinError::Visitor));
    }
    let page = Caller { visitor: &ann, origin: Some("http://there"), host: Some("here") };
    assert_eq!(pair.resumes_as(1, 1, page), Err(JoinError::Origin));
    assert_eq!(pair.resumes_as(9, 1, Caller::from(&ann)), Err(JoinError::Unknown));
    assert_eq!(
        pair.resumes_as(1, 7, Caller::from(&ann)),
        Err(JoinError::Unknown),
        "it has what was never sent"
    );
    pair.resumes_as(1, 1, Caller::from(&ann)).expect("nothing of that did any harm");
}

#[test]
fn plain_lines_do_not_resume() {
    let (mut world, id) = World::open();
    let again = world.engine.resume(TOKEN, token(1), 0, Caller::from(&visitor()));
    assert_eq!(again, Err(JoinError::Unknown));
    assert_eq!(world.engine.stats().resumed, 0);
    world.send(id, "still here");
    assert_eq!(world.written(id), ["still here"]);
}

#[test]
fn away_for_too_long_is_dispatched_once() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.lose();
    pair.wait(seconds(29));
    assert!(pair.world.dispatched().is_empty());
    assert_eq!(pair.world.engine.stats().away, 1);
    pair.wait(seconds(2));
    pair.lose();
    assert_eq!(pair.world.dispatched(), ["closed 1006"]);
    assert!(pair.world.engine.is_empty() && pair.world.engine.next_deadline().is_none());
    assert_eq!(pair.resumes(1, 1), Err(JoinError::Unknown));
}

#[test]
fn finished_while_away_is_read_on_return() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.send(Priority::Message, "last");
    let engine = &mut pair.world.engine;
    engine.complete(pair.id);
    pair.wait(seconds(20));
    pair.resumes(1, 1).unwrap();
    let taken = pair.taken();
    assert_eq!(taken[..2], [welcome(2, 1, false), "2 last".into()]);
    assert!(taken[2].starts_with("3 ") && taken[2].contains("response.done"));
    assert_eq!(taken[3], "close 1000");
    // It is not known whether that arrived.
    pair.lose();
    pair.resumes(2, 2).unwrap();
    let taken = pair.taken();
    assert!(taken[1].starts_with("3 ") && taken[1].contains("response.done"));
    assert_eq!(taken[2], "close 1000");
    let engine = &mut pair.world.engine;
    engine.disconnected(pair.attachment, CloseCode::Done.into());
    assert!(pair.world.engine.is_empty() && pair.world.dispatched().is_empty());
}

#[test]
fn finished_and_away_for_too_long_is_not_dispatched() {
    let mut pair = Pair::open(limits());
    let engine = &mut pair.world.engine;
    engine.complete(pair.id);
    pair.lose();
    pair.wait(seconds(31));
    assert!(pair.world.engine.is_empty() && pair.world.dispatched().is_empty());
    assert_eq!(pair.world.engine.stats().closed[&1000], 1);
}

#[test]
fn cut_a_client_that_missed_the_code_receives_it() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "two");
    pair.taken();
    let engine = &mut pair.world.engine;
    engine.cut(pair.id, CloseCode::Restart.into());
    assert_eq!(pair.taken(), ["close 1012"]);
    pair.lose();
    pair.resumes(1, 2).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, false), "close 1012".into()]);
    assert_eq!(pair.world.dispatched(), ["closed 1012"]);
}

// -- lost for good -----------------------------------------------------------------------------------------------

/// A client that is away while more is sent than may wait.
fn outrun() -> Pair {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "two");
    pair.taken();
    pair.lose();
    for _ in 0..9 {
        pair.send(Priority::Message, &"x".repeat(100));
    }
    pair
}

#[test]
fn outrun_is_announced_and_the_states_are_requested() {
    let mut pair = outrun();
    assert!(pair.world.dispatched().is_empty(), "the handler goes on");
    pair.resumes(1, 2).unwrap();
    assert_eq!(pair.taken()[0], welcome(2, 1, true));
    assert_eq!(pair.world.dispatched(), ["drained true"]);
    pair.send(Priority::Delta, "a change of what the client does not have");
    pair.world.engine.refreshed(pair.id);
    pair.send(Priority::State, "state");
    pair.send(Priority::Delta, "change");
    let taken = pair.taken();
    assert!(taken[taken.len() - 2].ends_with(" state"));
    assert!(taken[taken.len() - 1].ends_with(" change"));
}

#[test]
fn outrun_is_announced_until_the_client_has_read_it() {
    let mut pair = outrun();
    pair.resumes(1, 1).unwrap();
    assert_eq!(pair.taken()[0], welcome(2, 1, true));
    pair.world.engine.refreshed(pair.id);
    pair.send(Priority::State, "state");
    let state = pair.taken().pop().unwrap();
    pair.lose();
    // None of it arrived.
    pair.resumes(1, 1).unwrap();
    let taken = pair.taken();
    assert_eq!((&taken[0], taken.last()), (&welcome(2, 1, true), Some(&state)));
    pair.send(Priority::Delta, "change");
    assert!(pair.taken()[0].ends_with(" change"), "nothing is stale any more");
    pair.raw("a2");
    pair.lose();
    let last: u64 = state.split(' ').next().unwrap().parse().unwrap();
    pair.resumes(2, last).unwrap();
    assert_eq!(pair.taken()[0], welcome(3, 1, false));
}

#[test]
fn outrun_is_not_announced_to_a_client_with_a_later_frame() {
    let mut pair = outrun();
    pair.resumes(1, 1).unwrap();
    pair.world.engine.actions();
    pair.taken();
    pair.send(Priority::Message, "after");
    let after = pair.taken().pop().unwrap();
    pair.lose();
    // Its acknowledgement is lost, but it has read the welcome.
    pair.resumes(2, after.split(' ').next().unwrap().parse().unwrap()).unwrap();
    assert_eq!(pair.taken(), [welcome(3, 1, false)]);
}

#[test]
fn a_client_that_has_less_than_it_acknowledged_gets_the_states() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::State, "state");
    pair.taken();
    pair.raw("a2");
    pair.lose();
    pair.resumes(1, 0).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, true)]);
    assert_eq!(pair.world.dispatched(), ["drained true"]);
}

// -- numbers -----------------------------------------------------------------------------------------------------

#[test]
fn every_sixteenth_frame_is_acknowledged() {
    let mut pair = Pair::open(limits());
    for _ in 2..16 {
        pair.receives("\"hello\"");
        assert!(pair.taken().is_empty());
    }
    pair.receives("\"hello\"");
    assert_eq!(pair.taken(), ["a16"]);
    pair.receives("\"hello\"");
    pair.lose();
    pair.resumes(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 17, false)]);
    pair.receives("\"hello\"");
    assert!(pair.taken().is_empty(), "the welcome said the rest");
}

#[test]
fn known_frames_are_ignored_and_a_gap_drops_the_connection() {
    let mut pair = Pair::open(limits());
    pair.raw("2 \"hello\"");
    pair.raw("2 \"again\"");
    pair.raw("1 not even JSON");
    assert_eq!(pair.world.dispatched(), ["message"]);
    pair.raw("4 \"too soon\"");
    assert_eq!(pair.taken(), ["gone"]);
    assert!(pair.world.dispatched().is_empty());
    pair.resumes(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 2, false)]);
    pair.raw("3 \"at last\"");
    assert_eq!(pair.world.dispatched(), ["message"]);
}

#[test]
fn text_that_is_no_frame_cuts_the_line() {
    for text in ["{}", "hello", "2", "2 not JSON", "a2", "w{}"] {
        let mut pair = Pair::open(limits());
        pair.raw(text);
        assert_eq!(pair.world.dispatched(), ["closed 1003"], "{text}");
        assert_eq!(pair.taken(), ["close 1003"]);
    }
}

// -- signs of life -----------------------------------------------------------------------------------------------

fn heartbeats() -> Limits {
    Limits { ping_interval: seconds(25), ping_timeout: seconds(60), ..limits() }
}

#[test]
fn silent_gets_a_ping_and_then_is_away() {
    let mut pair = Pair::open(heartbeats());
    pair.receives("\"hello\"");
    pair.wait(seconds(24));
    assert!(pair.taken().is_empty());
    pair.wait(seconds(2));
    assert_eq!(pair.taken(), ["a2", "ping"], "and told what arrived");
    pair.wait(seconds(26));
    assert_eq!(pair.taken(), ["a2", "ping"]);
    pair.wait(seconds(10));
    assert_eq!(pair.taken(), ["gone"]);
    assert_eq!(pair.world.engine.stats().away, 1);
    pair.resumes(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 2, false)]);
    assert_eq!(pair.world.dispatched(), ["message"], "and nothing else");
    assert_eq!(pair.world.engine.stats().pings, 2);
}

#[test]
fn active_gets_no_ping() {
    let mut pair = Pair::joined(heartbeats());
    let plain = second(&mut pair.world, Token([8; 16]));
    for _ in 0..10 {
        pair.wait(seconds(20));
        receives(&mut pair.world, plain, "message");
        assert!(pair.world.written(plain).is_empty());
    }
    for _ in 0..10 {
        pair.wait(seconds(26));
        assert_eq!(pair.world.written(plain), ["ping"]);
        pair.world.engine.alive(pair.world.engine.attachment(plain));
    }
}

#[test]
fn silent_without_resume_ends() {
    let mut pair = Pair::joined(heartbeats());
    let plain = second(&mut pair.world, Token([8; 16]));
    pair.world.engine.actions();
    pair.wait(seconds(26));
    assert_eq!(pair.world.written(plain), ["ping"]);
    pair.wait(seconds(35));
    assert!(pair.world.dispatched().contains(&"closed 1006".to_owned()));
    assert!(pair.world.engine.take(pair.world.engine.attachment(plain), 9, &mut Vec::new()) == Take::Gone);
}

#[test]
fn event_streams_get_pings_and_owe_no_answer() {
    let mut world = World::empty(heartbeats());
    let (owner, exchange) = (OwnerId(1), ExchangeId(2));
    let id = world.engine.open(Opening { owner, exchange, visitor: visitor(), token: TOKEN }).unwrap();
    world.engine.attach(id, TransportKind::Events);
    for _ in 0..10 {
        world.now += seconds(26);
        world.engine.at(world.now).tick();
        assert_eq!(world.written(id), ["ping"]);
    }
    assert!(world.dispatched().is_empty());
}

#[test]
fn unread_is_not_taken_for_dead() {
    let mut pair = Pair::open(heartbeats());
    let text = format!("\"{}\"", "x".repeat(1000));
    pair.receives(&text);
    assert!(!pair.world.engine.may_read(pair.attachment), "the handler is behind");
    for _ in 0..10 {
        pair.wait(seconds(26));
        assert!(pair.taken().contains(&"ping".to_owned()), "a proxy may be listening");
    }
    pair.world.engine.acknowledge(pair.id, 2000);
    pair.wait(seconds(61));
    assert_eq!(pair.taken(), ["gone"]);
}
