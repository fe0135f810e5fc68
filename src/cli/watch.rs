//! Watches the files of a project and reports changes.

use std::collections::HashSet;
use std::iter;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::router::{DOCUMENT, ERROR_PAGE};
use crate::server::Extent;

/// How long nothing may change before a file that may be half written counts as complete. Editors write in several steps.
const SETTLE: Duration = Duration::from_millis(20);

/// How long after a change further changes are collected: a checkout or a formatter writes many files.
const BURST: Duration = Duration::from_millis(100);

/// Watches the served folder and every other file that handlers import.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    seen: Arc<Seen>,
    roots: Vec<PathBuf>,
    also: HashSet<PathBuf>,
    /// When a change was last reported.
    reported: Option<Instant>,
}

/// The changes that the watcher's thread has seen.
pub(super) struct Seen {
    /// The served folder, and the folder of static files.
    roots: Vec<PathBuf>,
    /// Notified of a change of code or a page.
    changed: Notify,
    changes: Mutex<Changes>,
    /// Notified of a change of a static file.
    files_changed: Notify,
    files: Mutex<Burst>,
}

#[derive(Default)]
struct Changes {
    /// Files outside of the served folder that handlers import.
    imported: HashSet<PathBuf>,
    burst: Burst,
    /// Files that have changed since the last [`Seen::take_changed`].
    paths: HashSet<PathBuf>,
    /// Whether a file was made, moved or deleted since then.
    has_moved: bool,
    /// Whether the system has dropped events.
    has_missed: bool,
}

/// Changes in quick succession.
#[derive(Default)]
struct Burst {
    paths: HashSet<PathBuf>,
    /// Files that may be half written.
    unfinished: HashSet<PathBuf>,
    last: Option<Instant>,
}

/// Changes since the last load.
#[derive(Debug, Default, Clone)]
pub(super) struct Changed {
    /// The files that have changed.
    pub paths: HashSet<PathBuf>,
    /// Whether one of them was made, moved or deleted, so that more has changed than the content of files.
    pub has_moved: bool,
    /// Whether other files may have changed, too, because the system has dropped events.
    pub has_missed: bool,
}

impl Changed {
    /// Adds later changes.
    pub(super) fn extend(&mut self, later: Changed) {
        self.paths.extend(later.paths);
        self.has_moved |= later.has_moved;
        self.has_missed |= later.has_missed;
    }

    /// Whether a load may contain other changes than these. A load without changes that was not requested by the
    /// developer is the second one for a save with several events: the load before contained them all.
    pub(super) fn is_unknown(&self, is_asked_for: bool) -> bool {
        self.has_missed || (is_asked_for && self.paths.is_empty())
    }

    /// How much a load has to look at. A developer who asks for a load means everything.
    pub(super) fn extent(&self, is_asked_for: bool) -> Extent<'_> {
        match self {
            _ if is_asked_for || self.has_missed => Extent::All,
            Changed { has_moved: false, .. } if !self.paths.is_empty() => Extent::Contents(&self.paths),
            _ => Extent::Files(&self.paths),
        }
    }
}

impl Watch {
    /// Watches the served folder and the folder of static files, with all folders in them.
    pub(super) fn begin(root: PathBuf, public: Option<PathBuf>) -> Result<Watch, notify::Error> {
        let roots: Vec<PathBuf> = iter::once(root).chain(public).collect();
        let (changed, changes, files_changed, files) = Default::default();
        let seen = Arc::new(Seen { roots: roots.clone(), changed, changes, files_changed, files });
        let sees = seen.clone();
        let mut watcher = notify::recommended_watcher(move |event| sees.see(event))?;
        for root in &roots {
            watcher.watch(root, RecursiveMode::Recursive)?;
        }
        Ok(Watch { watcher, seen, roots, also: HashSet::new(), reported: None })
    }

