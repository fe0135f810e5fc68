//! What the tests have in common.
//!
//! | type | what it is |
//! |---|---|
//! | [`Site`] | a temporary folder of handlers, edited like a person edits files |
//! | [`Host`] | the running executable over a site: send requests, read its log, stop it |
//! | [`Answer`] | one HTTP answer |
//! | [`Line`] | the client's end of a live line |
//! | [`ResumingLine`] | the same of `liveline.v1`, which outlives its connections |
//! | [`FaultProxy`] | a network that loses connections and bytes |
//! | [`EventStream`] | a response of server-sent events |
//! | `terminal::Terminal` | a terminal that the executable runs at |
//! | [`Figures`] | the metrics of `/metrics` |
//!
//! Everything blocks: a test reads from top to bottom, and what must happen at once gets a thread.

mod deltas;
mod dice;
mod events;
mod fault_proxy;
mod figures;
mod handlers;
mod host;
mod http;
mod line;
mod log;
mod resuming_line;
mod session;
mod site;
#[cfg(unix)]
pub mod terminal;

use std::time::Duration;

pub use deltas::apply;
pub use dice::Dice;
pub use events::EventStream;
pub use fault_proxy::{Fault, FaultProxy};
pub use figures::Figures;
pub use handlers::{handler, observed, on_go};
pub use host::Host;
pub use http::{Answer, Request, read_to_close, read_until};
pub use line::{Dial, Event, Frame, Line};
pub use log::Log;
pub use resuming_line::{PROTOCOL, ResumingLine, Welcome};
pub use session::{Visitor, session_cookie};
pub use site::{Finished, Site, executable};

/// How long a test waits for anything before it fails and shows what it has received so far.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Whether lines are joined without a socket: `LIVELINE_TRANSPORT=events` runs every suite that way.
pub fn without_sockets() -> bool {
    std::env::var("LIVELINE_TRANSPORT").is_ok_and(|transport| transport == "events")
}

/// A host that serves one handler at the root: the shape most tests need.
pub fn serve(handler: &str) -> Host {
    Site::new().file("handler.js", handler).serve()
}
