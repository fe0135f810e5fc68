//! The code of one generation, as it was when it was first read. Isolates that take the place of others of the same
//! generation load the same, whatever has become of the files.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use deno_core::ModuleSpecifier;

/// What was read and resolved. Isolates load side by side; what one of them has read is what all get.
pub(crate) struct Sources {
    number: u64,
    modules: Mutex<HashMap<ModuleSpecifier, Source>>,
    /// Files that are imported as text; the same file may be a module, too.
    texts: Mutex<HashMap<ModuleSpecifier, Arc<str>>>,
    /// What specifiers mean, by the module that they stand in.
    resolved: Mutex<HashMap<(String, String), ModuleSpecifier>>,
    has_empty: AtomicBool,
}

/// A module, ready for V8.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Script { code: Arc<str>, source_map: Option<Arc<[u8]>> },
    Json(Arc<str>),
}

impl Default for Sources {
    fn default() -> Sources {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (modules, texts, resolved, has_empty) = Default::default();
        Sources { number: NEXT.fetch_add(1, Ordering::Relaxed), modules, texts, resolved, has_empty }
    }
}

impl Sources {
    /// What tells it from the code of other generations.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A module, if it was read before.
    pub(crate) fn module(&self, url: &ModuleSpecifier) -> Option<Source> {
        lock(&self.modules).get(url).cloned()
    }

    /// Keeps a module. Where another isolate was first, its version is the one that counts.
    pub(crate) fn keep(&self, url: &ModuleSpecifier, source: Source) -> Source {
        lock(&self.modules).entry(url.clone()).or_insert(source).clone()
    }

    /// The text of a file, if it was read before.
    pub(crate) fn text(&self, url: &ModuleSpecifier) -> Option<Arc<str>> {
        lock(&self.texts).get(url).cloned()
    }

    /// Keeps the text of a file. Where another isolate was first, its version is the one that counts.
    pub(crate) fn keep_text(&self, url: &ModuleSpecifier, text: Arc<str>) -> Arc<str> {
        lock(&self.texts).entry(url.clone()).or_insert(text).clone()
    }

    /// What a specifier means in a module, if that was asked before.
    pub(crate) fn resolved(&self, specifier: &str, referrer: &str) -> Option<ModuleSpecifier> {
        lock(&self.resolved).get(&(specifier.to_owned(), referrer.to_owned())).cloned()
    }

    /// Keeps what a specifier means.
    pub(crate) fn keep_resolved(&self, specifier: &str, referrer: &str, url: &ModuleSpecifier) {
        lock(&self.resolved)
            .entry((specifier.to_owned(), referrer.to_owned()))
            .or_insert_with(|| url.clone());
    }

    /// Notes that a file had nothing in it, as one that is about to be written.
    pub(crate) fn found_empty(&self) {
        self.has_empty.store(true, Ordering::Relaxed);
    }

    /// Whether one of the files had nothing in it.
    pub(crate) fn has_empty(&self) -> bool {
        self.has_empty.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while sources are looked up")
}
