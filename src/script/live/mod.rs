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

#[cfg(feature = "ts")]
mod bindings;
#[cfg(feature = "ts")]
mod build;
#[cfg(feature = "ts")]
mod claims;
#[cfg(feature = "ts")]
mod compile;
#[cfg(feature = "ts")]
mod compiler;
mod keywords;
#[cfg(feature = "ts")]
mod patterns;
#[cfg(feature = "ts")]
mod statements;

#[cfg(feature = "ts")]
pub use self::compile::{Outcome, compile};
#[cfg(feature = "ts")]
pub use self::keywords::blank;
pub use self::keywords::{Found, find};
