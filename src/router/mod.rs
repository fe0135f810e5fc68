//! Which handlers run for a path: the table of routes, shared by all dialects.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`Layout`] | the folders of routes and of static files | `layout.rs` |
//! | [`Scan`] | the routes folder as found on the disk, to which dialects add handlers | `scan.rs` |
//! | [`Routes`] | the table: a tree of all handlers and pages; [`Routes::resolve`] finds the node of a path | `tree.rs` |
//! | [`Handler`], [`Node`], [`Step`] | a handler's file; a node of the tree; a handler on the way to a node | `tree.rs` |
//! | [`Page`] | the HTML that browsers are shown at a route | `page.rs`, `document.rs`, `views.rs` |
//! | [`PublicFiles`] | the static files, which answer after the last step | `files.rs`, `open.rs` |
//! | [`Reroute`] | the path of `next(url)`, and the handlers that do not run again | `reroute.rs` |
//!
//! Only `scan.rs` reads the disk for routes, and `views.rs` for parts of pages. Only `path.rs` splits paths into segments.
//! The folder is scanned once per generation of the code; a change makes a new [`Routes`], which is never edited.
//!
//! A folder is one URL segment and the folder `-` is any one segment. The handler of the root runs first, for every path;
//! each handler below it runs when the one above calls `next()`. Nothing here opens a handler's file: which files are
//! handlers is decided in [`dialect`](crate::dialect). A page is parsed when it is first requested.

mod document;
mod files;
mod layout;
mod open;
mod page;
mod path;
mod private_files;
mod reroute;
mod scan;
mod tree;
mod views;

pub(crate) use files::{FileRules, PublicFiles};
pub(crate) use layout::{Layout, LayoutError};
pub(crate) use page::Page;
pub(crate) use path::segments;
pub(crate) use private_files::PrivateFiles;
pub(crate) use reroute::reroute;
pub(crate) use scan::{DOCUMENT, DetectedHandler, ERROR_PAGE, PAGES, RouteFolder, Scan, ScanError};
pub(crate) use tree::{Handler, Layer, Node, NodeId, PageId, Part, Routes, Step};
