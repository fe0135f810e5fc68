//! What handlers say to the log. Half of `runtime-js/00_globals.js`.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use hyper::Method;
use tracing::Level;

use super::Exchanges;
use crate::engine::{ExchangeId, LineId};
use crate::observe::CONSOLE;
use crate::observe::output::{self, Stream};

/// What the log says of an exchange besides the message.
#[derive(Default)]
pub(super) struct Context {
    pub exchange: Option<String>,
    pub method: Option<Method>,
    pub path: Option<String>,
    pub request: Option<String>,
    pub line: Option<LineId>,
}

/// One line of the log, about an exchange.
macro_rules! about {
    ($level:ident, $target:expr, $context:expr, $($message:tt)+) => {
        tracing::$level!(
            target: $target,
            exchange = $context.exchange.as_ref().map(tracing::field::display),
            method = $context.method.as_ref().map(tracing::field::display),
            path = $context.path.as_deref(),
            request = $context.request.as_deref(),
            line = $context.line.map(tracing::field::display),
            $($message)+
        )
    };
}

pub(super) use about;

/// The exchange whose code is running, from the async context that `10_exchange.js` sets.
pub fn current_exchange(scope: &mut v8::PinScope<'_, '_>) -> Option<ExchangeId> {
    let data = scope.get_continuation_preserved_embedder_data();
    // Outside of exchanges it is undefined, which has no properties to ask for.
    let data = v8::Local::<v8::Object>::try_from(data).ok()?;
    let key = v8::String::new(scope, "exchange")?.into();
    let id = data.get(scope, key)?;
    id.is_number().then(|| ExchangeId(id.number_value(scope).unwrap_or_default() as u64))
}

/// Prints what a handler prints, or logs it where the log is for programs. Levels from 2 on are warnings and errors.
#[op2(fast)]
pub fn op_console(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] text: &str,
    #[smi] level: u32,
) {
    if !tracing::enabled!(target: CONSOLE, Level::ERROR) {
        let stream = if level > 1 { Stream::Error } else { Stream::Output };
        return output::print(stream, text.as_bytes());
    }
    let exchange = current_exchange(scope);
    let mut state = state.borrow_mut();
    let context = state.borrow_mut::<Exchanges>().context(exchange);
    let text = text.trim_end_matches('\n');
    match level {
        0 => about!(debug, CONSOLE, context, "{text}"),
        1 => about!(info, CONSOLE, context, "{text}"),
        2 => about!(warn, CONSOLE, context, "{text}"),
        _ => about!(error, CONSOLE, context, "{text}"),
    }
}
