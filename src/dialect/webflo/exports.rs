//! Which exports of a handler answer requests, and which were probably meant to.

use std::collections::BTreeSet;

use crate::dialect::{Exports, HandlerFacts, nearest_within};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::{Facts, Kind};
use liveline_compiler::line_and_column;

/// The methods that an export of their name answers, as in `runtime-js/dispatch/steps.js`.
const METHODS: [&str; 8] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"];

/// The export that answers every other method.
const DEFAULT: &str = "default";

/// The export of an application of Node's `(req, res)` kind, which answers like the default one.
const NODE_HANDLER: &str = "nodeHandler";

/// Names of methods in other frameworks, with the export that is meant, and methods of HTTP that no export answers.
const OTHERS: [(&str, Option<&str>); 9] = [
    ("ALL", Some("default")),
    ("ANY", Some("default")),
    ("CONNECT", None),
    ("DEL", Some("DELETE")),
    ("FETCH", Some("default")),
    ("PROPFIND", None),
    ("REMOVE", Some("DELETE")),
    ("TRACE", None),
    ("UPDATE", Some("PUT")),
];

/// The exports that answer: methods in order, then `*` for the default export.
pub(super) fn answering(exports: &Exports) -> Vec<&'static str> {
    let methods = METHODS.into_iter().filter(|name| exports.is_function(name));
    let any = exports.is_function(DEFAULT) || exports.is_function(NODE_HANDLER);
    methods.chain(any.then_some("*")).collect()
}

/// What is wrong with the exports of a handler. That no export answers is reported of handlers that load.
pub(super) fn misnamed(&HandlerFacts { file, exports, facts, loads }: &HandlerFacts<'_>) -> Vec<Diagnostic> {
    let place = |name: &str, message: String| match facts {
        Some((facts, source)) => {
            let offset = facts
                .exports
                .get(name)
                .map(|export| export.at)
                .or_else(|| facts.functions.get(name).copied());
            let (line, column) = line_and_column(source, offset.unwrap_or_default());
            Diagnostic::at(message, file, line, column)
        }
        None => Diagnostic::at(message, file, 1, 1),
    };
    let is_class = |name: &str| {
        facts.is_some_and(|(facts, _)| {
            facts.exports.get(name).is_some_and(|export| export.kind == Kind::Class)
        })
    };
    let mut found = Vec::new();
    for (name, is_function) in exports.functions() {
        let shown = if name == DEFAULT { "the default export".to_owned() } else { format!("`{name}`") };
        if name == NODE_HANDLER {
            if !is_function {
                let help = "with Koa: export const nodeHandler = app.callback()".to_owned();
                let problem = place(name, format!("{shown} cannot answer requests: it is no function"));
                found.push(problem.with_help(Some(help)));
            }
        } else if name == DEFAULT || METHODS.contains(&name) {
            let what = match (is_class(name), is_function) {
                (true, _) => "a class",
                (false, false) => "no function",
                (false, true) => continue,
            };
            let help = "a handler is a function: export default (event, next) => ...".to_owned();
            let problem = place(name, format!("{shown} cannot answer requests: it is {what}"));
            found.push(problem.with_help(Some(help)));
        } else if is_function && let Some(meant) = meant(name, exports) {
            found.push(
                place(name, format!("`{name}` answers no requests: {}", meant.0)).with_help(Some(meant.1)),
            );
        }
    }
    if loads && found.is_empty() && answering(exports).is_empty() {
        found.push(silent(exports, facts, place));
    }
    found
}

/// What an export with another name was probably meant to be: why it is not, and what to do.
fn meant(name: &str, exports: &Exports) -> Option<(String, String)> {
    let is_free = |meant: &&str| !exports.has(meant);
    let rename = |meant: &str| match meant {
        DEFAULT => {
            "did you mean `export default`? It answers every method without an export of its own".to_owned()
        }
        meant => format!("did you mean `{meant}`?"),
    };
    let known = || METHODS.into_iter().chain([DEFAULT]).filter(is_free);
    if let Some(meant) = known().find(|meant| meant.eq_ignore_ascii_case(name)) {
        let why = match meant {
            DEFAULT => "the default export is called `default`",
            _ => "methods are written in capitals",
        };
        return Some((why.to_owned(), rename(meant)));
    }
    let is_loud = name.chars().next().is_some_and(char::is_uppercase);
    let is_capital = !name.chars().any(char::is_lowercase);
    if let Some((_, instead)) = OTHERS.iter().find(|(other, _)| *other == name) {
        let help = instead
            .filter(is_free)
            .map_or_else(|| format!("handlers can export {} and default", METHODS.join(", ")), rename);
        return Some(("it is no method that a handler can export".to_owned(), help));
    }
    // A helper may be called `set` or `match`, but hardly `GETT`.
    let steps = match (is_loud, name.len()) {
        (true, ..=3) if is_capital => 1,
        (true, ..=3) => return None,
        (true, 4..) if is_capital => 2,
        (true, _) => 1,
        (false, ..=4) => {
            return transposed(name, known()).map(|meant| ("it is no method".to_owned(), rename(meant)));
        }
        (false, 5) => 1,
        (false, _) => 2,
    };
    let meant = nearest_within(name, known(), steps)?;
    let lower = meant.to_lowercase();
    // `posts`, `deleted` and `watch` are words of their own.
    let is_word = name.starts_with(&lower)
        || name == "option"
        || (name.len() == 5 && lower.len() == 5 && transposed(name, [meant].into_iter()).is_none());
    (is_loud || !is_word).then(|| ("it is no method".to_owned(), rename(meant)))
}

