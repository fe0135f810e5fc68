//! The code of one generation, as it was when it was first read. An isolate that replaces another of the same
//! generation loads the same code, even if the files have changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use deno_core::ModuleSpecifier;

use super::instances::Digest;

/// The modules that were read and the specifiers that were resolved. Isolates load at the same time; all of them load
/// the version that one of them read first.
pub(crate) struct Sources {
    number: u64,
    modules: Mutex<HashMap<ModuleSpecifier, Source>>,
    /// Files that are imported as text; the same file may be a module, too.
    texts: Mutex<HashMap<ModuleSpecifier, Arc<str>>>,
    /// Files that are imported as bytes, and modules of WebAssembly.
    bytes: Mutex<HashMap<ModuleSpecifier, Arc<[u8]>>>,
    /// Files that CommonJS modules require; the same file may be imported, too.
    #[cfg(feature = "node")]
    required: Mutex<HashMap<ModuleSpecifier, Source>>,
    /// The URL of each resolved import, by specifier and importing module.
    resolved: Mutex<HashMap<(String, String), ModuleSpecifier>>,
    /// What each file contained when it was read.
    digests: Mutex<HashMap<PathBuf, Digest>>,
    has_empty: AtomicBool,
    /// Whether a module needs Node's half.
    #[cfg(feature = "node")]
    needs_node: AtomicBool,
}

/// A module of JavaScript, ready for V8.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Script {
        code: Arc<str>,
        source_map: Option<Arc<[u8]>>,
    },
    /// The ES module that requires a CommonJS one.
    #[cfg(feature = "node")]
    Requires(Arc<str>),
}

impl Default for Sources {
    fn default() -> Sources {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (modules, texts, bytes, resolved, digests, has_empty) = Default::default();
        Sources {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            modules,
            texts,
            bytes,
            #[cfg(feature = "node")]
            required: Mutex::default(),
            resolved,
            digests,
            has_empty,
            #[cfg(feature = "node")]
            needs_node: AtomicBool::new(false),
        }
    }
}

impl Sources {
    /// The generation's number, which distinguishes its code from that of other generations.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A module, if it was read before.
    pub(crate) fn module(&self, url: &ModuleSpecifier) -> Option<Source> {
        lock(&self.modules).get(url).cloned()
    }

    /// Keeps a module. Returns the version of the isolate that read it first, which all isolates use.
    pub(crate) fn keep(&self, url: &ModuleSpecifier, source: Source) -> Source {
        lock(&self.modules).entry(url.clone()).or_insert(source).clone()
    }

    /// The text of a file, if it was read before.
    pub(crate) fn text(&self, url: &ModuleSpecifier) -> Option<Arc<str>> {
        lock(&self.texts).get(url).cloned()
    }

    /// Keeps the text of a file. Returns the version of the isolate that read it first, which all isolates use.
    pub(crate) fn keep_text(&self, url: &ModuleSpecifier, text: Arc<str>) -> Arc<str> {
        lock(&self.texts).entry(url.clone()).or_insert(text).clone()
    }

    /// The bytes of a file, if it was read before.
    pub(crate) fn bytes(&self, url: &ModuleSpecifier) -> Option<Arc<[u8]>> {
        lock(&self.bytes).get(url).cloned()
    }

    /// Keeps the bytes of a file. Returns the version of the isolate that read it first, which all isolates use.
    pub(crate) fn keep_bytes(&self, url: &ModuleSpecifier, bytes: Arc<[u8]>) -> Arc<[u8]> {
        lock(&self.bytes).entry(url.clone()).or_insert(bytes).clone()
    }

    /// A required file, if it was read before.
    #[cfg(feature = "node")]
    pub(crate) fn required(&self, url: &ModuleSpecifier) -> Option<Source> {
        lock(&self.required).get(url).cloned()
    }

