//! The debugger: an address at which Chrome DevTools and editors attach to isolates, with the protocol of V8's
//! inspector.
//!
//! | file | what it is |
//! |---|---|
//! | `debug_time.rs` | when a debugger was attached to an isolate, for the limits of time that do not count then |
//! | `debuggee.rs` | V8's inspector of an isolate |
//! | `inbox.rs` | what debuggers send, on its way to the isolate's thread |
//! | `target.rs` | an isolate that a debugger can attach to |
//! | `list.rs` | [`Inspector`]: the targets of the process |
//! | `server.rs` | answers with the list of targets, and accepts debuggers over WebSocket |
//! | `session.rs` | one debugger: passes messages between its socket and the isolate |
//! | `absent.rs` | [`Inspector`] in a build with QuickJS, which has no debugger |

#[cfg(not(feature = "node"))]
mod absent;
mod debug_time;
#[cfg(feature = "node")]
mod debuggee;
#[cfg(feature = "node")]
mod inbox;
#[cfg(feature = "node")]
mod list;
#[cfg(feature = "node")]
mod server;
#[cfg(feature = "node")]
mod session;
#[cfg(feature = "node")]
mod target;

use std::net::SocketAddr;

#[cfg(not(feature = "node"))]
pub(crate) use self::absent::Inspector;
#[cfg(not(feature = "node"))]
pub(super) use self::absent::Listed;
pub(super) use self::debug_time::DebugTime;
#[cfg(feature = "node")]
pub(crate) use self::list::Inspector;
#[cfg(feature = "node")]
pub(super) use self::list::Listed;

/// Where debuggers attach, and whether the first code waits for one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InspectorSettings {
    /// Port 0 picks a free one.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "the flag is an error there"))]
    pub address: SocketAddr,
    /// Whether the first code that loads waits for a debugger, and pauses in its first line.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "the flag is an error there"))]
    pub waits: bool,
}
