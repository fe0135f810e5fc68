//! Console output and log records of handlers. Half of `runtime-js/log.js`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use hyper::Method;
use tracing::Level;

use super::Exchanges;
use crate::metrics::output::{self, Stream};
use crate::metrics::{CONSOLE, colors};
use liveline_compiler::relative;
use liveline_proto::{ExchangeId, LineId};

/// Log fields of an exchange besides the message.
#[derive(Default)]
pub(super) struct Context {
    pub exchange: Option<String>,
    pub method: Option<Method>,
    pub path: Option<String>,
    pub request: Option<String>,
    pub line: Option<LineId>,
}

/// Logs one record with the fields of an exchange.
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

/// The exchange whose code is running, from the async context that `exchange.js` sets.
pub(crate) fn current_exchange(scope: &mut v8::PinScope<'_, '_>) -> Option<ExchangeId> {
    let data = scope.get_continuation_preserved_embedder_data();
    // Outside of exchanges it is undefined, which is not an object.
    let data = v8::Local::<v8::Object>::try_from(data).ok()?;
    let key = v8::String::new(scope, "exchange")?.into();
    let id = data.get(scope, key)?;
    id.is_number().then(|| ExchangeId(id.number_value(scope).unwrap_or_default() as u64))
}

/// Whether console output may have colours, on standard error or on standard output.
#[op2(fast)]
pub(crate) fn op_console_has_colors(is_error: bool) -> bool {
    colors::are_on(if is_error { Stream::Error } else { Stream::Output })
}

/// Prints console output, or logs it if the log is structured. Levels from 2 on are warnings and errors.
#[op2(fast)]
pub(crate) fn op_console(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] text: &str,
    #[smi] level: u32,
) {
    print(scope, &state, text, level);
}

/// The same for ops of other names.
pub(super) fn print(scope: &mut v8::PinScope<'_, '_>, state: &RefCell<OpState>, text: &str, level: u32) {
    let text = with_short_places(text);
    if !tracing::enabled!(target: CONSOLE, Level::ERROR) {
        let stream = if level > 1 { Stream::Error } else { Stream::Output };
        let is_plain = !colors::is_terminal(stream) || text == CLEAR;
        let text = if is_plain { text } else { visible(&text).into_owned().into() };
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

/// The output of `console.clear()`; no other console function prints text without a line end.
const CLEAR: &str = "\u{1b}[1;1H\u{1b}[0J";

/// Replaces URLs of files in stack frames by paths, which terminals and editors can open.
fn with_short_places(text: &str) -> Cow<'_, str> {
    const SCHEME: &str = "file://";
    let is_frame = |line: &str| line.trim_start().starts_with("at ") && line.contains(SCHEME);
    if !text.lines().any(is_frame) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let parts = line.split_once(SCHEME).filter(|_| is_frame(line));
        let Some((before, rest)) = parts else {
            shown.push_str(line);
            continue;
        };
        let end = rest.find([')', '\n', '\u{1b}']).unwrap_or(rest.len());
        shown.push_str(before);
        shown.push_str(&relative_url(&rest[..end]));
        shown.push_str(&rest[end..]);
    }
    Cow::Owned(shown)
}

/// Converts the path part of a file URL, with line and column, to a path from the working directory.
fn relative_url(place: &str) -> String {
    let path = percent_encoding::percent_decode_str(place).decode_utf8_lossy().into_owned();
    relative(Path::new(&path)).display().to_string()
}

/// Escapes control characters, so that untrusted text cannot send commands to the terminal. Colour sequences
/// stay, and a reset is added after them.
fn visible(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut has_colors) = (String::with_capacity(text.len()), false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = color_at(rest) {
            shown.push_str(&rest[..length]);
            has_colors = true;
            rest = &rest[length..];
            continue;
        }
        match next {
            // The line end of HTTP.
            '\r' if rest.starts_with("\r\n") => {}
            next if is_command(next) => shown.extend(next.escape_unicode()),
            next => shown.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
    if has_colors {
        let end = shown.len() - usize::from(shown.ends_with('\n'));
        shown.insert_str(end, "\u{1b}[0m");
    }
    Cow::Owned(shown)
}

/// The length of a colour sequence (SGR) at the start of a text.
fn color_at(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::{visible, with_short_places};

    #[test]
    fn visible_leaves_colours_and_nothing_else() {
        for (text, shown) in [
            ("plain \u{e9}\ttext\n", "plain \u{e9}\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m\n", "\u{1b}[31mred\u{1b}[0m\u{1b}[0m\n"),
            ("\u{1b}[1;38;5;9mred", "\u{1b}[1;38;5;9mred\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}]0;a\u{7}\u{9b}1m", "\\u{1b}[2J\\u{1b}]0;a\\u{7}\\u{9b}1m"),
            ("a\r\nb\rc\u{8}", "a\nb\\u{d}c\\u{8}"),
            ("\u{1b}[31", "\\u{1b}[31"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn places_of_stacks_are_paths_and_other_texts_stay() {
        let stack =
            "Error: at file:///x\n    at f (file:///else/a%20b.js:1:2)\n    at file:///else/c.js:3:4\n";
        let shown = "Error: at file:///x\n    at f (/else/a b.js:1:2)\n    at /else/c.js:3:4\n";
        assert_eq!(with_short_places(stack), shown);
    }
}
