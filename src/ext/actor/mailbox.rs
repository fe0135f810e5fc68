//! The ops that send and receive mail between isolates.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2, v8};
use tokio::sync::oneshot;

use super::directory::{Caller, Content, Failure, Leaving, Mail, Refused};
use super::running::Running;
use super::sockets::{End, Item};
use crate::ext::OpError;
use liveline_proto::actor::{ActorId, Stop, Taken};
use liveline_proto::{CloseCode, Frame};

/// The kinds of mail, numbered as in `runtime-js/actor/mail.js`.
#[derive(Clone, Copy)]
enum Kind {
    Start = 0,
    Stop = 1,
    Call = 2,
    Local = 3,
    Alarm = 4,
    Message = 5,
    Close = 6,
    Peer = 7,
    Failed = 8,
    Gone = 9,
}

/// Sends an event to an actor. Its result, or why there is none, comes as mail for this number.
#[op2]
pub(crate) fn op_actor_call(
    state: &mut OpState,
    #[string] class: &str,
    #[string] id: &str,
    #[string] name: Option<String>,
    #[smi] call: u32,
    #[buffer] data: &[u8],
) -> Result<(), OpError> {
    let running = state.borrow::<Running>();
    let actor = ActorId::parse(class, id)?.named(name.map(Arc::from));
    running.actors.call(&actor, Caller { isolate: running.isolate, call }, data.to_vec());
    Ok(())
}

/// Sends something to the isolate that runs an actor, if one does.
#[op2(fast)]
pub(crate) fn op_actor_post_owner(
    state: &mut OpState,
    #[string] class: &str,
    #[string] id: &str,
    #[buffer] data: &[u8],
) -> Result<(), OpError> {
    let running = state.borrow::<Running>();
    running.actors.send_owner(running.isolate, &ActorId::parse(class, id)?, data.to_vec());
    Ok(())
}

/// Sends something to an isolate. False if that has ended.
#[op2(fast)]
pub(crate) fn op_actor_post(state: &mut OpState, #[smi] to: u32, #[buffer] data: &[u8]) -> bool {
    let running = state.borrow::<Running>();
    running.actors.send_peer(running.isolate, to, data.to_vec())
}

/// Sends the result of a call of an actor, as soon as what the actor has written is durable.
#[op2(fast)]
pub(crate) fn op_actor_reply(
    state: &mut OpState,
    #[smi] instance: u32,
    #[smi] to: u32,
    #[smi] call: u32,
    #[buffer] data: &[u8],
) {
    let running = state.borrow::<Running>();
    let from = running.isolate;
    match running.instance(instance) {
        Some(instance) => {
            let reply = Leaving::Reply { from, to: Caller { isolate: to, call }, data: data.to_vec() };
            running.actors.engine(|engine| engine.output(instance.id, reply));
        }
        None => drop(running.actors.send_peer(from, to, data.to_vec())),
    }
}

/// Resolves when what an actor has written is durable; with false if it is lost, or the actor has ended.
#[op2]
pub(crate) async fn op_actor_durable(state: Rc<RefCell<OpState>>, #[smi] instance: u32) -> bool {
    let (waiter, durable) = oneshot::channel();
    {
        let state = state.borrow();
        let running = state.borrow::<Running>();
        match running.instance(instance) {
            Some(instance) => {
                running.actors.engine(|engine| engine.output(instance.id, Leaving::Waiter(waiter)));
            }
            None => return false,
        }
    }
    durable.await.is_ok()
}

/// The next mail, as an array whose first item is its kind; null if there is none.
#[op2]
pub(crate) fn op_actor_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> v8::Local<'s, v8::Value> {
    let running = state.borrow_mut::<Running>();
    loop {
        let inbox = &mut running.inbox;
        let Some(mail) = inbox.next.take().or_else(|| inbox.mail.try_recv().ok()) else {
            running.acknowledge();
            return v8::null(scope).into();
        };
        // An actor that has ended meanwhile has no mail.
        if let Some(items) = items_of(scope, running, mail) {
            return v8::Array::new_with_elements(scope, &items).into();
        }
    }
}

type Items<'s> = Vec<v8::Local<'s, v8::Value>>;

