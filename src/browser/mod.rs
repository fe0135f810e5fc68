//! The files that are served to browsers: `/app.js`, the service worker's script, and the modules of client handlers.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`BrowserFiles`] | the files of one generation of the code | `files.rs` |
//! | [`Asset`](asset::Asset) | one text with its type and tag, compressed on demand | `asset.rs` |
//!
//! `bundles/` holds the scripts that `cargo xtask bundle` makes of `runtime-js/`, and `bundles.rs` puts them into the
//! executable. `modules.rs` finds and compiles the files of the routes folder that are served; `resolver.rs` resolves
//! their imports, and `data.rs` makes scripts of texts, bytes and WebAssembly. `origins.rs` maps a place in a script of
//! a browser back to the author's file.
//!
//! **Invariant:** of the routes folder, browsers can read the handlers of the client and worker layers and what those
//! import, and nothing else.

mod asset;
mod bundles;
mod data;
mod files;
mod modules;
mod origins;
mod resolver;

pub(crate) use files::BrowserFiles;
pub(crate) use origins::{Origin, origin_in};