    /// Also watches these files and the files that they link to, wherever they are.
    pub(super) fn also(&mut self, files: HashSet<PathBuf>) {
        let places: HashSet<PathBuf> = files.iter().flat_map(|file| places_of(file)).collect();
        let outside = places.iter().filter(|file| !self.roots.iter().any(|root| file.starts_with(root)));
        for folder in outside.filter_map(|file| file.parent().map(Path::to_owned)).collect::<HashSet<_>>() {
            // The folder, because many editors replace the file.
            if self.also.insert(folder.clone())
                && let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive)
            {
                tracing::warn!("changes in {} cannot be watched: {error}", folder.display());
            }
        }
        self.seen.changes().imported = places;
    }

    /// Resolves after the next change of code or a page: at once where the file is complete, else when it has settled.
    /// Cancel-safe: a change is not lost with a future that is dropped before it resolves.
    pub(super) async fn changed(&mut self) {
        while !self.seen.saw_more() {
            self.seen.changed.notified().await;
        }
        let in_burst = self.reported.is_some_and(|reported| reported.elapsed() < BURST);
        while let Some(wait) = self.seen.unsettled(in_burst) {
            // Another change may complete the file.
            let _ = timeout(wait, self.seen.changed.notified()).await;
        }
        self.reported = Some(Instant::now());
    }

    /// The changes that were seen, for callers that cannot borrow the watch.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    /// Waits for a moment. Returns whether nothing has changed, so that what was read is complete.
    pub(super) async fn is_settled(&self) -> bool {
        sleep(SETTLE).await;
        !self.seen.saw_more()
    }
}

impl Seen {
    /// Whether code has changed since [`Watch::changed`] resolved.
    pub(super) fn saw_more(&self) -> bool {
        self.changes().burst.last.is_some()
    }

    /// The changes of code since the last call.
    pub(super) fn take_changed(&self) -> Changed {
        let mut changes = self.changes();
        let paths = mem::take(&mut changes.paths);
        let has_moved = mem::take(&mut changes.has_moved);
        Changed { paths, has_moved, has_missed: mem::take(&mut changes.has_missed) }
    }

    /// Resolves with static files that were changed, when they have settled.
    pub(super) async fn files_changed(&self) -> HashSet<PathBuf> {
        loop {
            let wait = {
                let mut files = lock(&self.files);
                let wait = files.unsettled(true);
                if wait.is_none() && !files.paths.is_empty() {
                    return mem::take(&mut files.paths);
                }
                wait
            };
            let changed = self.files_changed.notified();
            match wait {
                Some(wait) => drop(timeout(wait, changed).await),
                None => changed.await,
            }
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        lock(&self.changes)
    }

    fn see(&self, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            _ => {
                let mut changes = self.changes();
                changes.burst.last = Some(Instant::now());
                changes.has_missed = true;
                return self.changed.notify_one();
            }
        };
        let is_whole = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            // A file that was moved away may be replaced soon.
            EventKind::Modify(ModifyKind::Name(mode)) => matches!(mode, RenameMode::To | RenameMode::Both),
            EventKind::Access(_) => return,
            _ => false,
        };
        let is_of_content = matches!(
            event.kind,
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_))
        );
        for path in event.paths {
            if self.is_static(&path) {
                lock(&self.files).note(path.clone(), is_whole);
                self.files_changed.notify_one();
            }
            let mut changes = self.changes();
            if !changes.imports(&path) && !is_source(&path, &self.roots) {
                continue;
            }
            changes.paths.insert(path.clone());
            changes.has_moved |= !is_of_content;
            changes.burst.note(path, is_whole);
            self.changed.notify_one();
        }
    }

    /// Whether a path is that of a static file, or of a folder of static files.
    fn is_static(&self, path: &Path) -> bool {
        let inside = self.roots.get(1).and_then(|public| path.strip_prefix(public).ok());
        inside.is_some_and(|inside| !is_hidden(inside) && !is_temporary(inside))
    }

    /// How long to wait until the changed files are complete; None clears the list of them.
    fn unsettled(&self, in_burst: bool) -> Option<Duration> {
        let mut changes = self.changes();
        let wait = changes.burst.unsettled(in_burst);
        changes.burst.paths.clear();
        wait
    }
}

impl Changes {
    /// Whether a file is imported, by this path or by another.
    fn imports(&self, path: &Path) -> bool {
        let real = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        self.imported.contains(path) || real().is_some_and(|real| self.imported.contains(&real))
    }
}

impl Burst {
    fn note(&mut self, path: PathBuf, is_whole: bool) {
        if is_whole {
            self.unfinished.remove(&path);
        } else {
            self.unfinished.insert(path.clone());
        }
        self.paths.insert(path);
        self.last = Some(Instant::now());
    }

