//! The differences between the two JavaScript engines. Both modules have the same functions and types, so that no other
//! file of `script/` depends on which engine is built.
//!
//! | name | what it is |
//! |---|---|
//! | `NAME` | the engine's name in metrics |
//! | `set_flags`, `start` | set-up once per process |
//! | `params`, `prepare`, `follow_memory` | set-up once per isolate |
//! | `Terminator` | finds out from any thread which exchange runs, and terminates it |
//! | `Microtasks` | microtasks of other exchanges, kept over a termination |

#[cfg(not(feature = "v8"))]
mod quickjs;
#[cfg(feature = "v8")]
mod v8;

#[cfg(not(feature = "v8"))]
pub(super) use quickjs::*;
#[cfg(feature = "v8")]
pub(super) use v8::*;
