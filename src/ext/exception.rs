//! Converts errors that JavaScript threw to diagnostics.

use std::path::PathBuf;

use deno_core::error::JsError;
use deno_core::{ModuleSpecifier, v8};
use liveline_compiler::{Cause, Diagnostic, Place};

/// Maximum number of causes in a diagnostic.
const CAUSES: usize = 8;

/// The diagnostic of a thrown value. Positions are those of the sources, not of transpiled code.
pub(crate) fn from_exception<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    exception: v8::Local<'s, v8::Value>,
) -> Diagnostic {
    from_js_error(&JsError::from_v8_exception(scope, exception))
}

/// The diagnostic of an error that JavaScript did not catch.
pub(crate) fn from_js_error(error: &JsError) -> Diagnostic {
    let message = message_of(error);
    let mut frames = frames_of(error);
    let place = place_of(error, &mut frames);
    let stack = frames.iter().map(|(function, place)| {
        let function = function.as_deref().unwrap_or("<anonymous>");
        format!("at {function} ({place})")
    });
    let help = help_for(&message).map(String::into_boxed_str);
    Diagnostic { message, place, help, stack: stack.collect(), causes: causes_of(error).into() }
}

/// Help for errors of code that was written for another host.
fn help_for(message: &str) -> Option<String> {
    let name = message.strip_prefix("ReferenceError: ")?.strip_suffix(" is not defined")?;
    let help = match name {
        "module" | "exports" => "handlers are ES modules: write `export default (event) => ...`",
        "require" => "handlers are ES modules: write `import name from \"...\"`",
        "__dirname" | "__filename" => {
            "handlers are ES modules: `import.meta.dirname`, `import.meta.filename`"
        }
        "process" | "Buffer" | "global" | "setImmediate" => "this is Node's; handlers have the web's APIs",
        "window" | "document" | "localStorage" | "navigator" | "location" => {
            "this is of pages; a handler for pages is called handler.client.js"
        }
        "Deno" | "Bun" => "this is of another host; handlers have the web's APIs",
        _ => return None,
    };
    Some(help.to_owned())
}

fn message_of(error: &JsError) -> String {
    let message = error.exception_message.strip_prefix("Uncaught ").unwrap_or(&error.exception_message);
    message.strip_prefix("(in promise) ").unwrap_or(message).to_owned()
}

type Frames = Vec<(Option<String>, Place)>;

/// The place to show, which is removed from the frames: the innermost in the project's own files, or else, if a package
/// has added such a place to the text of the stack, that one.
fn place_of(error: &JsError, frames: &mut Frames) -> Option<Place> {
    let own = frames.iter().position(|(_, place)| !place.is_in_package());
    if own.is_none() && !frames.is_empty() {
        let mut lines = error.stack.as_deref().unwrap_or_default().lines();
        let written = lines.find_map(|line| written_place(line).filter(|place| !place.is_in_package()));
        if written.is_some() {
            return written;
        }
    }
    (!frames.is_empty()).then(|| frames.remove(own.unwrap_or(0)).1)
}

/// The place in a line of a stack's text, such as `at name (file:///a/b.js:1:2)`.
fn written_place(line: &str) -> Option<Place> {
    let place = line.trim_start().strip_prefix("at ")?.trim_end_matches(')');
    let place = place.rsplit(['(', ' ']).next()?;
    let mut parts = place.rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Place { file: file_of(parts.next()?)?, line, column })
}

/// The frames of user code; frames of the host's own JavaScript do not help the reader.
fn frames_of(error: &JsError) -> Frames {
    let frames = error.frames.iter().filter_map(|frame| {
        let name = frame.file_name.as_deref()?;
        if name.starts_with("ext:") || name.starts_with("liveline:") {
            return None;
        }
        let file = file_of(name)?;
        let line = usize::try_from(frame.line_number?).ok()?;
        let column = usize::try_from(frame.column_number.unwrap_or(1)).ok()?;
        Some((frame.function_name.clone(), Place { file, line, column }))
    });
    frames.collect()
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
