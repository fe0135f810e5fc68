//! What browsers get: `/app.js`, the service worker's script, and the modules of client handlers.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`BrowserFiles`] | all files that browsers get of one generation of the code | `files.rs` |
//! | [`Asset`](asset::Asset) | one text with its type and tag, compressed on demand | `asset.rs` |
//! | [`Toolchain`] | the host's JavaScript tools, as this folder uses them | `toolchain.rs` |
//!
//! `origins.rs` maps a place in a script to the place in its source file.
//! `bundles/` holds the scripts that `cargo xtask bundle` makes of `runtime-js/`, and `bundles.rs` embeds them in
//! the binary. `modules.rs` decides which files of the routes folder are served, and resolves their imports.
//!
//! **Invariant:** of the routes folder, browsers can read the handlers of the client and worker layers and what those
//! import, and nothing else.

mod asset;
mod bundles;
mod files;
mod modules;
mod origins;
mod toolchain;

pub(crate) use files::BrowserFiles;
pub(crate) use origins::{Origin, origin_in};
pub(crate) use toolchain::{Compiled, Target, Toolchain};
