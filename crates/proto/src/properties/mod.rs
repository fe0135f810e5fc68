//! Random histories of the engine, checked against what must always hold.

mod channels;
mod crowds;
mod resume;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::*;

const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#;

fn visitor() -> Visitor {
    Visitor { session: None, address: [127, 0, 0, 1].into() }
}

fn limits() -> Limits {
    Limits { queue_bytes: 64, ..Limits::default() }
}

/// One step in the life of a few lines.
#[derive(Debug, Clone)]
enum Step {
    Open,
    Join(usize),
    Connect(usize),
    Say(usize),
    Garbage(usize),
    Send(usize),
    Finish(usize),
    Cut(usize),
    Heard(usize),
    SocketClosed(usize),
    Write(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let line = 0usize..4;
    let step = prop_oneof![
        3 => Just(Step::Open),
        4 => line.clone().prop_map(Step::Join),
        4 => line.clone().prop_map(Step::Connect),
        2 => line.clone().prop_map(Step::Say),
        1 => line.clone().prop_map(Step::Garbage),
        8 => line.clone().prop_map(Step::Send),
        2 => line.clone().prop_map(Step::Finish),
        1 => line.clone().prop_map(Step::Cut),
        2 => line.clone().prop_map(Step::Heard),
        1 => line.clone().prop_map(Step::SocketClosed),
        6 => line.prop_map(Step::Write),
        1 => (0u64..40).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

/// What the model knows of one line.
struct Known {
    id: LineId,
    token: Token,
    sent: u32,
    read: u32,
    told_closed: u32,
    finished: bool,
    gone: bool,
}

proptest! {
    #[test]
    fn lines_any_history_keeps_order_and_ends_once(steps in steps()) {
        let mut now = Instant::now();
        let mut engine = Engine::new(limits(), now);
        let mut known: Vec<Known> = Vec::new();

        for step in steps {
            let at = |i: usize, known: &[Known]| known.len().checked_sub(1 + i % known.len().max(1));
            match step {
                Step::Open => {
                    let token = Token([known.len() as u8; 16]);
                    let exchange = ExchangeId(known.len() as u64);
                    let opening = Opening { owner: OwnerId(0), exchange, visitor: visitor(), token };
                    let id = engine.open(opening).unwrap();
                    if known.len() < 200 {
                        known.push(Known { id, token, sent: 0, read: 0, told_closed: 0, finished: false, gone: false });
                    }
                }
                Step::Join(i) => if let Some(i) = at(i, &known) {
                    let _ = engine.join(known[i].token, TransportKind::Socket, Caller::from(&visitor()));
                },
                Step::Connect(i) => if let Some(i) = at(i, &known) {
                    engine.receive(engine.attachment(known[i].id), CONNECT);
                },
                Step::Say(i) => if let Some(i) = at(i, &known) {
                    engine.receive(engine.attachment(known[i].id), "\"hello\"");
                },
                Step::Garbage(i) => if let Some(i) = at(i, &known) {
                    engine.receive(engine.attachment(known[i].id), "{");
                },
                Step::Send(i) => if let Some(i) = at(i, &known) {
                    let frame = format!("#{}", known[i].sent);
                    known[i].sent += 1;
                    engine.send(known[i].id, QueuedFrame::new(Priority::Message, frame));
                },
                Step::Finish(i) => if let Some(i) = at(i, &known) {
                    known[i].finished = true;
                    engine.finish(known[i].id, CloseCode::Done.into());
                },
                Step::Cut(i) => if let Some(i) = at(i, &known) {
                    engine.cut(known[i].id, CloseCode::Restart.into());
                },
                Step::Heard(i) => if let Some(i) = at(i, &known) {
                    engine.acknowledge(known[i].id, 7);
                },
                Step::SocketClosed(i) => if let Some(i) = at(i, &known) {
                    engine.disconnected(engine.attachment(known[i].id), CloseCode::Abnormal.into());
                },
                Step::Write(i) => if let Some(i) = at(i, &known) {
                    let mut frames = Vec::new();
                    if engine.take(engine.attachment(known[i].id), 8, &mut frames) == Take::Gone {
                        known[i].gone = true;
                    }
                    for frame in &frames {
                        if let Outgoing::Frame(frame) = frame
                            && let Some(number) = frame.as_str().strip_prefix('#')
                        {
                            let number: u32 = number.parse().unwrap();
                            prop_assert!(number >= known[i].read, "frames leave in order");
                            known[i].read = number + 1;
                        }
                    }
                },
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    engine.at(now).tick();
                    prop_assert!(engine.next_deadline().is_none_or(|at| at > now));
                }
            }
            for action in engine.actions() {
                if let Action::Dispatch { exchange, event, .. } = action {
                    let line = &mut known[exchange.0 as usize];
                    prop_assert_eq!(line.told_closed, 0, "nothing follows the end");
                    if let Event::Closed(_) = event {
                        prop_assert!(!line.finished, "a handler that finished is not told");
                        line.told_closed += 1;
                    }
                }
            }
            for line in known.iter().filter(|line| line.gone) {
                let take = engine.take(engine.attachment(line.id), 8, &mut Vec::new());
                prop_assert_eq!(take, Take::Gone, "a line that is gone stays gone");
            }
        }

        // Whatever happened: once every socket is gone and time has passed, nothing is left.
        for line in &known {
            engine.disconnected(engine.attachment(line.id), CloseCode::Abnormal.into());
        }
        engine.at(now + Duration::from_secs(3600)).tick();
        prop_assert!(engine.is_empty() && engine.next_deadline().is_none());
    }

    #[test]
    fn exchange_any_history_answers_once(
        inputs in proptest::collection::vec(0u8..10, 0..60),
        last_only: bool,
    ) {
        let mut exchange = Exchange::<u8>::new(if last_only { Reach::Final } else { Reach::Line });
        let mut engine = Engine::new(limits(), Instant::now());
        let (mut answers, mut ends) = (0, 0);
        for (n, input) in inputs.into_iter().enumerate() {
            let input = match input {
                0 => Input::Answer { answer: 1, done: n % 2 == 0 },
                1 => Input::Frame { frame: QueuedFrame::new(Priority::State, "f"), done: n % 3 == 0 },
                2 => Input::Message(QueuedFrame::new(Priority::Message, "m")),
                3 => Input::Done,
                4 => Input::Hold,
                5 => Input::Release,
                6 => Input::Returned,
                7 => Input::TurnEnded,
                8 => Input::Settle,
                _ => if n % 5 == 0 { Input::Gone } else { Input::Failed },
            };
            let mut effect = exchange.handle(input);
            if let Ok(Effect::Open { .. }) = effect {
                answers += 1;
                let (owner, exchange_id, token) = (OwnerId(0), ExchangeId(0), Token([0; 16]));
                let opening = Opening { owner, exchange: exchange_id, visitor: visitor(), token };
                effect = Ok(exchange.opened(engine.open(opening).unwrap()));
            }
            match effect {
                Ok(Effect::Answer(_) | Effect::FailAnswer) => answers += 1,
                Ok(Effect::Finish(_) | Effect::FailLine(_)) => ends += 1,
                Ok(Effect::Send(..) | Effect::Done(_)) => prop_assert_eq!(ends, 0, "nothing is sent after the end"),
                Ok(Effect::None | Effect::Open { .. }) | Err(_) => {}
            }
            prop_assert!(answers <= 1, "HTTP is answered once");
            prop_assert!(ends <= 1, "a line ends once");
        }
    }
}
