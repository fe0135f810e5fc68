//! The code of one generation, as it was when it was first read. An isolate that replaces another of the same
//! generation loads the same code, even if the files have changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use deno_core::ModuleSpecifier;

use super::instances::{Digest, Stamp};

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
    digests: Mutex<HashMap<PathBuf, (Digest, Option<Stamp>)>>,
    /// Files with settings that the modules were found and translated by.
    configs: Mutex<HashSet<PathBuf>>,
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
        let (modules, texts, bytes, resolved, digests, configs, has_empty) = Default::default();
        Sources {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            modules,
            texts,
            bytes,
            #[cfg(feature = "node")]
            required: Mutex::default(),
            resolved,
            digests,
            configs,
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

    /// Records what a file contained when it was read. `stamp` is that of the file before it was read.
    pub(super) fn keep_digest(&self, file: &Path, content: &[u8], stamp: Option<Stamp>) {
        lock(&self.digests).entry(file.to_owned()).or_insert_with(|| (Digest::of(content), stamp));
    }

    /// What each file contained when it was read.
    pub(super) fn digests(&self) -> HashMap<PathBuf, Digest> {
        lock(&self.digests).iter().map(|(file, (digest, _))| (file.clone(), *digest)).collect()
    }

    /// Whether a file was read as a module or for one.
    pub(crate) fn has_read(&self, file: &Path) -> bool {
        lock(&self.digests).contains_key(file)
    }

    /// Records files with settings. Returns all that were recorded.
    pub(super) fn keep_configs(&self, files: impl IntoIterator<Item = PathBuf>) -> HashSet<PathBuf> {
        let mut configs = lock(&self.configs);
        configs.extend(files);
        configs.clone()
    }

    /// Adds what `before` holds of the files that are as they were when they were read. Of those in `changed`, or in
    /// folders of it, nothing is kept. What imports of files lead to is kept if no file is new or gone; packages are looked
    /// for again.
    pub(crate) fn carry_unchanged(&self, before: &Sources, changed: &HashSet<PathBuf>, resolves_alike: bool) {
        let is_changed = |file: &Path| file.ancestors().any(|path| changed.contains(path));
        let known = lock(&before.digests).clone();
        let unchanged = known.into_iter().filter(|(file, (_, stamp))| {
            !is_changed(file) && stamp.is_some_and(|stamp| Stamp::now(file) == Some(stamp))
        });
        let unchanged: HashSet<PathBuf> = unchanged.map(|(file, _)| file).collect();
        self.carry_on(
            before,
            |file| unchanged.contains(file),
            |specifier| resolves_alike && specifier.starts_with(['.', '/']),
        );
    }

    /// Every specifier that was resolved, with the importing module and the result.
    pub(super) fn all_resolved(&self) -> HashMap<(String, String), ModuleSpecifier> {
        lock(&self.resolved).clone()
    }

    /// Adds what `before` holds of the files that have not changed. `is_kept` is called with each file, `resolves_alike`
    /// with each specifier in them.
    pub(super) fn carry_on(
        &self,
        before: &Sources,
        is_kept: impl Fn(&Path) -> bool,
        resolves_alike: impl Fn(&str) -> bool,
    ) {
        let is_kept_url = |url: &ModuleSpecifier| url.to_file_path().is_ok_and(|file| is_kept(&file));
        carry(&self.modules, &before.modules, is_kept_url);
        carry(&self.texts, &before.texts, is_kept_url);
        carry(&self.bytes, &before.bytes, is_kept_url);
        #[cfg(feature = "node")]
        carry(&self.required, &before.required, is_kept_url);
        carry(&self.resolved, &before.resolved, |(specifier, importer)| {
            resolves_alike(specifier) && ModuleSpecifier::parse(importer).is_ok_and(|url| is_kept_url(&url))
        });
        self.keep_configs(lock(&before.configs).clone());
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn script(code: &str) -> Source {
        Source::Script { code: code.into(), source_map: None }
    }

    #[test]
    fn only_what_has_not_changed_is_carried_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = Sources::default();
        let files = ["same.js", "named.js", "stamped.js", "fresh.js", "inside/other.js"];
        let urls = files.map(|name| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, "old").expect("a file");
            let stamp = Stamp::now(&file).filter(|_| name != "fresh.js");
            before.keep_digest(&file, b"old", stamp);
            let url = ModuleSpecifier::from_file_path(&file).expect("a URL");
            before.keep(&url, script("old"));
            for specifier in ["./a.js", "package"] {
                before.keep_resolved(specifier, url.as_str(), &url);
            }
            url
        });
        fs::write(folder.path().join("stamped.js"), "another length").expect("a file");
        let changed = ["named.js", "inside"].map(|name| folder.path().join(name));
        let carried = |resolves_alike| {
            let after = Sources::default();
            after.carry_unchanged(&before, &HashSet::from(changed.clone()), resolves_alike);
            after
        };

        let after = carried(true);

        let kept = urls.iter().map(|url| after.module(url).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [true, false, false, false, false]);
        let of_same = urls[0].as_str();
        assert!(after.resolved("./a.js", of_same).is_some());
        assert!(after.resolved("package", of_same).is_none(), "packages are looked for again");
        assert!(after.resolved("./a.js", urls[1].as_str()).is_none());
        assert!(carried(false).resolved("./a.js", of_same).is_none(), "a new file may be what it means");
    }

    #[test]
    fn a_file_that_was_just_written_has_no_stamp() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.js");
        fs::write(&file, "text").expect("a file");
        assert!(Stamp::now(&file).is_some() && Stamp::before_reading(&file).is_none());
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&file).and_then(|it| it.set_modified(long_ago)).expect("a time");
        assert!(Stamp::before_reading(&file).is_some());
    }
}
