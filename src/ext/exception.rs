//! Converts errors that JavaScript threw to diagnostics.

use std::path::{Path, PathBuf};

use deno_core::error::{JsError, JsStackFrame};
use deno_core::{ModuleSpecifier, v8};
use liveline_compiler::{Cause, Diagnostic, Place};

use super::packages;

/// Maximum number of causes in a diagnostic.
const CAUSES: usize = 8;

/// The diagnostic of a thrown value. Positions are those of the sources, not of transpiled code.
pub(crate) fn from_exception<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    exception: v8::Local<'s, v8::Value>,
) -> Diagnostic {
    let diagnostic = from_js_error(&JsError::from_v8_exception(scope, exception));
    match no_error(scope, exception) {
        Some((message, help)) => Diagnostic { message, ..diagnostic }.with_help(Some(help)),
        None => diagnostic,
    }
}

/// What a thrown value says that is no error, and what to throw instead.
fn no_error<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    thrown: v8::Local<'s, v8::Value>,
) -> Option<(String, String)> {
    const HELP: &str = "throw an Error, which has a place and a stack: throw new Error(\"...\")";
    if thrown.is_native_error() {
        return None;
    }
    let Ok(object) = v8::Local::<v8::Object>::try_from(thrown) else {
        let text =
            if thrown.is_symbol() { "a symbol".to_owned() } else { thrown.to_rust_string_lossy(scope) };
        return Some((text, HELP.to_owned()));
    };
    let class = object.get_constructor_name().to_rust_string_lossy(scope);
    let text = |scope: &mut v8::PinScope<'s, 'i>, name: &str| {
        let name = v8::String::new(scope, name)?;
        let value = object.get(scope, name.into()).filter(|value| value.is_string())?;
        Some(value.to_rust_string_lossy(scope))
    };
    if class == "Response" {
        let help = "a Response is returned, and not thrown: return new Response(...)";
        return Some(("a Response was thrown".to_owned(), help.to_owned()));
    }
    // Errors of classes that do not extend Error have a stack of their own.
    if text(scope, "stack").is_some() {
        return None;
    }
    let message = text(scope, "message").map_or_else(String::new, |message| format!(": {message}"));
    Some((format!("an object of the class {class} was thrown{message}"), HELP.to_owned()))
}

/// The diagnostic of an error that JavaScript did not catch.
pub(crate) fn from_js_error(error: &JsError) -> Diagnostic {
    let (message, inner) = without_stack(message_of(error));
    let mut frames: Frames = inner.into_iter().chain(frames_of(error)).collect();
    let files = frames.iter().map(|(_, place)| place.file.as_path());
    let help = help_for(&message).or_else(|| help_for_package(&message, files)).map(String::into_boxed_str);
    let place = place_of(error, &mut frames);
    let stack = frames.iter().map(|(function, place)| {
        let function = function.as_deref().unwrap_or("<anonymous>");
        format!("at {function} ({place})")
    });
    // The frames name the files that Node lists below the message.
    let message = match message.split_once("\nRequire stack:") {
        Some((first, _)) => first.to_owned(),
        None => message,
    };
    Diagnostic { message, place, help, stack: stack.collect(), causes: causes_of(error).into() }
}

