//! What browsers get: `/app.js`, the service worker's script, and the modules of client handlers.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`BrowserFiles`] | everything that one generation of the code gives to browsers | `files.rs` |
//! | [`Asset`](asset::Asset) | one text with its type and tag, compressed on demand | `asset.rs` |
//! | [`Toolchain`] | what is needed of the host's JavaScript tools | `toolchain.rs` |
//!
//! `origins.rs` leads from a place in what browsers run back to the file that somebody wrote.
//! `bundles/` holds the scripts that `cargo xtask bundle` makes of `runtime-js/`, and `bundles.rs` puts them into the
//! binary. `modules.rs` finds out which files of the routes folder are served, and what becomes of their imports.
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
