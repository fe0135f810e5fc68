//! Parsers for request bodies with forms, within limits. Half of `runtime-js/form/form_data.js`.

use deno_core::{OpState, op2, url, v8};

use super::OpError;
use super::exchange::ExchangeState;
use liveline_proto::multipart::{self, FormError};

/// Parses a `multipart/form-data` body. Returns for each part: its name, its text or null, the filename or
/// null, the media type of the file, and the byte offsets in the body at which the file begins and ends.
#[op2]
pub(crate) fn op_form_multipart<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[buffer] body: &[u8],
    #[string] boundary: &str,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let most = state.exchanges().host.bodies.form_parts;
    let parts = multipart::parse(body, boundary.as_bytes(), most)?;
    let mut flat = Vec::with_capacity(6 * parts.len());
    for part in parts {
        flat.push(text(scope, &part.name)?);
        let null = v8::null(scope).into();
        match part.file {
            None => {
                let value = text(scope, &String::from_utf8_lossy(&body[part.value]))?;
                flat.extend([value, null, null, null, null]);
            }
            Some(file) => {
                let [name, media_type] = [text(scope, &file.name)?, text(scope, &file.media_type)?];
                let [start, end] =
                    [part.value.start, part.value.end].map(|at| v8::Number::new(scope, at as f64).into());
                flat.extend([null, name, media_type, start, end]);
            }
        }
    }
    Ok(v8::Array::new_with_elements(scope, &flat).into())
}

/// Parses an `application/x-www-form-urlencoded` body. Returns name, value, name, value.
#[op2]
pub(crate) fn op_form_urlencoded<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[buffer] body: &[u8],
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let most = state.exchanges().host.bodies.form_parts;
    let mut flat = Vec::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if flat.len() == 2 * most {
            return Err(FormError::Parts(most).into());
        }
        flat.extend([text(scope, &name)?, text(scope, &value)?]);
    }
    Ok(v8::Array::new_with_elements(scope, &flat).into())
}

/// The body of the request was received, but is malformed or beyond a limit, which is the client's fault.
/// `text` is the answer that the client receives if the handler sends none.
#[op2(fast)]
pub(crate) fn op_request_ill_body(state: &mut OpState, id: f64, is_too_large: bool, #[string] text: &str) {
    state.exchange(id).ill_body(is_too_large, text);
}

fn text<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let text = v8::String::new(scope, text).ok_or(FormError::Malformed("a value is too long"))?;
    Ok(text.into())
}
