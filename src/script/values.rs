//! Converts values between Rust and the isolate's JavaScript.

use deno_core::v8;
use hyper::Method;

use crate::dialect::{Export, Exports};
use crate::lines::LineEvent;
use liveline_proto::Event;
use liveline_proto::Frame;

/// The exports of an evaluated module.
pub(super) fn exports_of(scope: &mut v8::PinScope<'_, '_>, namespace: v8::Local<'_, v8::Object>) -> Exports {
    let Some(names) = namespace.get_own_property_names(scope, Default::default()) else {
        return Exports::default();
    };
    let exports = (0..names.length()).filter_map(|index| {
        let name = names.get_index(scope, index)?;
        let export = match namespace.get(scope, name) {
            Some(value) if value.is_function() => Export::Function,
            Some(value) if value.is_boolean() => Export::Boolean(value.is_true()),
            _ => Export::Other,
        };
        Some((name.to_rust_string_lossy(scope), export))
    });
    exports.collect()
}

/// What a handler's module exports: its namespace, or for a CommonJS module what that exports.
pub(super) fn handler_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    namespace: v8::Local<'s, v8::Object>,
) -> v8::Local<'s, v8::Object> {
    let name = string(scope, "module.exports");
    let whole = namespace.get(scope, name).filter(|whole| whole.is_object());
    match whole.and_then(|whole| whole.to_object(scope)) {
        None => namespace,
        Some(function) if function.is_function() => with_default(scope, namespace, function),
        Some(object) => object,
    }
}

/// A function that a CommonJS module exports, as the default export, and the names that the module's text shows.
fn with_default<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    namespace: v8::Local<'s, v8::Object>,
    function: v8::Local<'s, v8::Object>,
) -> v8::Local<'s, v8::Object> {
    let exports = v8::Object::new(scope);
    let names = namespace.get_own_property_names(scope, Default::default());
    for index in 0..names.map_or(0, |names| names.length()) {
        let Some(name) = names.and_then(|names| names.get_index(scope, index)) else { continue };
        let is_whole = name.to_rust_string_lossy(scope) == "module.exports";
        if let Some(value) = namespace.get(scope, name).filter(|_| !is_whole) {
            exports.set(scope, name, value);
        }
    }
    let name = string(scope, "default");
    exports.set(scope, name, function.into());
    exports
}

/// A string; null if it is longer than V8's strings can be.
pub(super) fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::Value> {
    // V8's limit is far above the limits of frames and paths.
    v8::String::new(scope, text).map_or_else(|| v8::null(scope).into(), Into::into)
}

/// The text of a JSON value; null for None.
pub(super) fn json_or_null<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    json: Option<&serde_json::value::RawValue>,
) -> v8::Local<'s, v8::Value> {
    match json {
        Some(json) => string(scope, json.get()),
        None => v8::null(scope).into(),
    }
}

/// A raw socket's message for `websocket/pair.js`. The payload of a ping or a pong stands in a list, behind whether it is
/// a pong.
pub(super) fn message<'s>(scope: &mut v8::PinScope<'s, '_>, event: &LineEvent) -> v8::Local<'s, v8::Value> {
    match &event.event {
        Event::Data { frame: Frame::Text(text), .. } => string(scope, text),
        Event::Data { frame: Frame::Binary(bytes), .. } => {
            let bytes = v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()).make_shared();
            v8::ArrayBuffer::with_backing_store(scope, &bytes).into()
        }
        Event::Data { frame: frame @ (Frame::Ping(bytes) | Frame::Pong(bytes)), .. } => {
            let is_pong = v8::Boolean::new(scope, matches!(frame, Frame::Pong(_))).into();
            let bytes = v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()).make_shared();
            let bytes = v8::ArrayBuffer::with_backing_store(scope, &bytes).into();
            v8::Array::new_with_elements(scope, &[is_pong, bytes]).into()
        }
        _ => v8::undefined(scope).into(),
    }
}

/// The name of a method, as an internalized string: V8 copies no name that it has already.
pub(super) fn method_name<'s>(scope: &mut v8::PinScope<'s, '_>, method: &Method) -> v8::Local<'s, v8::Value> {
    let name =
        v8::String::new_from_one_byte(scope, method.as_str().as_bytes(), v8::NewStringType::Internalized);
    name.map_or_else(|| v8::null(scope).into(), Into::into)
}
