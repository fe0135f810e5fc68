//! Compiles live functions to JavaScript: `live function`, `quantum function`, `"use live"`.
//!
//! | file | what it does |
//! |---|---|
//! | `keywords` | finds the keywords and puts spaces in their place, because no parser accepts them |
//! | `module` | compiles a module: the passes below, in their order |
//! | `live_functions` | finds the functions that keywords and directives mark |
//! | `bindings` | finds the variables that live code reads and that change: each needs a cell |
//! | `visitor` | walks over the module, and replaces expressions and functions |
//! | `expressions`, `writes` | what an expression becomes: reads and calls; assignments and deletions |
//! | `functions` | what the body of a function becomes |
//! | `statements` | the statements of live functions, each a closure that can run again |
//! | `patterns` | destructuring, split into declarations of one variable each |
//! | `compiler` | what those share: names, scopes with their cells, calls of the runtime |
//! | `build` | pieces of syntax tree |
//! | `function_id`, `error` | how passes identify a function; why a module cannot be compiled |
//!
//! The compiled code calls `runtime-js/live/live.js`. Variables stay variables. A variable that live code reads and
//! that changes has a cell beside it, which holds no value: it only notifies the effects that read the variable.

mod bindings;
mod build;
mod compiler;
mod error;
mod expressions;
mod function_id;
mod functions;
mod keywords;
mod live_functions;
mod module;
mod patterns;
mod statements;
mod visitor;
mod writes;

pub(crate) use self::keywords::{Found, blank, find};
pub(crate) use self::module::{Outcome, compile};
