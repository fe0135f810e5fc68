//! Actors of handlers: `liveline:actors`.
//!
//! | module | what it tests |
//! |---|---|
//! | `durability` | what was acknowledged survives the end of the process, full disks and damaged files |

#[cfg(unix)]
mod durability;
