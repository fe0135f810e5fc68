//! What `liveline dev` adds to open pages: they reload after a save, show errors, and open files in the editor.
//!
//! | type | what it is |
//! |---|---|
//! | [`Dev`] | the errors and saves of the project, and the channel to open pages |
//! | [`Saved`] | the changes of one save |
//! | [`Socket`] | the WebSocket of one page |
//! | [`editor`] | opens a file of the project in the developer's editor |
//! | [`inject`] | inserts the script into a page, and adapts the page's Content-Security-Policy |
//!
//! **Invariant:** `serve` uses none of this.

pub(crate) mod editor;
mod events;
pub(crate) mod inject;
mod socket;

pub(crate) use events::{Broken, Dev, Moment, PageEvents, Saved};
pub(crate) use socket::Socket;

/// The path of the script of pages, of its socket and of the editor.
pub(crate) const PATH: &str = "/.liveline/dev";

/// The script that pages run in `dev`.
pub(crate) const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/dev/page.js"));