/// Help for errors of code that was written for another host, and for an `await` where there can be none.
fn help_for(message: &str) -> Option<String> {
    if message == "SyntaxError: Unexpected reserved word" {
        return Some("`await` is for functions that are async: write `async` before the function".to_owned());
    }
    let name = message.strip_prefix("ReferenceError: ")?.strip_suffix(" is not defined")?;
    let help = match name {
        "module" | "exports" => {
            "this file is an ES module: write `export default (event) => ...`, or name a CommonJS file `.cjs`"
        }
        "require" => {
            "this file is an ES module: write `import name from \"...\"`, or name a CommonJS file `.cjs`"
        }
        "__dirname" | "__filename" => {
            "this file is an ES module: write `import.meta.dirname` and `import.meta.filename`"
        }
        "process" | "Buffer" | "global" | "setImmediate" if !cfg!(feature = "node") => {
            "this is Node's, which builds with QuickJS do not have; handlers have the web's APIs"
        }
        "window" | "document" | "localStorage" | "navigator" | "location" => {
            "this is of pages; a handler for pages is called handler.client.js"
        }
        "Deno" | "Bun" => "this is of another host; handlers have the web's APIs",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Help for errors of `require()`, which was called in the first of these files.
fn help_for_package<'f>(message: &str, mut files: impl Iterator<Item = &'f Path> + Clone) -> Option<String> {
    let quoted = |before: &str, quote: char| {
        let (_, after) = message.split_once(before)?;
        after.split_once(quote).map(|(text, _)| text)
    };
    if let Some(help) = packages::addon_help(message, files.clone()) {
        return Some(help);
    }
    if let Some(specifier) = quoted("Cannot find module '", '\'') {
        let (reason, help) = packages::missing(specifier, files.next()?)?;
        return Some(help.unwrap_or(reason));
    }
    let manifest = Path::new(quoted("is not defined by \"exports\" in '", '\'')?);
    let folder = manifest.parent()?;
    Some(packages::listed(&packages::exports(folder, &packages::owner_of(folder)?)))
}

/// The name and the message of an error, with its code between them if the message does not name it:
/// `TypeError [ERR_INVALID_URL]: Invalid URL`.
fn message_of(error: &JsError) -> String {
    let message = error.exception_message.strip_prefix("Uncaught ").unwrap_or(&error.exception_message);
    let message = message.strip_prefix("(in promise) ").unwrap_or(message);
    // `installErrors` of `runtime-js/errors/errors.js` makes the engine read it.
    let code = error.additional_properties.iter().find(|(name, _)| name == "code").map(|(_, code)| code);
    let name = error.name.as_deref().unwrap_or_default();
    match (code, message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "))) {
        // The host's own refusals have the same code.
        (Some(code), Some(rest))
            if is_code(code) && !message.contains(code.as_str()) && name != "NotCapable" =>
        {
            format!("{name} [{code}]: {rest}")
        }
        _ => message.to_owned(),
    }
}

/// Whether an error's `code` is one of Node's kind, such as `ERR_INVALID_URL`.
fn is_code(code: &str) -> bool {
    code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

type Frames = Vec<(Option<String>, Place)>;

/// The message of an error in an ES module that a CommonJS one requires contains the error's stack: the message alone,
/// and the frames.
fn without_stack(message: String) -> (String, Frames) {
    let Some((first, stack)) = message.split_once("\n    at ") else { return (message, Vec::new()) };
    let frames = stack.split("\n    at ").filter_map(written_frame);
    // The class of the error stands twice.
    let once = first.split_once(": ").filter(|(class, rest)| rest.starts_with(&format!("{class}: ")));
    (once.map_or(first, |(_, rest)| rest).to_owned(), frames.collect())
}

/// The place to show, which is removed from the frames: the innermost in the project's own files, or else, if a package
/// has added such a place to the text of the stack, that one.
fn place_of(error: &JsError, frames: &mut Frames) -> Option<Place> {
    let own = frames.iter().position(|(_, place)| !place.is_in_package());
    if own.is_none() && !frames.is_empty() {
        let lines = error.stack.as_deref().unwrap_or_default().lines();
        let mut places =
            lines.filter_map(|line| Some(written_frame(line.trim_start().strip_prefix("at ")?)?.1));
        let written = places.find(|place| !place.is_in_package());
        if written.is_some() {
            return written;
        }
    }
    (!frames.is_empty()).then(|| frames.remove(own.unwrap_or(0)).1)
}

/// The function and the place of a frame in a stack's text, such as `name (file:///a/b.js:1:2)`.
fn written_frame(frame: &str) -> Option<(Option<String>, Place)> {
    let (function, place) = match frame.strip_suffix(')').and_then(|frame| frame.rsplit_once('(')) {
        Some((function, place)) => (Some(function.trim_end().to_owned()), place),
        None => (None, frame.rsplit(' ').next()?),
    };
    let mut parts = place.rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((function, Place { file: file_of(parts.next()?)?, line, column }))
}

/// The frames of user code; frames of the host's own JavaScript do not help the reader. An error whose stack was assigned,
/// such as one that an actor threw and its caller received, has those of the stack's text.
fn frames_of(error: &JsError) -> Frames {
    let text = error.stack.as_deref().filter(|_| error.stack_is_custom).unwrap_or_default();
    let lines = text.lines().filter_map(|line| written_frame(line.trim_start().strip_prefix("at ")?));
    let written: Frames = lines.collect();
    if !written.is_empty() {
        return written;
    }
    let frames = error.frames.iter();
    frames.filter_map(|frame| Some((frame.function_name.clone(), place_of_frame(frame)?))).collect()
}

/// The place of a frame in a file; `None` for the host's own JavaScript.
pub(crate) fn place_of_frame(frame: &JsStackFrame) -> Option<Place> {
    let file = file_of(frame.file_name.as_deref()?)?;
    let line = usize::try_from(frame.line_number?).ok()?;
    let column = usize::try_from(frame.column_number.unwrap_or(1)).ok()?;
    Some(Place { file, line, column })
}

/// The causes of an error, the nearest first.
fn causes_of(error: &JsError) -> Vec<Cause> {
    let (mut causes, mut waiting) = (Vec::new(), vec![error]);
    while let Some(error) = waiting.pop() {
        for below in error.aggregated.iter().flatten().chain(error.cause.as_deref()) {
            if causes.len() == CAUSES {
                return causes;
            }
            let place = place_of(below, &mut frames_of(below));
            causes.push(Cause { message: message_of(below), place });
            waiting.push(below);
        }
    }
    causes
}

fn file_of(name: &str) -> Option<PathBuf> {
    let url = ModuleSpecifier::parse(name).ok()?;
    url.to_file_path().ok()
}
