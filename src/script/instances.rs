//! Which instance of each module an isolate uses that loads its code again: a module whose text and imports have not
//! changed keeps its instance, and so its state.
//!
//! An engine keeps one instance for each URL. The instance of a later load has the number of that load behind the URL of
//! its file, as a fragment: `file:///app/orders.mjs#~2`. The files' own URLs are everywhere else.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use deno_core::ModuleSpecifier;

/// What the number of a load follows in the fragment of a URL.
const MARK: char = '~';

/// The instances of modules that code imports from now on.
#[derive(Debug, Clone, Default)]
pub(super) struct Instances {
    /// The load that made the instance of a file; those of the first load are absent.
    loads: HashMap<PathBuf, u32>,
}

impl Instances {
    /// From now on these files have the instances of a load, which are yet to be made.
    pub(super) fn renew(&mut self, files: &HashSet<PathBuf>, load: u32) {
        self.loads.extend(files.iter().map(|file| (file.clone(), load)));
    }

    /// The URL of a file's instance.
    pub(super) fn of(&self, mut url: ModuleSpecifier) -> ModuleSpecifier {
        if let Some(load) = url.to_file_path().ok().and_then(|file| self.loads.get(&file)) {
            let fragment = format!("{}{MARK}{load}", url.fragment().unwrap_or_default());
            url.set_fragment(Some(&fragment));
        }
        url
    }

    /// Whether a file has an instance of a later load.
    pub(super) fn has_renewed(&self, file: &Path) -> bool {
        self.loads.contains_key(file)
    }
}

/// The URL of the file that an instance is of.
pub(super) fn plain(url: &str) -> &str {
    let Some((plain, load)) = url.rsplit_once(MARK) else { return url };
    match plain.contains('#') && !load.is_empty() && load.bytes().all(|byte| byte.is_ascii_digit()) {
        true => plain.strip_suffix('#').unwrap_or(plain),
        false => url,
    }
}

/// A file's content as it was read, to find out later whether it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(super) fn of(content: &[u8]) -> Digest {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Digest(hasher.finish())
    }

    /// The digest of a file as it is now; `None` if it cannot be read.
    pub(super) fn now(file: &Path) -> Option<Digest> {
        std::fs::read(file).ok().map(|content| Digest::of(&content))
    }
}

/// How long a file must not have changed before its stamp distinguishes it from later versions: the clocks of file
/// systems are coarse, up to some milliseconds on Linux and two seconds on FAT.
const SETTLED: Duration = Duration::from_secs(2);

/// What the file system says of a file, which differs after each change that its clock can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: SystemTime,
    length: u64,
    /// The file that a path leads to, and when anything of it was changed, its name included.
    #[cfg(unix)]
    identity: [i64; 4],
}

impl Stamp {
    /// The stamp of a file that is about to be read; `None` if the file may change again without another stamp.
    pub(super) fn before_reading(file: &Path) -> Option<Stamp> {
        Stamp::now(file).filter(|stamp| stamp.modified.elapsed().is_ok_and(|age| age > SETTLED))
    }

    /// The stamp of a file as it is now, links followed; `None` if it cannot be determined.
    pub(super) fn now(file: &Path) -> Option<Stamp> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        let of = std::fs::metadata(file).ok()?;
        Some(Stamp {
            modified: of.modified().ok()?,
            length: of.len(),
            #[cfg(unix)]
            identity: [of.dev().cast_signed(), of.ino().cast_signed(), of.ctime(), of.ctime_nsec()],
        })
    }
}

/// Adds the files that import one of `files`, directly or not.
pub(super) fn with_importers(files: &mut HashSet<PathBuf>, imports: &HashMap<PathBuf, Vec<PathBuf>>) {
    let mut importers: HashMap<&Path, Vec<&PathBuf>> = HashMap::new();
    for (importer, imported) in imports {
        imported.iter().for_each(|file| importers.entry(file).or_default().push(importer));
    }
    let mut waiting: Vec<PathBuf> = files.iter().cloned().collect();
    while let Some(file) = waiting.pop() {
        for importer in importers.get(&*file).into_iter().flatten() {
            if files.insert((*importer).clone()) {
                waiting.push((*importer).clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ModuleSpecifier {
        ModuleSpecifier::parse(text).unwrap()
    }

    #[test]
    fn instances_have_the_number_of_their_load() {
        let mut instances = Instances::default();
        instances.renew(&HashSet::from([PathBuf::from("/a/b.mjs")]), 2);
        let of = |text: &str| instances.of(url(text)).to_string();
        assert_eq!(of("file:///a/b.mjs"), "file:///a/b.mjs#~2");
        assert_eq!(of("file:///a/b.mjs?x#y"), "file:///a/b.mjs?x#y~2");
        assert_eq!(of("file:///a/c.mjs"), "file:///a/c.mjs");
        assert_eq!(of("node:fs"), "node:fs");
        for text in ["file:///a/b.mjs", "file:///a/b.mjs?x#y", "file:///a/~2", "file:///a#~", "node:fs"] {
            assert_eq!(plain(&of(text)), text);
        }
    }

    #[test]
    fn importers_are_found_through_circles() {
        let file = |name: &str| PathBuf::from(name);
        let imports = HashMap::from([
            (file("app"), vec![file("a"), file("c")]),
            (file("a"), vec![file("b")]),
            (file("b"), vec![file("a")]),
            (file("c"), vec![]),
        ]);
        let mut files = HashSet::from([file("b")]);
        with_importers(&mut files, &imports);
        assert_eq!(files, HashSet::from([file("app"), file("a"), file("b")]));
    }
}
