//! Reads handlers while the isolates that are to load them start.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::half::Half;
use super::loader::Loader;
use super::sources::Sources;
use crate::dialect::Settings;
use crate::ext::Access;
use crate::router::{Layer, Routes};

/// Reads and translates the handlers of the server's layer into `sources`, where isolates find them. Goes from the last
/// handler to the first, because isolates load them from the first to the last: so both meet, and few files are read
/// twice. Files that handlers import are left to the isolates, and so is every error, which they report.
///
/// Returns the files with settings that decided how the handlers are translated; some may not be there.
pub(crate) fn read_ahead(
    access: &Access,
    routes: &Routes,
    settings: &Arc<Settings>,
    sources: &Arc<Sources>,
) -> HashSet<PathBuf> {
    let loader = Loader::of(access, Half::next());
    loader.adopt(settings.clone());
    loader.load_from(sources.clone());
    for handler in routes.handlers().iter().rev().filter(|handler| handler.layer == Layer::Server) {
        loader.read_ahead(&handler.path);
    }
    loader.files()
}
