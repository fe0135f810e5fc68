//! Lines of `liveline.v1` that lose their connections, step by step; and signs of life.

use super::*;
use crate::Welcome;

/// A line, and its client as it should be.
pub(crate) struct Pair {
    pub world: World,
    pub id: LineId,
    pub seat: Attachment,
    /// The newest token repeats this number.
    pub token: u8,
    /// The number of the last frame that the client said.
    said: u64,
}

impl Pair {
    /// A client whose line is open, and that has confirmed its first frame.
    pub(super) fn open(limits: Limits) -> Pair {
        Pair::joined(limits).greeted()
    }

    /// The client has read what a line begins with.
    fn greeted(mut self) -> Pair {
        assert_eq!(self.taken(), [welcome(1, 0, false)]);
        self.raw("a0");
        self.says(CONNECT);
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
        let seat = world.join(TOKEN, TransportKind::Resumable(token(1)), Caller::from(&visitor)).unwrap();
        Pair { world, id, seat, token: 1, said: 0 }
    }

    /// All that the connection would write, and what that does.
    pub(super) fn taken(&mut self) -> Vec<String> {
        let engine = &mut self.world.engine;
        let mut frames = Vec::new();
        let end = loop {
            match engine.take(self.seat, 100, &mut frames) {
                Take::Some => {}
                Take::Idle => {
                    engine.written(self.seat);
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
        self.world.engine.receive(self.seat, text);
    }

    /// The client's next frame.
    pub(super) fn says(&mut self, envelope: &str) {
        self.said += 1;
        self.raw(&format!("{} {envelope}", self.said));
    }

    /// The connection breaks.
    pub(super) fn lose(&mut self) {
        let engine = &mut self.world.engine;
        engine.disconnected(self.seat, CloseCode::Abnormal.into());
    }

    /// The client comes again with the token that repeats `known`.
    pub(super) fn comes_again(&mut self, known: u8, after: u64) -> Result<(), JoinError> {
        self.comes_as(known, after, Caller::from(&visitor()))
    }

    fn comes_as(&mut self, known: u8, after: u64, caller: Caller<'_>) -> Result<(), JoinError> {
        let engine = &mut self.world.engine;
        self.seat = engine.resume(token(known), token(self.token + 1), after, caller)?;
        self.token += u8::from(known == self.token);
        Ok(())
    }

    pub(super) fn send(&mut self, class: Priority, text: &str) {
        let engine = &mut self.world.engine;
        engine.send(self.id, QueuedFrame::new(class, text));
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.world.now += time;
        self.world.engine.at(self.world.now).tick();
    }
}

fn token(number: u8) -> Token {
    Token([number; 16])
}

/// What a test says of a welcome with the token that repeats this number.
pub(crate) fn welcome(number: u8, received: u64, lost: bool) -> String {
    format!("welcome {}, received {received}, lost {lost}", token(number))
}

/// What a connection writes, as tests say it.
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

// -- coming again ------------------------------------------------------------------------------------------------

#[test]
fn lost_frames_come_again_in_order() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "two");
    pair.send(Priority::Message, "three");
    assert_eq!(pair.taken(), ["2 two", "3 three"]);
    pair.lose();
    pair.send(Priority::Message, "four");
    pair.comes_again(1, 2).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, false), "3 three".into(), "4 four".into()]);
    pair.raw("a4");
    assert!(pair.world.told().is_empty(), "the handler never noticed");
    assert_eq!(pair.world.engine.stats().resumed, 1);
}

#[test]
fn lost_before_it_listened_still_waits_for_the_ping() {
    let mut pair = Pair::joined(limits());
    pair.send(Priority::Message, "hello");
    assert_eq!(pair.taken(), [welcome(1, 0, false)]);
    pair.lose();
    pair.comes_again(1, 0).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 0, false)]);
    pair.raw("a0");
    assert!(pair.taken().is_empty(), "an acknowledgement says nothing");
    pair.says(CONNECT);
    assert_eq!(pair.taken()[1], "2 hello");
}

