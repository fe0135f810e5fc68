//! What V8 has compiled of the modules of handlers, for later isolates of the process: after a reload, in another worker
//! or in place of a stopped isolate, most modules have the text that they had before.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use deno_core::{ModuleSpecifier, SourceCodeCacheInfo};

/// The bytes of the whole store. Code that was not used for the longest time goes first.
const LIMIT: usize = 32 << 20;

/// What an entry takes beside its code, in bytes.
const ENTRY: usize = 64;

static STORE: LazyLock<Mutex<Store>> = LazyLock::new(|| Mutex::new(Store::new(LIMIT)));

struct Store {
    limit: usize,
    /// By the hash of a module's URL and text, so that no entry is ever out of date.
    entries: HashMap<u64, Entry>,
    bytes: usize,
    /// Counts the uses of the store.
    uses: u64,
}

struct Entry {
    /// `None` for a text that was compiled once. Most never are again, as that of a file that is being written.
    code: Option<Arc<[u8]>>,
    /// The number of its last use.
    used: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        ENTRY + self.code.as_ref().map_or(0, |code| code.len())
    }
}

impl Store {
    fn new(limit: usize) -> Store {
        Store { limit, entries: HashMap::new(), bytes: 0, uses: 0 }
    }

    /// The code of a text: `None` when it is compiled for the first time, and `Some(None)` if its code is to be kept.
    fn find(&mut self, hash: u64) -> Option<Option<Arc<[u8]>>> {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(&hash) {
            entry.used = self.uses;
            return Some(entry.code.clone());
        }
        self.insert(hash, None);
        None
    }

    fn insert(&mut self, hash: u64, code: Option<Arc<[u8]>>) {
        let entry = Entry { code, used: self.uses };
        if entry.bytes() > self.limit {
            return;
        }
        self.bytes += entry.bytes();
        if let Some(before) = self.entries.insert(hash, entry) {
            self.bytes -= before.bytes();
        }
        while self.bytes > self.limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(hash, _)| *hash);
            let Some(entry) = oldest.and_then(|hash| self.entries.remove(&hash)) else { return };
            self.bytes -= entry.bytes();
        }
    }
}

/// What a module is compiled from besides its text. With an answer without code, V8's code comes to [`keep`].
pub(super) fn of(url: &ModuleSpecifier, text: &str) -> Option<SourceCodeCacheInfo> {
    if !cfg!(feature = "v8") {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (url.as_str(), text).hash(&mut hasher);
    let hash = hasher.finish();
    let code = store().find(hash)?;
    Some(SourceCodeCacheInfo { hash, data: code.map(|code| code.to_vec().into()) })
}

/// Keeps what V8 has compiled of the text with this hash.
pub(super) fn keep(hash: u64, code: &[u8]) {
    store().insert(hash, Some(code.into()));
}

fn store() -> MutexGuard<'static, Store> {
    STORE.lock().expect("nothing panics while the store is locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_keeps_and_the_third_uses() {
        let mut store = Store::new(1000);
        assert_eq!(store.find(1), None);
        assert_eq!(store.find(1), Some(None));
        store.insert(1, Some([7; 10].into()));
        assert_eq!(store.find(1), Some(Some([7; 10].into())));
        // Code that V8 refuses is replaced.
        store.insert(1, Some([8; 20].into()));
        assert_eq!(store.bytes, ENTRY + 20);
    }

    #[test]
    fn the_store_never_exceeds_its_limit() {
        let mut store = Store::new(10 * (ENTRY + 100));
        for hash in 0..1000 {
            assert_eq!(store.find(hash), None);
            store.insert(hash, Some([0; 100].into()));
            // One that is used stays.
            assert!(store.find(0).is_some(), "after {hash}");
            assert!(store.bytes <= store.limit && store.entries.len() <= 10);
        }
        store.insert(1, Some(vec![0; store.limit].into()));
        assert!(store.find(0).is_some(), "what is larger than the store does not empty it");
        let bytes: usize = store.entries.values().map(Entry::bytes).sum();
        assert_eq!(store.bytes, bytes);
    }
}
