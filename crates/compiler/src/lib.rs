//! Source in, source out: TypeScript, JSX and live functions become JavaScript, and what the host has to know of a
//! module is read from its syntax tree. The only crate that names swc.
//!
//! | module | what it does |
//! |---|---|
//! | [`transpile`] | TypeScript, JSX and live functions to JavaScript with a source map |
//! | [`jsx`] | the calls that JSX elements become |
//! | `typescript` | imports and exports of CommonJS in TypeScript |
//! | `live` | live functions, which follow the values that they read |
//! | [`facts`] | the imports and exports of a module with their places, or its syntax error |
//! | [`node_half`] | whether a module uses Node's half of the host |
//! | [`classic`] | scripts that call functions which they do not import |
//! | [`shape`] | the shape of a module: its default export, its classes, the globals that it uses |
//! | [`parameters`] | what a handler's function can see of its arguments |
//! | [`require`] | `require()` in ES modules |
//! | [`rest`] | whether a handler asks for the rest of the path |
//! | [`first_await`] | where a module waits before it has loaded |
//! | [`builtin`] | the scripts of Deno's crates, as the executable embeds them |
//! | [`common_js`] | which files are CommonJS modules, and what they export |
//! | [`Diagnostic`] | an error with its place, source line, stack and help |

#![warn(clippy::missing_errors_doc)]

mod awaits;
pub mod builtin;
pub mod classic;
pub mod common_js;
mod diagnostic;
pub mod environment;
pub mod facts;
pub mod jsx;
mod live;
pub mod node_half;
pub mod parameters;
pub mod require;
pub mod rest;
pub mod shape;
pub mod transpile;
mod typescript;

pub use awaits::first_await;
pub use diagnostic::{Cause, Diagnostic, ERROR_HEAD, Place, escaped, fit_excerpts, relative};

/// Where an offset in a text is: its line and column in characters, both from 1.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}