#[test]
fn the_token_before_is_good_until_the_client_speaks() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.comes_again(1, 1).unwrap();
    pair.taken();
    pair.lose();
    pair.comes_again(1, 1).expect("the welcome may have been lost");
    assert_eq!(pair.taken(), [welcome(2, 1, false)], "whichever of the two arrives");
    pair.lose();
    pair.comes_again(2, 1).unwrap();
    pair.taken();
    pair.raw("a1");
    pair.lose();
    assert_eq!(pair.comes_again(2, 1), Err(JoinError::Unknown));
    pair.comes_again(3, 1).unwrap();
}

#[test]
fn the_first_token_is_good_until_the_client_speaks() {
    let mut pair = Pair::joined(limits());
    pair.lose();
    assert_eq!(TOKEN, token(9));
    pair.comes_again(9, 0).expect("the first welcome may have been lost");
    assert_eq!(pair.taken(), [welcome(1, 0, false)]);
    pair.raw("a0");
    assert_eq!(pair.comes_again(9, 0), Err(JoinError::Unknown));
}

#[test]
fn taken_over_the_old_connection_means_nothing() {
    let mut pair = Pair::open(limits());
    let old = pair.seat;
    pair.send(Priority::Message, "two");
    pair.comes_again(1, 1).unwrap();
    let engine = &mut pair.world.engine;
    assert_eq!(engine.take(old, 100, &mut Vec::new()), Take::Gone);
    engine.receive(old, "2 \"late\"");
    engine.reject(old, CloseCode::TooBig.into());
    engine.disconnected(old, CloseCode::Done.into());
    assert_eq!(pair.taken(), [welcome(2, 1, false), "2 two".into()]);
    assert!(pair.world.told().is_empty());
}

#[test]
fn coming_again_as_somebody_else_is_refused() {
    let ann = of_session("ann");
    let mut pair = Pair::joined_by(ann.clone(), limits()).greeted();
    pair.lose();
    for stranger in [of_session("bob"), visitor()] {
        assert_eq!(pair.comes_as(1, 1, Caller::from(&stranger)), Err(JoinError::Visitor));
    }
    let page = Caller { visitor: &ann, origin: Some("http://there"), host: Some("here") };
    assert_eq!(pair.comes_as(1, 1, page), Err(JoinError::Origin));
    assert_eq!(pair.comes_as(9, 1, Caller::from(&ann)), Err(JoinError::Unknown));
    assert_eq!(
        pair.comes_as(1, 7, Caller::from(&ann)),
        Err(JoinError::Unknown),
        "it has what was never sent"
    );
    pair.comes_as(1, 1, Caller::from(&ann)).expect("nothing of that did any harm");
}

#[test]
fn plain_lines_do_not_come_again() {
    let (mut world, id) = World::open();
    let again = world.engine.resume(TOKEN, token(1), 0, Caller::from(&visitor()));
    assert_eq!(again, Err(JoinError::Unknown));
    assert_eq!(world.engine.stats().resumed, 0);
    world.send(id, "still here");
    assert_eq!(world.written(id), ["still here"]);
}

#[test]
fn away_for_too_long_is_told_once() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.lose();
    pair.wait(seconds(29));
    assert!(pair.world.told().is_empty());
    assert_eq!(pair.world.engine.stats().away, 1);
    pair.wait(seconds(2));
    pair.lose();
    assert_eq!(pair.world.told(), ["closed 1006"]);
    assert!(pair.world.engine.is_empty() && pair.world.engine.next_deadline().is_none());
    assert_eq!(pair.comes_again(1, 1), Err(JoinError::Unknown));
}

#[test]
fn finished_while_away_is_read_on_return() {
    let mut pair = Pair::open(limits());
    pair.lose();
    pair.send(Priority::Message, "last");
    let engine = &mut pair.world.engine;
    engine.complete(pair.id);
    pair.wait(seconds(20));
    pair.comes_again(1, 1).unwrap();
    let taken = pair.taken();
    assert_eq!(taken[..2], [welcome(2, 1, false), "2 last".into()]);
    assert!(taken[2].starts_with("3 ") && taken[2].contains("response.done"));
    assert_eq!(taken[3], "close 1000");
    // Nobody knows whether that arrived.
    pair.lose();
    pair.comes_again(2, 2).unwrap();
    let taken = pair.taken();
    assert!(taken[1].starts_with("3 ") && taken[1].contains("response.done"));
    assert_eq!(taken[2], "close 1000");
    let engine = &mut pair.world.engine;
    engine.disconnected(pair.seat, CloseCode::Done.into());
    assert!(pair.world.engine.is_empty() && pair.world.told().is_empty());
}

