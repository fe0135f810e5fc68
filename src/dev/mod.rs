//! What `liveline dev` shows to pages that are open: saves, errors, and the way to the editor.
//!
//! | type | what it is |
//! |---|---|
//! | [`Dev`] | what was saved and what failed, for pages that are open and for those that come |
//! | [`Saved`] | what of the site a save has changed |
//! | [`Socket`] | the WebSocket by which one page gets it |
//! | [`editor`] | opens a file of the project where the developer edits |
//! | [`inject`] | puts the script that listens into a page, and lets its policy allow that |
//!
//! **Invariant:** none of it exists in `serve`.

pub(crate) mod editor;
pub(crate) mod inject;
mod news;
mod socket;

pub(crate) use news::{Broken, Dev, Moment, News, Saved};
pub(crate) use socket::Socket;

/// Where the script of pages, its socket and the editor are.
pub(crate) const PATH: &str = "/.liveline/dev";

/// The script that pages run in `dev`, and only there.
pub(crate) const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/dev/page.js"));
