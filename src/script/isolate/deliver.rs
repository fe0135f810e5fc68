//! Delivers the events of lines and the ends of exchanges to JavaScript.

use std::time::{Duration, Instant};

use deno_core::v8;

use super::Isolate;
use super::functions::Function;
use crate::ext::Ended;
use crate::lines::LineEvent;
use crate::script::values::{json_or_null, message, string};
use liveline_proto::{Close, Event, ExchangeId};

/// How long a batch of messages may run before the event loop is polled.
const TURN: Duration = Duration::from_millis(5);

/// After the first messages of a batch, the clock is read after each one in this many.
const CLOCK_EVERY: usize = 8;

impl Isolate {
    /// Delivers an event of a line.
    pub(crate) fn deliver(&self, event: &LineEvent) {
        let id = event.exchange;
        self.counter.set_exchange(Some(id.0));
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

    /// Delivers messages of raw sockets in one entry into JavaScript, as many as are handled within five milliseconds.
    /// Returns their number.
    pub(crate) fn deliver_messages(&self, events: &[LineEvent]) -> usize {
        let (began, mut count) = (Instant::now(), 0);
        self.enter(|scope, functions| {
            for event in events {
                if count > 0 {
                    // Each message has a turn of its own: promises settle before the next.
                    scope.perform_microtask_checkpoint();
                    let looks = count < CLOCK_EVERY || count.is_multiple_of(CLOCK_EVERY);
                    if self.counter.is_terminated() || (looks && began.elapsed() >= TURN) {
                        return;
                    }
                }
                count += 1;
                self.counter.set_exchange(Some(event.exchange.0));
                v8::scope!(let scope, scope);
                let exchange = self.with_exchanges(|exchanges| exchanges.object_in(scope, event.exchange));
                if let Some(exchange) = exchange {
                    let message = message(scope, event);
                    functions.call(scope, Function::ReceiveFromClient, &[exchange.into(), message]);
                }
            }
        });
        // If not even the first was begun, the isolate is being stopped.
        count.max(1)
    }

    /// Ends an exchange from outside: its line closed, its client left, or its time limit passed.
    pub(crate) fn end(&self, exchange: ExchangeId, close: &Close) {
        self.with_exchanges(|exchanges| exchanges.end(exchange, close.clone()));
        self.turn_ended();
    }

    /// Calls the JavaScript function that ends an exchange.
    pub(super) fn deliver_end(&self, ended: &Ended) {
        let Some(object) = &ended.object else { return };
        self.counter.set_exchange(Some(ended.id.0));
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