#[test]
fn finished_and_away_for_too_long_is_not_told() {
    let mut pair = Pair::open(limits());
    let engine = &mut pair.world.engine;
    engine.complete(pair.id);
    pair.lose();
    pair.wait(seconds(31));
    assert!(pair.world.engine.is_empty() && pair.world.told().is_empty());
    assert_eq!(pair.world.engine.stats().closed[&1000], 1);
}

#[test]
fn cut_a_client_that_missed_the_code_hears_it() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::Message, "two");
    pair.taken();
    let engine = &mut pair.world.engine;
    engine.cut(pair.id, CloseCode::Restart.into());
    assert_eq!(pair.taken(), ["close 1012"]);
    pair.lose();
    pair.comes_again(1, 2).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, false), "close 1012".into()]);
    assert_eq!(pair.world.told(), ["closed 1012"]);
}

// -- lost for good -----------------------------------------------------------------------------------------------

/// A client that is away while more is said than may wait.
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
fn outrun_is_said_and_the_states_are_asked_for() {
    let mut pair = outrun();
    assert!(pair.world.told().is_empty(), "the handler goes on");
    pair.comes_again(1, 2).unwrap();
    assert_eq!(pair.taken()[0], welcome(2, 1, true));
    assert_eq!(pair.world.told(), ["drained true"]);
    pair.send(Priority::Delta, "a change of what the client does not have");
    pair.world.engine.refreshed(pair.id);
    pair.send(Priority::State, "state");
    pair.send(Priority::Delta, "change");
    let taken = pair.taken();
    assert!(taken[taken.len() - 2].ends_with(" state"));
    assert!(taken[taken.len() - 1].ends_with(" change"));
}

#[test]
fn outrun_is_said_until_the_client_heard_it() {
    let mut pair = outrun();
    pair.comes_again(1, 1).unwrap();
    assert_eq!(pair.taken()[0], welcome(2, 1, true));
    pair.world.engine.refreshed(pair.id);
    pair.send(Priority::State, "state");
    let state = pair.taken().pop().unwrap();
    pair.lose();
    // Nothing of all that arrived.
    pair.comes_again(1, 1).unwrap();
    let taken = pair.taken();
    assert_eq!((&taken[0], taken.last()), (&welcome(2, 1, true), Some(&state)));
    pair.send(Priority::Delta, "change");
    assert!(pair.taken()[0].ends_with(" change"), "nothing is stale any more");
    pair.raw("a2");
    pair.lose();
    let last: u64 = state.split(' ').next().unwrap().parse().unwrap();
    pair.comes_again(2, last).unwrap();
    assert_eq!(pair.taken()[0], welcome(3, 1, false));
}

#[test]
fn outrun_is_not_said_to_a_client_that_has_what_came_after() {
    let mut pair = outrun();
    pair.comes_again(1, 1).unwrap();
    pair.world.engine.actions();
    pair.taken();
    pair.send(Priority::Message, "after");
    let after = pair.taken().pop().unwrap();
    pair.lose();
    // Its acknowledgement is lost, but it has read the welcome.
    pair.comes_again(2, after.split(' ').next().unwrap().parse().unwrap()).unwrap();
    assert_eq!(pair.taken(), [welcome(3, 1, false)]);
}

#[test]
fn a_client_that_has_less_than_it_said_gets_the_states() {
    let mut pair = Pair::open(limits());
    pair.send(Priority::State, "state");
    pair.taken();
    pair.raw("a2");
    pair.lose();
    pair.comes_again(1, 0).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 1, true)]);
    assert_eq!(pair.world.told(), ["drained true"]);
}

// -- numbers -----------------------------------------------------------------------------------------------------

#[test]
fn every_sixteenth_frame_is_acknowledged() {
    let mut pair = Pair::open(limits());
    for _ in 2..16 {
        pair.says("\"hello\"");
        assert!(pair.taken().is_empty());
    }
    pair.says("\"hello\"");
    assert_eq!(pair.taken(), ["a16"]);
    pair.says("\"hello\"");
    pair.lose();
    pair.comes_again(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 17, false)]);
    pair.says("\"hello\"");
    assert!(pair.taken().is_empty(), "the welcome said the rest");
}

