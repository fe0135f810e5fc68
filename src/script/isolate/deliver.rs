//! Delivers to JavaScript what happened on lines.

use std::time::Duration;

use deno_core::v8;

use super::Isolate;
use super::functions::Function;
use crate::lines::LineEvent;
use crate::script::values::{json_or_null, message, string};
use liveline_proto::{Close, Event, ExchangeId};

/// How long messages that came together may take before the event loop has its turn.
const TURN: Duration = Duration::from_millis(5);
impl Isolate {
    /// Delivers what happened on a line.
    pub(crate) fn deliver(&self, told: &LineEvent) {
        let id = told.exchange.0 as f64;
        self.counter.is_for(Some(told.exchange.0));
        match &told.event {
            Event::Opened => self.enter(|scope, functions| {
                let id = v8::Number::new(scope, id).into();
                functions.call(scope, Function::Opened, &[id]);
            }),
            Event::Message { kind, event_id, payload, ports, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, kind),
                    string(scope, event_id),
                    json_or_null(scope, payload.as_deref()),
                    v8::Integer::new_from_unsigned(scope, *ports).into(),
                ];
                functions.call(scope, Function::Receive, &arguments);
            }),
            Event::Reply { request, port, kind, payload, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, request),
                    v8::Integer::new_from_unsigned(scope, *port).into(),
                    string(scope, kind),
                    json_or_null(scope, payload.as_deref()),
                ];
                functions.call(scope, Function::Reply, &arguments);
            }),
            Event::Relay { channel, kind, event_id, payload, member, size } => {
                self.enter(|scope, functions| {
                    let arguments = [
                        v8::Number::new(scope, id).into(),
                        string(scope, channel.as_str()),
                        string(scope, kind),
                        string(scope, event_id),
                        json_or_null(scope, payload.as_deref()),
                        string(scope, &member.to_string()),
                        v8::Number::new(scope, *size as f64).into(),
                    ];
                    functions.call(scope, Function::Relay, &arguments);
                });
            }
            Event::Overheard { channel, kind, event_id, payload, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, channel.as_str()),
                    string(scope, kind),
                    string(scope, event_id),
                    json_or_null(scope, payload.as_deref()),
                ];
                functions.call(scope, Function::Overhear, &arguments);
            }),
            Event::Drained { stale } => self.enter(|scope, functions| {
                let arguments = [v8::Number::new(scope, id).into(), v8::Boolean::new(scope, *stale).into()];
                functions.call(scope, Function::Drained, &arguments);
            }),
            Event::Data { .. } => drop(self.deliver_messages(std::slice::from_ref(told))),
            Event::Closed(close) => self.end(told.exchange, close),
        }
    }

    /// Delivers messages of raw sockets, as many in one turn as fit into five milliseconds. Says how many it took.
    pub(crate) fn deliver_messages(&self, told: &[LineEvent]) -> usize {
        self.enter(|scope, functions| {
            let messages: Vec<_> = told.iter().flat_map(|told| message(scope, told)).collect();
            let messages = v8::Array::new_with_elements(scope, &messages);
            let turn = v8::Number::new(scope, TURN.as_millis() as f64).into();
            functions.call(scope, Function::Heard, &[messages.into(), turn]);
        });
        // Where not even the first was begun, the isolate is being stopped.
        self.with_exchanges(|exchanges| exchanges.take_heard()).clamp(1, told.len())
    }

    /// Ends an exchange from outside: its line closed, its client left, its time is up.
    pub(crate) fn end(&self, exchange: ExchangeId, close: &Close) {
        self.with_exchanges(|exchanges| exchanges.gone(exchange));
        self.tell_closed(exchange, close);
    }

    pub(super) fn tell_closed(&self, exchange: ExchangeId, close: &Close) {
        self.counter.is_for(Some(exchange.0));
        self.enter(|scope, functions| {
            let arguments = [
                v8::Number::new(scope, exchange.0 as f64).into(),
                v8::Integer::new_from_unsigned(scope, close.code.number().into()).into(),
                string(scope, &close.reason),
            ];
            functions.call(scope, Function::Closed, &arguments);
        });
    }
}
