//! Runs handlers for a request, and renders pages.

use std::time::Instant;

use deno_core::v8;
use hyper::{Method, StatusCode};

use super::Isolate;
use super::functions::Function;
use crate::ext::{Begun, Call, Unanswered};
use crate::http::{Answer, USER_PATH};
use crate::router::{NodeId, PageId, segments};
use crate::script::values::string;
use liveline_proto::ExchangeId;

/// The result of the first turn of a request.
pub(crate) enum Dispatched {
    Answered(ExchangeId, Answer),
    Waiting(ExchangeId, Unanswered),
    Lost(ExchangeId),
}

impl Isolate {
    /// Runs the handlers for a request, until they have answered or wait for a promise.
    pub(crate) fn dispatch(&self, request: Call, node: NodeId) -> Dispatched {
        let method = request.parts.method.clone();
        let path = request.parts.uri.path();
        let is_user = path == USER_PATH && method == Method::GET;
        // `dispatch.js` has the number, too.
        let length = if is_user { -1 } else { segments(path).count() as i32 };
        let page = request.shown.page.map_or(-1, u32::cast_signed);
        let show = request.shown.show as i32;
        let Begun { id: exchange, can_join } = self.with_exchanges(|exchanges| exchanges.begin(request));
        self.counter.set_exchange(Some(exchange.0));
        self.enter(|scope, functions| {
            let id = v8::Number::new(scope, exchange.0 as f64).into();
            let node = v8::Integer::new_from_unsigned(scope, node.0).into();
            let length = v8::Integer::new(scope, length).into();
            let method = functions.method(scope, &method);
            let page = v8::Integer::new(scope, page).into();
            let show = v8::Integer::new(scope, show).into();
            let can_join = v8::Boolean::new(scope, can_join).into();
            let arguments = [id, node, length, method, page, show, can_join];
            let object = functions.call(scope, Function::Dispatch, &arguments);
            if let Some(object) = object.and_then(|object| v8::Local::<v8::Object>::try_from(object).ok()) {
                self.with_exchanges(|exchanges| {
                    exchanges.attach(exchange, || v8::Global::new(scope, object))
                });
            }
        });
        self.with_exchanges(|exchanges| match exchanges.answered() {
            Some(answer) => Dispatched::Answered(exchange, answer),
            None => exchanges
                .wait(exchange)
                .map_or(Dispatched::Lost(exchange), |unanswered| Dispatched::Waiting(exchange, unanswered)),
        })
    }

    /// Renders a page with `json` as its state. None if it cannot be rendered.
    pub(crate) fn render(&self, page: PageId, json: &str, status: StatusCode) -> Option<String> {
        let mut html = None;
        self.counter.set_exchange(None);
        self.enter(|scope, functions| {
            let page = v8::Integer::new_from_unsigned(scope, page.0).into();
            let json = string(scope, json);
            let status = v8::Integer::new(scope, status.as_u16().into()).into();
            let rendered = functions.call(scope, Function::Render, &[page, json, status]);
            html = rendered.filter(|it| it.is_string()).map(|it| it.to_rust_string_lossy(scope));
        });
        html
    }

    /// For a client that can receive only one answer: when the host stops waiting for a later state and sends the one
    /// that it holds.
    pub(crate) fn settles_at(&self, exchange: ExchangeId) -> Option<Instant> {
        self.with_exchanges(|exchanges| exchanges.settles_at(exchange))
    }

    /// Answers with the held state, if there is one: the wait for a later one is over.
    pub(crate) fn settle(&self, exchange: ExchangeId) {
        self.with_exchanges(|exchanges| exchanges.settle(exchange));
        self.turn_ended();
    }
}
