//! Compiles live functions to JavaScript: `live function`, `quantum function`, `"use live"`.
//!
//! | file | what it does |
//! |---|---|
//! | `keywords` | finds the keywords and takes them out, since no parser knows them |
//! | `claims` | which functions are live |
//! | `bindings` | which variables are read live and change, so that each needs a cell |
//! | `compile` | a module from beginning to end |
//! | `compiler` | expressions and functions: writes tell, and in live code reads are tracked |
//! | `statements` | the statements of live functions, each a closure that can run again |
//! | `patterns` | destructuring, taken apart into declarations of one variable each |
//! | `build` | pieces of syntax tree |
//!
//! What the compiled code calls is `runtime-js/live/live.js`. Variables stay variables: beside one that live code reads
//! and something changes there is a cell, which only says that it changed.

mod bindings;
mod build;
mod claims;
mod compile;
mod compiler;
mod keywords;
mod patterns;
mod statements;

pub(crate) use self::compile::{Outcome, compile};
pub(crate) use self::keywords::blank;
pub(crate) use self::keywords::{Found, find};
