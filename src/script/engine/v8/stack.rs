//! The stacks of errors, without the frames of the host's own JavaScript, which is not code of the handlers' authors.

use deno_core::error::prepare_stack_trace_callback;
use deno_core::v8;

/// The `stack` of an error, made when it is first read.
pub(super) fn of_handlers<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    error: v8::Local<'s, v8::Value>,
    frames: v8::Local<'s, v8::Array>,
) -> v8::Local<'s, v8::Value> {
    let mut shown = Vec::new();
    for index in 0..frames.length() {
        let Some(frame) = frames.get_index(scope, index) else { continue };
        if !is_of_host(scope, frame) {
            shown.push(frame);
        }
    }
    // An error with frames of the host alone keeps all of them.
    let frames = if shown.is_empty() { frames } else { v8::Array::new_with_elements(scope, &shown) };
    prepare_stack_trace_callback(scope, error, frames)
}

fn is_of_host<'s>(scope: &mut v8::PinScope<'s, '_>, frame: v8::Local<'s, v8::Value>) -> bool {
    let Ok(frame) = v8::Local::<v8::Object>::try_from(frame) else { return false };
    let file = v8::String::new(scope, "getFileName")
        .and_then(|name| frame.get(scope, name.into()))
        .and_then(|method| v8::Local::<v8::Function>::try_from(method).ok())
        .and_then(|method| method.call(scope, frame.into(), &[]));
    file.filter(|file| file.is_string()).is_some_and(|file| {
        let file = file.to_rust_string_lossy(scope);
        ["ext:", "liveline:"].iter().any(|scheme| file.starts_with(scheme))
    })
}
