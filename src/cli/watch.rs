//! Changes on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::router::DOCUMENT;

/// How long nothing may have changed before what may be half written counts as whole. Editors write in several steps.
const SETTLE: Duration = Duration::from_millis(20);

/// How long after a change the next ones are collected first: a checkout or a formatter writes many files.
const BURST: Duration = Duration::from_millis(100);

/// Watches the served folder and every other file that handlers import.
pub struct Watch {
    watcher: RecommendedWatcher,
    seen: Arc<Seen>,
    roots: Vec<PathBuf>,
    also: HashSet<PathBuf>,
    /// When a change was last told of.
    told: Option<Instant>,
}

/// What the watcher's thread saw.
pub struct Seen {
    roots: Vec<PathBuf>,
    changed: Notify,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    /// Files outside the served folder that count.
    imported: HashSet<PathBuf>,
    /// Files that somebody may still be writing.
    unfinished: HashSet<PathBuf>,
    last: Option<Instant>,
}

impl Watch {
    /// Watches folders with all that is in them.
    pub fn begin(folders: impl Iterator<Item = PathBuf>) -> Result<Watch, notify::Error> {
        let roots: Vec<PathBuf> = folders.collect();
        let (changed, changes) = Default::default();
        let seen = Arc::new(Seen { roots: roots.clone(), changed, changes });
        let sees = seen.clone();
        let mut watcher = notify::recommended_watcher(move |event| sees.see(event))?;
        for root in &roots {
            watcher.watch(root, RecursiveMode::Recursive)?;
        }
        Ok(Watch { watcher, seen, roots, also: HashSet::new(), told: None })
    }

    /// Watches these files, too, wherever they are.
    pub fn also(&mut self, files: HashSet<PathBuf>) {
        let outside = files.iter().filter(|file| !self.roots.iter().any(|root| file.starts_with(root)));
        for folder in outside.filter_map(|file| file.parent().map(Path::to_owned)).collect::<HashSet<_>>() {
            // The folder, because many editors replace the file.
            if self.also.insert(folder.clone())
                && let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive)
            {
                tracing::warn!("changes in {} go unseen: {error}", folder.display());
            }
        }
        self.seen.changes().imported = files;
    }

    /// Resolves after the next change: at once where it is known to be whole, else when it has settled. A change is not
    /// lost with a future that was dropped before it resolved.
    pub async fn changed(&mut self) {
        while !self.seen.saw_more() {
            self.seen.changed.notified().await;
        }
        let in_burst = self.told.is_some_and(|told| told.elapsed() < BURST);
        while let Some(wait) = self.seen.unsettled(in_burst) {
            // Another change may be what makes it whole.
            let _ = timeout(wait, self.seen.changed.notified()).await;
        }
        self.told = Some(Instant::now());
    }

    /// What this watch has seen, for who cannot wait with it.
    pub fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    /// Whether nothing more changes for a moment, so that what was read is what was meant.
    pub async fn is_settled(&self) -> bool {
        sleep(SETTLE).await;
        !self.seen.saw_more()
    }
}

impl Seen {
    /// Whether something has changed since [`Watch::changed`] told of it.
    pub fn saw_more(&self) -> bool {
        self.changes().last.is_some()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().expect("nothing panics while it looks at changes")
    }

    fn see(&self, event: notify::Result<Event>) {
        let mut changes = self.changes();
        let Ok(event) = event else {
            // Some changes went unseen; who knows which.
            changes.last = Some(Instant::now());
            return self.changed.notify_one();
        };
        let is_whole = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            // What was moved away may be about to be replaced.
            EventKind::Modify(ModifyKind::Name(mode)) => matches!(mode, RenameMode::To | RenameMode::Both),
            EventKind::Access(_) => return,
            _ => false,
        };
        for path in event.paths {
            if !changes.imported.contains(&path) && !is_source(&path, &self.roots) {
                continue;
            }
            if is_whole {
                changes.unfinished.remove(&path);
            } else {
                changes.unfinished.insert(path);
            }
            changes.last = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    /// How long to wait for what changed to be whole; forgets it where it is.
    fn unsettled(&self, in_burst: bool) -> Option<Duration> {
        let mut changes = self.changes();
        let settles = changes.last.map_or(Duration::ZERO, |last| SETTLE.saturating_sub(last.elapsed()));
        if !settles.is_zero() && (in_burst || !changes.unfinished.is_empty()) {
            return Some(settles);
        }
        changes.unfinished.clear();
        changes.last = None;
        None
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
    // In the routes folder every HTML file may be a view; in `public/` one may be the document of a route.
    let page = if root == 0 {
        path.extension().is_some_and(|extension| extension == "html")
    } else {
        path.ends_with(DOCUMENT)
    };
    !hidden && (page || path.extension().is_none_or(|extension| code.iter().any(|known| extension == *known)))
}
