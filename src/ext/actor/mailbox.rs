//! The ops that send and receive mail between isolates.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2, v8};
use tokio::sync::oneshot;

use super::directory::{Mail, Refused};
use super::gate::Leaving;
use super::running::{Running, actor};
use super::sockets::Item;
use liveline_proto::{CloseCode, Frame};

/// The kinds of mail, numbered as in `runtime-js/actor/mail.js`.
#[derive(Clone, Copy)]
enum Kind {
    Event = 0,
    Peer = 1,
    Message = 2,
    Close = 3,
    Alarm = 4,
    Gone = 5,
    Retire = 6,
    Failed = 7,
    Broken = 8,
}

/// Sends an event to an actor. Returns the isolate that runs it; -1 if too many events wait for it, -2 if the process
/// stops.
#[op2]
#[smi]
pub(crate) fn op_actor_call(
    state: &mut OpState,
    #[string] class: &str,
    #[string] id: &str,
    #[string] name: Option<String>,
    #[buffer] data: &[u8],
) -> i32 {
    let running = state.borrow::<Running>();
    let sent =
        running.actors.send_event(running.isolate, actor(class, id), name.map(Arc::from), data.to_vec());
    match sent {
        Ok(isolate) => isolate.cast_signed(),
        Err(Refused::Overloaded) => -1,
        Err(Refused::Stopping) => -2,
    }
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
            let reply = Leaving::Reply { from, to, call, data: data.to_vec() };
            instance.gate.pass(&running.actors, reply);
        }
        None => drop(running.actors.send_peer(from, to, data.to_vec())),
    }
}

/// Resolves when what an actor has written is durable.
#[op2]
pub(crate) async fn op_actor_durable(state: Rc<RefCell<OpState>>, #[smi] instance: u32) {
    let (waiter, durable) = oneshot::channel();
    {
        let state = state.borrow();
        let running = state.borrow::<Running>();
        match running.instance(instance) {
            Some(instance) => instance.gate.pass(&running.actors, Leaving::Waiter(waiter)),
            None => return,
        }
    }
    // Without the sender, the actor has been reset.
    let _ = durable.await;
}

/// The next mail, as an array whose first item is its kind; null if there is none.
#[op2]
pub(crate) fn op_actor_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> v8::Local<'s, v8::Value> {
    let running = state.borrow_mut::<Running>();
    let inbox = &mut running.inbox;
    let next = inbox.next.take().or_else(|| inbox.mail.try_recv().ok());
    let Some(mail) = next else {
        running.acknowledge();
        return v8::null(scope).into();
    };
    let kind = |scope: &mut v8::PinScope<'s, '_>, kind: Kind| v8::Integer::new(scope, kind as i32).into();
    let items: Vec<v8::Local<'s, v8::Value>> = match mail {
        Mail::Event { from, actor, name, data } => {
            running.actors.received(&actor);
            vec![
                kind(scope, Kind::Event),
                v8::Integer::new_from_unsigned(scope, from).into(),
                string(scope, &actor.class),
                string(scope, &actor.id),
                match name {
                    Some(name) => string(scope, &name),
                    None => v8::undefined(scope).into(),
                },
                bytes(scope, data),
            ]
        }
        Mail::Peer { from, data } => vec![
            kind(scope, Kind::Peer),
            v8::Integer::new_from_unsigned(scope, from).into(),
            bytes(scope, data),
        ],
        Mail::Socket { end, actor, item, credit } => {
            inbox.credits.extend(credit);
            let number = v8::Number::new(scope, end.0 as f64).into();
            let (class, id) = match &actor {
                Some(actor) => {
                    running.actors.received(actor);
                    (string(scope, &actor.class), string(scope, &actor.id))
                }
                None => (v8::undefined(scope).into(), v8::undefined(scope).into()),
            };
            match item {
                Item::Message(Frame::Text(text)) => {
                    vec![kind(scope, Kind::Message), number, class, id, string(scope, &text)]
                }
                // An actor's socket follows no pings and pongs.
                Item::Message(Frame::Binary(data) | Frame::Ping(data) | Frame::Pong(data)) => {
                    let store = v8::ArrayBuffer::new_backing_store_from_vec(data.to_vec()).make_shared();
                    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store).into();
                    vec![kind(scope, Kind::Message), number, class, id, buffer]
                }
                Item::Close(close) => {
                    let is_clean = close.code != CloseCode::Abnormal;
                    vec![
                        kind(scope, Kind::Close),
                        number,
                        class,
                        id,
                        v8::Integer::new(scope, close.code.number().into()).into(),
                        string(scope, &close.reason),
                        v8::Boolean::new(scope, is_clean).into(),
                    ]
                }
            }
        }
        Mail::Alarm { actor } => {
            running.actors.received(&actor);
            vec![kind(scope, Kind::Alarm), string(scope, &actor.class), string(scope, &actor.id)]
        }
        Mail::Gone { isolate } => {
            vec![kind(scope, Kind::Gone), v8::Integer::new_from_unsigned(scope, isolate).into()]
        }
        Mail::Retire => vec![kind(scope, Kind::Retire)],
        Mail::Broken { instance, actor, message } => vec![
            kind(scope, Kind::Broken),
            v8::Integer::new_from_unsigned(scope, instance).into(),
            string(scope, &actor.class),
            string(scope, &actor.id),
            string(scope, &message),
        ],
        Mail::Failed { call, message } => vec![
            kind(scope, Kind::Failed),
            v8::Integer::new_from_unsigned(scope, call).into(),
            string(scope, &message),
        ],
    };
    v8::Array::new_with_elements(scope, &items).into()
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
