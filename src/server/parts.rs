//! Which files each route is made of.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pool::Code;
use crate::dev::Saved;
use crate::router::{Layer, Routes};

/// The files of one generation by what they are part of.
pub(crate) struct Parts {
    routes: Arc<Routes>,
    /// What each file imports, on the server and in browsers.
    server: HashMap<PathBuf, Vec<PathBuf>>,
    browser: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Default for Parts {
    fn default() -> Parts {
        let (server, browser) = Default::default();
        Parts { routes: Arc::new(Routes::none()), server, browser }
    }
}

impl Parts {
    pub(super) fn of(code: &Code, server: HashMap<PathBuf, Vec<PathBuf>>) -> Parts {
        Parts { routes: code.routes.clone(), server, browser: code.imports.clone() }
    }

    /// Whether a file is the page of a route.
    pub(crate) fn has_page(&self, file: &Path) -> bool {
        self.routes.pages().iter().any(|page| page.path == file)
    }

    /// Adds to `saved` what changes with these files, or with all that is in them where they are folders.
    pub(crate) fn changed_by(&self, files: &HashSet<PathBuf>, saved: &mut Saved) {
        for handler in self.routes.handlers() {
            let (imports, patterns) = match handler.layer {
                Layer::Server => (&self.server, &mut saved.server),
                Layer::Client => (&self.browser, &mut saved.client),
                Layer::Worker => (&self.browser, &mut saved.worker),
            };
            if is_made_of(&handler.path, imports, files) {
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

/// Whether a file is one of these, or imports one by however many steps.
fn is_made_of(file: &Path, imports: &HashMap<PathBuf, Vec<PathBuf>>, files: &HashSet<PathBuf>) -> bool {
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

/// Whether a file, or where a link leads that it is, is one of these or lies in one.
fn is_in(file: &Path, files: &HashSet<PathBuf>) -> bool {
    let holds = |file: &Path| file.ancestors().any(|path| files.contains(path));
    holds(file) || file.canonicalize().is_ok_and(|real| real != file && holds(&real))
}