    /// How long to wait until the changed files are complete; None until the next change.
    fn unsettled(&mut self, in_burst: bool) -> Option<Duration> {
        let settles = self.last.map_or(Duration::ZERO, |last| SETTLE.saturating_sub(last.elapsed()));
        if !settles.is_zero() && (in_burst || !self.unfinished.is_empty()) {
            return Some(settles);
        }
        self.unfinished.clear();
        self.last = None;
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds the changes")
}

/// Every path at which a file can change: its own, those of the links on the way, and its real one.
fn places_of(file: &Path) -> Vec<PathBuf> {
    /// The longest chain of links that is followed.
    const MAX_LINKS: usize = 40;
    let mut places = vec![file.to_owned()];
    while places.len() < MAX_LINKS
        && let Some(link) = places.last()
        && let Ok(target) = std::fs::read_link(link)
    {
        let target = link.parent().unwrap_or(link).join(target);
        // Without `..`, which paths of events do not contain.
        let folder = target.parent().and_then(|folder| folder.canonicalize().ok());
        let Some((folder, name)) = folder.zip(target.file_name()) else { break };
        let target = folder.join(name);
        if places.contains(&target) {
            break;
        }
        places.push(target);
    }
    places.extend(file.canonicalize());
    places
}

/// Whether a path inside of the served folders is hidden or in `node_modules`.
fn is_hidden(inside: &Path) -> bool {
    inside.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name.starts_with('.') || name == "node_modules"
    })
}

/// Whether a file is a temporary file of an editor.
fn is_temporary(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with('~') || name.ends_with(".tmp") || name == "4913"
}

/// Whether a path inside the served folders can hold code, a page, or a folder of those.
fn is_source(path: &Path, roots: &[PathBuf]) -> bool {
    // The innermost: the folder of static files may lie in the other.
    let inside =
        roots.iter().enumerate().rev().find_map(|(i, root)| Some((i, path.strip_prefix(root).ok()?)));
    let Some((root, inside)) = inside else { return false };
    let code = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "json", "wasm"];
    // In the routes folder every HTML file may be a view; in `public/` only a document of a route matters.
    let page = if root == 0 {
        path.extension().is_some_and(|extension| extension == "html")
    } else {
        path.ends_with(DOCUMENT) || path.ends_with(ERROR_PAGE)
    };
    !is_hidden(inside)
        && (page || path.extension().is_none_or(|extension| code.iter().any(|known| extension == *known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(PathBuf::from(path)))
    }

    #[test]
    fn the_second_load_for_one_save_has_no_changes_of_its_own() {
        let (changed, changes, files_changed, files) = Default::default();
        let seen = Seen { roots: vec![PathBuf::from("/app")], changed, changes, files_changed, files };
        let renamed = |mode| EventKind::Modify(ModifyKind::Name(mode));
        seen.see(event(renamed(RenameMode::To), "/app/page.html"));
        seen.see(event(renamed(RenameMode::Both), "/app/page.html"));
        let mut first = Changed::default();
        first.extend(seen.take_changed());
        assert!(first.paths.contains(Path::new("/app/page.html")));

        let second = seen.take_changed();

        assert!(seen.saw_more(), "the second event asks for a load");
        assert!(second.paths.is_empty() && !second.is_unknown(false));
        assert!(second.is_unknown(true), "a developer who asks for a load means everything");
        assert_eq!(second.extent(false), Extent::Files(&HashSet::new()));
        assert_eq!(second.extent(true), Extent::All);
    }

    #[test]
    fn only_writes_to_files_that_are_there_change_nothing_but_content() {
        let extent = |kinds: &[EventKind]| {
            let (changed, changes, files_changed, files) = Default::default();
            let seen = Seen { roots: vec![PathBuf::from("/app")], changed, changes, files_changed, files };
            kinds.iter().for_each(|kind| seen.see(event(*kind, "/app/handler.js")));
            let taken = seen.take_changed();
            match taken.extent(false) {
                Extent::All => "all",
                Extent::Files(_) => "files",
                Extent::Contents(files) if files.contains(Path::new("/app/handler.js")) => "contents",
                Extent::Contents(_) => "nothing",
            }
        };
        let written = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let created = EventKind::Create(notify::event::CreateKind::File);
        let removed = EventKind::Remove(notify::event::RemoveKind::File);
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        assert_eq!(extent(&[written, closed]), "contents");
        for other in [created, removed, moved, EventKind::Any] {
            assert_eq!(extent(&[written, other, closed]), "files", "{other:?}");
        }

        let mut two = Changed { has_moved: true, ..Changed::default() };
        two.extend(Changed { paths: HashSet::from([PathBuf::from("/app/a.js")]), ..Changed::default() });
        assert!(
            matches!(two.extent(false), Extent::Files(_)),
            "a load that failed leaves its changes to the next"
        );
        two.has_missed = true;
        assert_eq!(two.extent(false), Extent::All);
    }
}