#[test]
fn what_is_known_is_ignored_and_a_gap_drops_the_connection() {
    let mut pair = Pair::open(limits());
    pair.raw("2 \"hello\"");
    pair.raw("2 \"again\"");
    pair.raw("1 not even JSON");
    assert_eq!(pair.world.told(), ["message"]);
    pair.raw("4 \"too soon\"");
    assert_eq!(pair.taken(), ["gone"]);
    assert!(pair.world.told().is_empty());
    pair.comes_again(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 2, false)]);
    pair.raw("3 \"at last\"");
    assert_eq!(pair.world.told(), ["message"]);
}

#[test]
fn what_is_no_frame_cuts_the_line() {
    for text in ["{}", "hello", "2", "2 not JSON", "a2", "w{}"] {
        let mut pair = Pair::open(limits());
        pair.raw(text);
        assert_eq!(pair.world.told(), ["closed 1003"], "{text}");
        assert_eq!(pair.taken(), ["close 1003"]);
    }
}

// -- signs of life -----------------------------------------------------------------------------------------------

fn heartbeats() -> Limits {
    Limits { ping_interval: seconds(25), ping_timeout: seconds(60), ..limits() }
}

#[test]
fn silent_is_asked_and_then_goes_away() {
    let mut pair = Pair::open(heartbeats());
    pair.says("\"hello\"");
    pair.wait(seconds(24));
    assert!(pair.taken().is_empty());
    pair.wait(seconds(2));
    assert_eq!(pair.taken(), ["a2", "ping"], "and told what arrived");
    pair.wait(seconds(26));
    assert_eq!(pair.taken(), ["a2", "ping"]);
    pair.wait(seconds(10));
    assert_eq!(pair.taken(), ["gone"]);
    assert_eq!(pair.world.engine.stats().away, 1);
    pair.comes_again(1, 1).unwrap();
    assert_eq!(pair.taken(), [welcome(2, 2, false)]);
    assert_eq!(pair.world.told(), ["message"], "and nothing else");
    assert_eq!(pair.world.engine.stats().pings, 2);
}

#[test]
fn heard_is_not_asked() {
    let mut pair = Pair::joined(heartbeats());
    let plain = second(&mut pair.world, Token([8; 16]));
    for _ in 0..10 {
        pair.wait(seconds(20));
        says(&mut pair.world, plain, "message");
        assert!(pair.world.written(plain).is_empty());
    }
    for _ in 0..10 {
        pair.wait(seconds(26));
        assert_eq!(pair.world.written(plain), ["ping"]);
        pair.world.engine.alive(pair.world.engine.attachment(plain));
    }
}

#[test]
fn silent_without_resume_is_over() {
    let mut pair = Pair::joined(heartbeats());
    let plain = second(&mut pair.world, Token([8; 16]));
    pair.world.engine.actions();
    pair.wait(seconds(26));
    assert_eq!(pair.world.written(plain), ["ping"]);
    pair.wait(seconds(35));
    assert!(pair.world.told().contains(&"closed 1006".to_owned()));
    assert!(pair.world.engine.take(pair.world.engine.attachment(plain), 9, &mut Vec::new()) == Take::Gone);
}

#[test]
fn followed_as_events_is_asked_for_nothing_but_kept_awake() {
    let mut world = World::empty(heartbeats());
    let (owner, exchange) = (OwnerId(1), ExchangeId(2));
    let id = world.engine.open(Opening { owner, exchange, visitor: visitor(), token: TOKEN }).unwrap();
    world.engine.attach(id, TransportKind::Events);
    for _ in 0..10 {
        world.now += seconds(26);
        world.engine.at(world.now).tick();
        assert_eq!(world.written(id), ["ping"]);
    }
    assert!(world.told().is_empty());
}

#[test]
fn unread_is_not_taken_for_dead() {
    let mut pair = Pair::open(heartbeats());
    let text = format!("\"{}\"", "x".repeat(1000));
    pair.says(&text);
    assert!(!pair.world.engine.may_read(pair.seat), "the handler is behind");
    for _ in 0..10 {
        pair.wait(seconds(26));
        assert!(pair.taken().contains(&"ping".to_owned()), "a proxy may be listening");
    }
    pair.world.engine.acknowledge(pair.id, 2000);
    pair.wait(seconds(61));
    assert_eq!(pair.taken(), ["gone"]);
}
