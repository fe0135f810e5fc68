//! Delivers the events of lines and the ends of exchanges to JavaScript.

use std::time::Duration;

use deno_core::v8;

use super::Isolate;
use super::functions::Function;
use crate::ext::{Ended, Exchanges};
use crate::lines::LineEvent;
use crate::script::values::{json_or_null, message, string};
use liveline_proto::{Close, Event, ExchangeId};

/// How long a batch of messages may run before the event loop is polled.
const TURN: Duration = Duration::from_millis(5);

impl Isolate {
    /// Delivers an event of a line.
    pub(crate) fn deliver(&self, event: &LineEvent) {
        let id = event.exchange;
        self.counter.is_for(Some(id.0));
        match &event.event {
            Event::Opened => self.with_exchanges(|exchanges| exchanges.joined(id)),
            Event::Data { .. } => {
                self.deliver_messages(std::slice::from_ref(event));
                return;
            }
            Event::Closed(close) => return self.end(id, close),
            _ => {}
        }
        let Some(object) = self.with_exchanges(|exchanges| exchanges.object(id)) else { return };
        self.enter(|scope, functions| {
            let exchange = v8::Local::new(scope, &object).into();
            match &event.event {
                Event::Opened => functions.call(scope, Function::Opened, &[exchange]),
                Event::Message { kind, event_id, payload, ports, .. } => {
                    let arguments = [
                        exchange,
                        string(scope, kind),
                        string(scope, event_id),
                        json_or_null(scope, payload.as_deref()),
                        v8::Integer::new_from_unsigned(scope, *ports).into(),
                    ];
                    functions.call(scope, Function::Receive, &arguments)
                }
                Event::Reply { request, port, kind, payload, .. } => {
                    let arguments = [
                        exchange,
                        string(scope, request),
                        v8::Integer::new_from_unsigned(scope, *port).into(),
                        string(scope, kind),
                        json_or_null(scope, payload.as_deref()),
                    ];
                    functions.call(scope, Function::Reply, &arguments)
                }
                Event::Relay { channel, kind, event_id, payload, member, size } => {
                    let arguments = [
                        exchange,
                        string(scope, channel.as_str()),
                        string(scope, kind),
                        string(scope, event_id),
                        json_or_null(scope, payload.as_deref()),
                        string(scope, &member.to_string()),
                        v8::Number::new(scope, *size as f64).into(),
                    ];
                    functions.call(scope, Function::Relay, &arguments)
                }
                Event::ChannelMessage { channel, kind, event_id, payload, .. } => {
                    let arguments = [
                        exchange,
                        string(scope, channel.as_str()),
                        string(scope, kind),
                        string(scope, event_id),
                        json_or_null(scope, payload.as_deref()),
                    ];
                    functions.call(scope, Function::Overhear, &arguments)
                }
                Event::Drained { stale } => {
                    let stale = v8::Boolean::new(scope, *stale).into();
                    functions.call(scope, Function::Drained, &[exchange, stale])
                }
                Event::Data { .. } | Event::Closed(_) => None,
            };
        });
    }

    /// Delivers messages of raw sockets, as many in one turn as are handled within five milliseconds. Returns their
    /// number.
    pub(crate) fn deliver_messages(&self, events: &[LineEvent]) -> usize {
        self.enter(|scope, functions| {
            let messages: Vec<_> = events
                .iter()
                .flat_map(|event| {
                    let object = self.with_exchanges(|exchanges| exchanges.object(event.exchange));
                    message(scope, object.as_ref(), event)
                })
                .collect();
            let messages = v8::Array::new_with_elements(scope, &messages);
            let turn = v8::Number::new(scope, TURN.as_millis() as f64).into();
            functions.call(scope, Function::Heard, &[messages.into(), turn]);
        });
        // If not even the first was begun, the isolate is being stopped.
        self.with_exchanges(Exchanges::take_begun_messages).clamp(1, events.len())
    }

    /// Ends an exchange from outside: its line closed, its client left, or its time limit passed.
    pub(crate) fn end(&self, exchange: ExchangeId, close: &Close) {
        self.with_exchanges(|exchanges| exchanges.end(exchange, close.clone()));
        self.turn_ended();
    }

    /// Calls the JavaScript function that ends an exchange.
    pub(super) fn deliver_end(&self, ended: &Ended) {
        let Some(object) = &ended.object else { return };
        self.counter.is_for(Some(ended.id.0));
        self.enter(|scope, functions| {
            let arguments = [
                v8::Local::new(scope, object).into(),
                v8::Integer::new_from_unsigned(scope, ended.close.code.number().into()).into(),
                string(scope, &ended.close.reason),
                v8::Boolean::new(scope, ended.is_complete).into(),
            ];
            functions.call(scope, Function::Ended, &arguments);
        });
    }
}
