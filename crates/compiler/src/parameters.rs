//! What a handler's function can see of its arguments, by its text, which is that of `Function.prototype.toString`.
//!
//! Most handlers take the event and nothing else. Their text shows that without being parsed.

use crate::rest;

/// What decides how the host calls a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Whether the handler uses the rest of the path (see [`rest::asks_for_rest`]).
    pub ask_for_rest: bool,
    /// Whether the handler can see only its first argument. In doubt it can see more.
    pub take_only_event: bool,
}

impl Parameters {
    /// Of the function with this text. `is_root` says that the handler stands at the root.
    pub fn of(source: &str, is_root: bool) -> Parameters {
        match event_alone(source) {
            Some(list) => {
                let takes_nothing = list.is_empty();
                Parameters { ask_for_rest: takes_nothing && !is_root, take_only_event: true }
            }
            None => Parameters { ask_for_rest: rest::asks_for_rest(source, is_root), take_only_event: false },
        }
    }
}

/// What reaches more than the parameters. `native code` stands in place of a text.
const MORE: [&str; 5] = ["arguments", "eval", "native code", "super", "this"];

/// The list of parameters, if it names at most one, without a default and without a rest, and the function has no other
/// way to its arguments.
fn event_alone(source: &str) -> Option<&str> {
    let list = list_of(source)?.trim();
    let inner = list.strip_suffix(',').map_or(list, str::trim_end);
    let is_one = match inner.strip_prefix('{') {
        // A pattern of names, without defaults and without patterns in it.
        Some(rest) => rest.strip_suffix('}').is_some_and(|names| names.chars().all(is_of_flat_pattern)),
        None => inner.chars().all(is_of_name),
    };
    // An escape may stand for a letter of a name.
    let sees_more = || source.contains(r"\u") || MORE.iter().any(|word| has_word(source, word));
    (is_one && !sees_more()).then_some(inner)
}

/// The text between the parentheses of a function's parameters, or before its arrow, where only keywords and the name of
/// the function come before that.
fn list_of(source: &str) -> Option<&str> {
    let is_of_head = |c: char| is_of_name(c) || c == '*' || c.is_whitespace();
    let (head, rest) = source.split_at(source.find(|c| !is_of_head(c))?);
    if has_word(head, "class") {
        return None;
    }
    match rest.strip_prefix('(') {
        Some(rest) => Some(rest.split_once(')')?.0),
        None if rest.starts_with("=>") => head.split_whitespace().next_back(),
        None => None,
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

fn is_of_flat_pattern(c: char) -> bool {
    is_of_name(c) || c.is_whitespace() || c == ':' || c == ','
}

/// Whether a text has a word, and not only as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let continues = |c: Option<char>| c.is_some_and(|c| is_of_name(c) && c != '$');
    text.match_indices(word).any(|(start, _)| {
        !continues(text[..start].chars().next_back()) && !continues(text[start + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_only_event(source: &str) -> bool {
        Parameters::of(source, true).take_only_event
    }

    #[test]
    fn a_handler_that_can_see_nothing_but_the_event() {
        for source in [
            "event => event",
            "async event=>event",
            "(event) => ({ next: event.next })",
            "async ( $event ) => 'interval'",
            "() => 1",
            "GET(event) { return event; }",
            "async POST({ request, url: address }) { return [request, address]; }",
            "PUT() {}",
            "function remove(event) { return event; }",
            "async *stream(event) { yield event; }",
            "async function* (event,) { yield event; }",
            "(event\n) => argumentsOf(event)",
        ] {
            assert!(takes_only_event(source), "{source}");
        }
    }

    #[test]
    fn a_handler_that_can_see_more() {
        for source in [
            "(event, next) => next",
            "(event, next = null) => next",
            "(...all) => all",
            "(event, ...more) => more",
            "([first]) => first",
            "(event = 1) => event",
            "({ url = '/' }) => url",
            "({ user: { name } }) => name",
            "({ [name]: value }) => value",
            "function () { return arguments[1]; }",
            "function () { return this; }",
            "({ GET() { return super.GET(); } }).GET",
            "() => eval('1')",
            "function max() { [native code] }",
            "(event /* and */, next) => next",
            r"function () { return argument\u0073[1]; }",
            "class { constructor(event) { return event; } }",
            "class A extends made(event) { }",
            "async *[Symbol.iterator](event) { yield 1; }",
            "event",
            "",
        ] {
            assert!(!takes_only_event(source), "{source}");
        }
    }

    #[test]
    fn both_ways_find_the_same() {
        for source in [
            "() => 1",
            "event => event.next.stepname",
            "async function GET(event) { return 'next.stepname'; } ",
            "GET({ next }) { return next; }",
            "function (event,) { return 1; }",
        ] {
            for is_root in [true, false] {
                let found = Parameters::of(source, is_root);
                assert!(found.take_only_event, "{source}");
                assert_eq!(found.ask_for_rest, rest::asks_for_rest(source, is_root), "{source} {is_root}");
            }
        }
    }
}
