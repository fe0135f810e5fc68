//! Changes on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::Notify;

use crate::router::PAGES;

/// How long to wait for more changes of the same save. Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(20);

/// Watches the served folder and every other file that handlers import.
pub struct Watch {
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    changed: Arc<Notify>,
    /// Files outside the served folder that count.
    imported: Arc<Mutex<HashSet<PathBuf>>>,
    roots: Vec<PathBuf>,
    also: HashSet<PathBuf>,
}

impl Watch {
    /// Watches folders with all that is in them.
    pub fn begin(folders: impl Iterator<Item = PathBuf>) -> Result<Watch, notify::Error> {
        let changed = Arc::new(Notify::new());
        let imported = Arc::new(Mutex::new(HashSet::new()));
        let roots: Vec<PathBuf> = folders.collect();
        let (tell, files, inside) = (changed.clone(), imported.clone(), roots.clone());
        let mut debouncer = new_debouncer(SETTLE, Some(SETTLE / 4), move |events: DebounceEventResult| {
            let Ok(events) = events else { return tell.notify_one() };
            let files = files.lock().expect("the set is only read and written");
            let counts = |path: &PathBuf| files.contains(path) || is_source(path, &inside);
            let writes = events.iter().filter(|event| !matches!(event.kind, EventKind::Access(_)));
            if writes.flat_map(|event| &event.paths).any(counts) {
                tell.notify_one();
            }
        })?;
        for root in &roots {
            debouncer.watch(root, RecursiveMode::Recursive)?;
        }
        Ok(Watch { debouncer, changed, imported, roots, also: HashSet::new() })
    }

    /// Watches these files, too, wherever they are.
    pub fn also(&mut self, files: HashSet<PathBuf>) {
        let outside = files.iter().filter(|file| !self.roots.iter().any(|root| file.starts_with(root)));
        for folder in outside.filter_map(|file| file.parent().map(Path::to_owned)).collect::<HashSet<_>>() {
            // The folder, because many editors replace the file.
            if self.also.insert(folder.clone())
                && let Err(error) = self.debouncer.watch(&folder, RecursiveMode::NonRecursive)
            {
                tracing::warn!("changes in {} go unseen: {error}", folder.display());
            }
        }
        *self.imported.lock().expect("the set is only read and written") = files;
    }

    /// Resolves after the next change.
    pub async fn changed(&mut self) {
        self.changed.notified().await;
    }
}

/// Whether a path inside the served folders can hold code, a page, or a folder of those.
fn is_source(path: &Path, roots: &[PathBuf]) -> bool {
    // The innermost: the folder of static files may lie in the other.
    let inside =
        roots.iter().enumerate().rev().find_map(|(i, root)| Some((i, path.strip_prefix(root).ok()?)));
    let Some((root, inside)) = inside else { return false };
    let hidden = inside.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name.starts_with('.') || name == "node_modules"
    });
    let code = ["js", "mjs", "ts", "mts", "jsx", "tsx", "json"];
    let page = root == 0 && PAGES.iter().any(|page| path.ends_with(page));
    !hidden && (page || path.extension().is_none_or(|extension| code.iter().any(|known| extension == *known)))
}