/// A name whose letters are those of a method in another order: `psot`.
fn transposed<'a>(name: &str, mut known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let sorted = |name: &str| {
        let mut letters: Vec<_> = name.to_ascii_uppercase().into_bytes();
        letters.sort_unstable();
        letters
    };
    known.find(|meant| {
        sorted(meant) == sorted(name) && strsim::osa_distance(&meant.to_lowercase(), &name.to_lowercase()) == 1
            // This is a word.
            && name != "pots"
    })
}

/// The problem of a handler without any export that answers.
fn silent(
    exports: &Exports,
    facts: Option<&(Facts, String)>,
    place: impl Fn(&str, String) -> Diagnostic,
) -> Diagnostic {
    const HOW: &str =
        "write `export default (event) => ...`, or a function for a method such as `export function GET`";
    let source = facts.map_or("", |(_, source)| source);
    if facts.is_some() && source.trim().is_empty() {
        return place("", "this handler answers no requests: the file is empty".to_owned())
            .with_help(Some(HOW.to_owned()));
    }
    let declared = facts.iter().flat_map(|(facts, _)| facts.functions.keys());
    let names: BTreeSet<_> = declared.map(String::as_str).collect();
    let unexported = names.iter().find(|name| METHODS.iter().any(|method| method.eq_ignore_ascii_case(name)));
    if let Some(name) = unexported {
        let method = name.to_ascii_uppercase();
        let help = format!("write `export` before it: `export function {method}`");
        return place(name, format!("this handler answers no requests: `{name}` is not exported"))
            .with_help(Some(help));
    }
    let others: Vec<_> = exports.functions().take(5).map(|(name, _)| format!("`{name}`")).collect();
    let message = match others.is_empty() {
        true => "this handler answers no requests: it exports nothing".to_owned(),
        false => format!("this handler answers no requests: it exports only {}", others.join(", ")),
    };
    place("", message).with_help(Some(HOW.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Export;
    use std::path::Path;

    fn problems(names: &[(&str, bool)]) -> Vec<String> {
        let export = |is_function| if is_function { Export::Function } else { Export::Other };
        let exports = names.iter().map(|&(name, is_function)| (name.to_owned(), export(is_function)));
        let (file, exports) = (Path::new("/handler.js"), exports.collect());
        let found = misnamed(&HandlerFacts { file, exports: &exports, facts: None, loads: true });
        found
            .into_iter()
            .map(|it| format!("{} ({})", it.message, it.help.as_deref().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn misnamed_finds_methods_that_are_meant() {
        for (name, meant) in [
            ("Get", "GET"),
            ("get", "GET"),
            ("GETT", "GET"),
            ("post", "POST"),
            ("PSOT", "POST"),
            ("psot", "POST"),
            ("Delete", "DELETE"),
            ("DEL", "DELETE"),
            ("delte", "DELETE"),
            ("DELETED", "DELETE"),
            ("Ptach", "PATCH"),
            ("UPDATE", "PUT"),
            ("defualt", "export default"),
            ("Default", "export default"),
            ("defult", "export default"),
        ] {
            let found = problems(&[(name, true), ("PUTS", false)]);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].contains(&format!("did you mean `{meant}`")), "{name}: {found:?}");
        }
    }

    #[test]
    fn misnamed_leaves_helpers_alone() {
        for name in [
            "set", "got", "match", "watch", "posts", "heads", "header", "patches", "deleted", "head_of",
            "load", "Page", "getUser", "option", "config", "Set", "csrf",
        ] {
            assert_eq!(problems(&[(name, true), ("default", true)]), [""; 0], "{name}");
        }
        assert_eq!(problems(&[("get", true), ("GET", true)]), [""; 0]);
        assert_eq!(problems(&[("nodeHandler", true)]), [""; 0]);
        assert_eq!(problems(&[("Defaults", false), ("GET", true)]), [""; 0]);
    }

    #[test]
    fn misnamed_tells_of_handlers_that_cannot_answer() {
        for (exports, word) in [
            (&[][..], "exports nothing"),
            (&[("helper", true), ("x", false)], "only `helper`, `x`"),
            (&[("default", false)], "it is no function"),
            (&[("GET", false), ("POST", true)], "`GET` cannot answer"),
            (&[("nodeHandler", false)], "`nodeHandler` cannot answer"),
        ] {
            let found = problems(exports);
            assert!(found.len() == 1 && found[0].contains(word), "{exports:?}: {found:?}");
        }
    }
}
