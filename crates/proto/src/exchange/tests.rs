//! Exchanges step by step.

use super::*;

type Subject = Exchange<&'static str>;

const LINE: LineId = LineId(7);

fn after(inputs: impl IntoIterator<Item = Input<&'static str>>) -> Subject {
    after_reaching(Reach::Line, inputs)
}

fn after_reaching(reach: Reach, inputs: impl IntoIterator<Item = Input<&'static str>>) -> Subject {
    let mut exchange = Subject::new(reach);
    for input in inputs {
        exchange.handle(input).unwrap();
    }
    exchange
}

fn answer(done: bool) -> Input<&'static str> {
    Input::Answer { answer: "a", done }
}

fn frame(done: bool) -> Input<&'static str> {
    Input::Frame { frame: "f".into(), done }
}

#[test]
fn received_final_answer_is_answered_plainly() {
    let mut exchange = after([answer(true), Input::Returned]);
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::Answer("a")));
    assert!(exchange.is_ended());
}

#[test]
fn received_open_answer_opens_a_line() {
    let mut exchange = after([answer(false)]);
    let effect = exchange.handle(Input::TurnEnded);
    assert_eq!(effect, Ok(Effect::Open { first: Some("a"), queued: vec![] }));
    assert_eq!(exchange.opened(LINE), Effect::None);
    assert_eq!(exchange.handle(frame(true)), Ok(Effect::Send(LINE, "f".into())));
    assert_eq!(exchange.handle(Input::Returned), Ok(Effect::Finish(LINE)));
}

#[test]
fn received_message_first_is_accepted() {
    let mut exchange = after([Input::Message("m".into())]);
    let effect = exchange.handle(Input::TurnEnded);
    assert_eq!(effect, Ok(Effect::Open { first: None, queued: vec!["m".into()] }));
}

#[test]
fn entered_is_live_and_does_not_hold() {
    let mut exchange = after([Input::Enter, answer(true), Input::Returned]);
    let effect = exchange.handle(Input::TurnEnded);
    assert_eq!(effect, Ok(Effect::Open { first: Some("a"), queued: vec![] }));
    assert_eq!(exchange.opened(LINE), Effect::Finish(LINE));
}

#[test]
fn entered_without_an_answer_is_accepted() {
    let mut exchange = after([Input::Enter]);
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::Open { first: None, queued: vec![] }));
}

#[test]
fn entered_and_left_in_one_turn_is_a_plain_answer() {
    let mut exchange = after([Input::Enter, Input::Leave, answer(true)]);
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::Answer("a")));
}

#[test]
fn final_reach_enters_nothing() {
    let mut exchange = after_reaching(Reach::Final, [Input::Enter, answer(true), Input::Returned]);
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::Answer("a")));
}

#[test]
fn received_upgrade_opens_a_line_at_once_for_any_client() {
    for reach in [Reach::Final, Reach::Line] {
        let mut exchange = after_reaching(reach, []);
        let effect = exchange.handle(Input::Upgrade("a"));
        assert_eq!(effect, Ok(Effect::Open { first: Some("a"), queued: vec![] }));
        assert_eq!(exchange.opened(LINE), Effect::None);
        assert_eq!(exchange.handle(Input::Returned), Ok(Effect::Finish(LINE)));
    }
}

#[test]
fn opening_upgrade_is_refused() {
    let mut exchange = after([answer(false)]);
    assert_eq!(exchange.handle(Input::Upgrade("b")), Err(ExchangeError::NotFirst));
}

#[test]
fn entered_too_often_is_refused() {
    let mut exchange = after((0..MAX_CHANNELS).map(|_| Input::Enter));
    assert_eq!(exchange.handle(Input::Enter), Err(ExchangeError::TooManyChannels));
    exchange.handle(Input::Leave).unwrap();
    assert_eq!(exchange.handle(Input::Enter), Ok(Effect::None));
}

#[test]
fn final_reach_gets_the_last_state_when_nothing_more_can_come() {
    let mut exchange = after_reaching(Reach::Final, [answer(false), Input::TurnEnded, Input::Hold]);
    exchange.handle(Input::Answer { answer: "b", done: true }).unwrap();
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::None), "something holds it");
    exchange.handle(Input::Release).unwrap();
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::Answer("b")));
    assert!(exchange.is_ended());
}

#[test]
fn final_reach_settles_with_what_is_held() {
    let mut exchange = after_reaching(Reach::Final, [answer(false), Input::TurnEnded]);
    assert_eq!(exchange.handle(Input::Settle), Ok(Effect::Answer("a")));
    assert!(exchange.is_ended());
}

#[test]
fn settling_without_a_state_changes_nothing() {
    let mut exchange = after_reaching(Reach::Final, []);
    assert_eq!(exchange.handle(Input::Settle), Ok(Effect::None));
    assert!(!exchange.is_ended());
}

