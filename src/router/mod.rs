//! Which handlers are asked for a path: the routes folder as an immutable tree.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`Layout`] | which folder holds the routes, and which the static files | `layout.rs` |
//! | [`Routes`] | every handler and every place in the tree; answers [`Routes::resolve`] | `tree.rs` |
//! | [`Handler`], [`Node`], [`Step`] | a file; where a path can end; a handler asked on the way | `tree.rs` |
//! | [`Page`] | the HTML that browsers are shown at a route | `page.rs`, `document.rs`, `views.rs` |
//! | [`PublicFiles`] | what stands past the last step: `public/` | `files.rs`, `open.rs` |
//! | [`Reroute`] | where `next(url)` goes, and which handlers it does not ask again | `reroute.rs` |
//!
//! `scan.rs` is the only file here that walks the disk for routes, `views.rs` for parts of pages; `path.rs` is the only one that knows how a
//! path falls into segments. The host scans once per generation of the code and then resolves each
//! request; a change on disk makes a new [`Routes`], never edits one.
//!
//! A folder is one URL segment and the folder `-` is any one segment. The root handler is asked
//! first, for every path; each handler below it is asked when the one above delegates. Methods,
//! static files and JavaScript are other modules' business: nothing here opens a handler's file. A page is
//! parsed when a browser first asks for it.

mod document;
mod files;
mod layout;
mod open;
mod page;
mod path;
mod reroute;
mod scan;
mod tree;
mod universal;
mod views;

pub(crate) use files::{FileRules, PublicFiles};
pub(crate) use layout::{Layout, LayoutError};
pub(crate) use page::Page;
pub(crate) use path::segments;
pub(crate) use reroute::reroute;
pub(crate) use scan::{DOCUMENT, ERROR_PAGE, PAGES, ScanError, is_server_handler};
pub(crate) use tree::{Handler, Layer, Node, NodeId, PageId, Routes, Step};
