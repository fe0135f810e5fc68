//! The files of each route.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pool::Code;
use crate::dev::Saved;
use crate::router::{Layer, Routes};

/// The files of one generation by the routes that they belong to.
pub(crate) struct RouteFiles {
    routes: Arc<Routes>,
    /// The imports of each file, on the server and in browsers.
    server: HashMap<PathBuf, Vec<PathBuf>>,
    browser: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Default for RouteFiles {
    fn default() -> RouteFiles {
        let (server, browser) = Default::default();
        RouteFiles { routes: Arc::new(Routes::none()), server, browser }
    }
}

impl RouteFiles {
    pub(super) fn of(code: &Code, server: HashMap<PathBuf, Vec<PathBuf>>) -> RouteFiles {
        RouteFiles { routes: code.routes.clone(), server, browser: code.imports.clone() }
    }

    /// Whether a file is the page of a route.
    pub(crate) fn has_page(&self, file: &Path) -> bool {
        self.routes.pages().iter().any(|page| page.path == file)
    }

    /// Adds to `saved` what a change of these files, or of files in these folders, affects.
    pub(crate) fn changed_by(&self, files: &HashSet<PathBuf>, saved: &mut Saved) {
        for handler in self.routes.handlers() {
            let (imports, patterns) = match handler.layer {
                Layer::Server => (&self.server, &mut saved.server),
                Layer::Client => (&self.browser, &mut saved.client),
                Layer::Worker => (&self.browser, &mut saved.worker),
            };
            if depends_on(&handler.path, imports, files) {
                patterns.insert(handler.pattern.clone());
            }
        }
        for page in self.routes.pages() {
            if is_in(&page.path, files) {
                saved.pages.insert(page.id.clone());
            }
        }
    }
}

/// Whether a file is one of these, or imports one, directly or not.
fn depends_on(file: &Path, imports: &HashMap<PathBuf, Vec<PathBuf>>, files: &HashSet<PathBuf>) -> bool {
    let (mut seen, mut waiting) = (HashSet::new(), vec![file]);
    while let Some(file) = waiting.pop() {
        if !seen.insert(file) {
            continue;
        }
        if is_in(file, files) {
            return true;
        }
        waiting.extend(imports.get(file).into_iter().flatten().map(PathBuf::as_path));
    }
    false
}

/// Whether a file, or the target of a link, is one of these or in one of these folders.
fn is_in(file: &Path, files: &HashSet<PathBuf>) -> bool {
    let holds = |file: &Path| file.ancestors().any(|path| files.contains(path));
    holds(file) || file.canonicalize().is_ok_and(|real| real != file && holds(&real))
}