#[test]
fn opening_frames_of_one_turn_all_count() {
    let mut exchange = after([answer(false), frame(true), Input::Returned]);
    let effect = exchange.handle(Input::TurnEnded);
    assert_eq!(effect, Ok(Effect::Open { first: Some("a"), queued: vec!["f".into()] }));
    assert_eq!(exchange.opened(LINE), Effect::Finish(LINE));
}

#[test]
fn opening_hold_in_either_order_is_live() {
    for inputs in [[answer(true), Input::Hold], [Input::Hold, answer(true)]] {
        let mut exchange = after(inputs);
        assert!(matches!(exchange.handle(Input::TurnEnded), Ok(Effect::Open { .. })));
        exchange.opened(LINE);
        assert_eq!(exchange.handle(Input::Returned), Ok(Effect::None));
        assert_eq!(exchange.handle(Input::Release), Ok(Effect::Finish(LINE)));
    }
}

#[test]
fn opening_failed_answers_an_error() {
    let mut exchange = after([answer(false)]);
    assert_eq!(exchange.handle(Input::Failed), Ok(Effect::FailAnswer));
}

#[test]
fn live_failed_fails_the_line() {
    let mut exchange = after([answer(false), Input::TurnEnded]);
    exchange.opened(LINE);
    assert_eq!(exchange.handle(Input::Failed), Ok(Effect::FailLine(LINE)));
    assert_eq!(exchange.handle(Input::Returned), Ok(Effect::None));
}

#[test]
fn answered_for_good_is_over_though_the_handler_runs() {
    let exchange = after([answer(true), Input::TurnEnded]);
    assert!(exchange.is_ended());
}

#[test]
fn answered_streaming_is_over_with_the_stream() {
    let mut exchange = after([answer(true), Input::StreamBegan, Input::TurnEnded]);
    assert!(!exchange.is_ended());
    assert_eq!(exchange.handle(frame(true)), Err(ExchangeError::ResponseDone));
    assert_eq!(exchange.handle(Input::Message("m".into())), Err(ExchangeError::Ended));
    assert_eq!(exchange.handle(Input::Hold), Err(ExchangeError::Ended));
    exchange.handle(Input::StreamEnded).unwrap();
    assert!(exchange.is_ended());
}

#[test]
fn live_streaming_stays_until_the_stream_ends() {
    let mut exchange = after([answer(false), Input::StreamBegan, Input::TurnEnded]);
    exchange.opened(LINE);
    exchange.handle(Input::Done).unwrap();
    assert_eq!(exchange.handle(Input::Returned), Ok(Effect::None));
    assert_eq!(exchange.handle(Input::StreamEnded), Ok(Effect::Finish(LINE)));
}

#[test]
fn live_done_without_return_stays_open() {
    let mut exchange = after([answer(false), Input::TurnEnded]);
    exchange.opened(LINE);
    assert_eq!(exchange.handle(Input::Done), Ok(Effect::Done(LINE)));
    assert_eq!(exchange.handle(Input::Returned), Ok(Effect::Finish(LINE)));
}

#[test]
fn held_last_answer_is_done_as_soon_as_it_is_live() {
    let mut exchange = after([Input::Hold, answer(true), Input::Returned]);
    let effect = exchange.handle(Input::TurnEnded);
    assert_eq!(effect, Ok(Effect::Open { first: Some("a"), queued: vec![] }));
    assert_eq!(exchange.opened(LINE), Effect::Done(LINE));
    assert_eq!(exchange.handle(Input::Message("m".into())), Ok(Effect::Send(LINE, "m".into())));
    assert_eq!(exchange.handle(Input::Release), Ok(Effect::Finish(LINE)));
}

#[test]
fn held_state_is_known_with_whether_handlers_run() {
    let mut exchange = after_reaching(Reach::Final, []);
    assert_eq!(exchange.holds_state(), None);
    exchange.handle(answer(false)).unwrap();
    assert_eq!(exchange.holds_state(), Some(true));
    exchange.handle(Input::Hold).unwrap();
    exchange.handle(Input::Returned).unwrap();
    assert_eq!(exchange.holds_state(), Some(true));
    exchange.handle(Input::Release).unwrap();
    assert_eq!(exchange.holds_state(), Some(false));
    exchange.handle(Input::Settle).unwrap();
    assert_eq!(exchange.holds_state(), None);
    assert_eq!(after([answer(false)]).holds_state(), None);
}

#[test]
fn ended_inputs_are_refused_or_idle() {
    let mut exchange = after([Input::Gone]);
    assert_eq!(exchange.handle(answer(true)), Err(ExchangeError::Ended));
    assert_eq!(exchange.handle(Input::Release), Ok(Effect::None));
    assert_eq!(exchange.handle(Input::TurnEnded), Ok(Effect::None));
}