    /// Keeps a required file. Returns the version of the isolate that read it first, which all isolates use.
    #[cfg(feature = "node")]
    pub(crate) fn keep_required(&self, url: &ModuleSpecifier, source: Source) -> Source {
        lock(&self.required).entry(url.clone()).or_insert(source).clone()
    }

    /// A specifier by which a module imports another one.
    pub(crate) fn specifier_of(&self, referrer: &str, url: &ModuleSpecifier) -> Option<String> {
        let resolved = lock(&self.resolved);
        let mut found = resolved.iter().filter(|((_, from), target)| from == referrer && *target == url);
        found.next().map(|((specifier, _), _)| specifier.clone())
    }

    /// The URL of a specifier in a module, if it was resolved before.
    pub(crate) fn resolved(&self, specifier: &str, referrer: &str) -> Option<ModuleSpecifier> {
        lock(&self.resolved).get(&(specifier.to_owned(), referrer.to_owned())).cloned()
    }

    /// Keeps the URL of a specifier in a module.
    pub(crate) fn keep_resolved(&self, specifier: &str, referrer: &str, url: &ModuleSpecifier) {
        lock(&self.resolved)
            .entry((specifier.to_owned(), referrer.to_owned()))
            .or_insert_with(|| url.clone());
    }

    /// Records what a file contained when it was read.
    pub(super) fn keep_digest(&self, file: &Path, content: &[u8]) {
        lock(&self.digests).entry(file.to_owned()).or_insert_with(|| Digest::of(content));
    }

    /// What each file contained when it was read.
    pub(super) fn digests(&self) -> HashMap<PathBuf, Digest> {
        lock(&self.digests).clone()
    }

    /// Every specifier that was resolved, with the importing module and the result.
    pub(super) fn all_resolved(&self) -> HashMap<(String, String), ModuleSpecifier> {
        lock(&self.resolved).clone()
    }

    /// Adds what `before` holds of the files that have not changed. `is_kept` is called with each file.
    pub(super) fn carry_on(&self, before: &Sources, is_kept: impl Fn(&Path) -> bool) {
        let is_kept_url = |url: &ModuleSpecifier| url.to_file_path().is_ok_and(|file| is_kept(&file));
        carry(&self.modules, &before.modules, is_kept_url);
        carry(&self.texts, &before.texts, is_kept_url);
        carry(&self.bytes, &before.bytes, is_kept_url);
        #[cfg(feature = "node")]
        carry(&self.required, &before.required, is_kept_url);
        carry(&self.resolved, &before.resolved, |(_, importer)| {
            ModuleSpecifier::parse(importer).is_ok_and(|url| is_kept_url(&url))
        });
        carry(&self.digests, &before.digests, |file| is_kept(file));
        #[cfg(feature = "node")]
        if before.needs_node() {
            self.need_node();
        }
    }

    /// Records that a module of this generation needs Node's half.
    #[cfg(feature = "node")]
    pub(crate) fn need_node(&self) {
        self.needs_node.store(true, Ordering::Relaxed);
    }

    /// Whether an isolate has found a module of this generation that needs Node's half.
    #[cfg(feature = "node")]
    pub(crate) fn needs_node(&self) -> bool {
        self.needs_node.load(Ordering::Relaxed)
    }

    /// Records that a file was empty: an editor may be about to write it.
    pub(crate) fn found_empty(&self) {
        self.has_empty.store(true, Ordering::Relaxed);
    }

    /// Whether one of the files was empty.
    pub(crate) fn has_empty(&self) -> bool {
        self.has_empty.load(Ordering::Relaxed)
    }
}

/// Copies the entries with these keys.
fn carry<K: Clone + Eq + std::hash::Hash, V: Clone>(
    to: &Mutex<HashMap<K, V>>,
    from: &Mutex<HashMap<K, V>>,
    is_kept: impl Fn(&K) -> bool,
) {
    let from = lock(from).clone();
    lock(to).extend(from.into_iter().filter(|(key, _)| is_kept(key)));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while sources are looked up")
}