fn items_of<'s>(scope: &mut v8::PinScope<'s, '_>, running: &mut Running, mail: Mail) -> Option<Items<'s>> {
    Some(match mail {
        Mail::Start { actor, instance } => {
            let number = running.begin(actor.clone(), instance, None);
            vec![
                kind(scope, Kind::Start),
                integer(scope, number),
                string(scope, actor.class()),
                string(scope, &actor.hex()),
                optional(scope, actor.name().map(AsRef::as_ref)),
            ]
        }
        Mail::Ready(instance) => {
            let number = running.number_of(instance)?;
            let taken = running.actors.take(instance)?;
            taken_items(scope, running, number, taken)
        }
        Mail::Stop(instance, why) => {
            let number = running.number_of(instance)?;
            let why = match why {
                Stop::Hibernates | Stop::Evicted | Stop::Moved => v8::undefined(scope).into(),
                Stop::Blocked => string(scope, BLOCKED),
                Stop::Reset(failure) => reason(scope, failure),
            };
            vec![kind(scope, Kind::Stop), integer(scope, number), why]
        }
        Mail::Peer { from, data } => {
            vec![kind(scope, Kind::Peer), integer(scope, from), bytes(scope, data)]
        }
        Mail::Socket { end, item, credit } => {
            running.inbox.credits.extend(credit);
            socket_items(scope, -1, 0, end, item)
        }
        Mail::Gone { isolate } => vec![kind(scope, Kind::Gone), integer(scope, isolate)],
        Mail::Failed { call, why } => {
            let is_overloaded = matches!(why, Refused::MailboxFull | Refused::TooMany);
            let why = match why {
                Refused::NotStarted(failure) | Refused::Reset(failure) => reason(scope, failure),
                Refused::Blocked => string(scope, BLOCKED),
                Refused::MailboxFull => {
                    string(scope, "Durable Object is overloaded. Too many requests queued.")
                }
                Refused::TooMany => {
                    string(scope, "Too many Durable Objects are alive, and all of them are busy.")
                }
                Refused::NoOwner => string(scope, "The host stops: no actor is called any more."),
                Refused::Gone => string(scope, "The isolate that ran the Durable Object has ended."),
            };
            vec![
                kind(scope, Kind::Failed),
                integer(scope, call),
                why,
                v8::Boolean::new(scope, is_overloaded).into(),
            ]
        }
    })
}

/// What the callers of an actor that blocked its events for too long receive.
const BLOCKED: &str = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled \
                       and the Durable Object was reset.";

fn taken_items<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    running: &mut Running,
    number: u32,
    taken: Taken<Content>,
) -> Items<'s> {
    let id = |scope: &mut v8::PinScope<'s, '_>, event: u64| v8::Number::new(scope, event as f64).into();
    match taken {
        Taken::Event(event, Content::Call { caller, name, data }) => vec![
            kind(scope, Kind::Call),
            integer(scope, number),
            id(scope, event.0),
            integer(scope, caller.isolate),
            optional(scope, name.as_deref()),
            bytes(scope, data),
        ],
        Taken::Event(event, Content::Local { number: local, .. }) => {
            vec![kind(scope, Kind::Local), integer(scope, number), id(scope, event.0), integer(scope, local)]
        }
        Taken::Event(event, Content::Socket { end, item, credit }) => {
            running.inbox.credits.extend(credit);
            socket_items(scope, number.cast_signed(), event.0, end, item)
        }
        Taken::Alarm { event, due, retries } => vec![
            kind(scope, Kind::Alarm),
            integer(scope, number),
            id(scope, event.0),
            v8::Number::new(scope, due as f64).into(),
            integer(scope, retries),
        ],
    }
}

/// A message or the end of a socket, of an instance or, with -1, of the isolate.
fn socket_items<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    instance: i32,
    event: u64,
    end: End,
    item: Item,
) -> Items<'s> {
    let instance = v8::Integer::new(scope, instance).into();
    let event = v8::Number::new(scope, event as f64).into();
    let end = v8::Number::new(scope, end.0 as f64).into();
    match item {
        Item::Message(Frame::Text(text)) => {
            vec![kind(scope, Kind::Message), instance, event, end, string(scope, &text)]
        }
        // An actor's socket follows no pings and pongs.
        Item::Message(Frame::Binary(data) | Frame::Ping(data) | Frame::Pong(data)) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(data.to_vec()).make_shared();
            let buffer = v8::ArrayBuffer::with_backing_store(scope, &store).into();
            vec![kind(scope, Kind::Message), instance, event, end, buffer]
        }
        Item::Close(close) => {
            let is_clean = close.code != CloseCode::Abnormal;
            vec![
                kind(scope, Kind::Close),
                instance,
                event,
                end,
                v8::Integer::new(scope, close.code.number().into()).into(),
                string(scope, &close.reason),
                v8::Boolean::new(scope, is_clean).into(),
            ]
        }
    }
}

/// Why an actor failed: a serialized error, or a text.
fn reason<'s>(scope: &mut v8::PinScope<'s, '_>, failure: Failure) -> v8::Local<'s, v8::Value> {
    match failure {
        Failure::Thrown(error) => bytes(scope, error.to_vec()),
        Failure::Host(text) => string(scope, &text),
    }
}

fn kind<'s>(scope: &mut v8::PinScope<'s, '_>, kind: Kind) -> v8::Local<'s, v8::Value> {
    v8::Integer::new(scope, kind as i32).into()
}

fn integer<'s>(scope: &mut v8::PinScope<'s, '_>, number: u32) -> v8::Local<'s, v8::Value> {
    v8::Integer::new_from_unsigned(scope, number).into()
}

fn optional<'s>(scope: &mut v8::PinScope<'s, '_>, text: Option<&str>) -> v8::Local<'s, v8::Value> {
    match text {
        Some(text) => string(scope, text),
        None => v8::undefined(scope).into(),
    }
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::Value> {
    // V8's limit is far above the limits of frames.
    v8::String::new(scope, text).map_or_else(|| v8::null(scope).into(), Into::into)
}

/// A Uint8Array that has the bytes, without a copy.
fn bytes<'s>(scope: &mut v8::PinScope<'s, '_>, data: Vec<u8>) -> v8::Local<'s, v8::Value> {
    let length = data.len();
    let store = v8::ArrayBuffer::new_backing_store_from_vec(data).make_shared();
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
    v8::Uint8Array::new(scope, buffer, 0, length).map_or_else(|| v8::null(scope).into(), Into::into)
}
