//! What the host has found in the texts of handlers' functions, for later isolates of the process: to parse each function
//! again is a large part of a reload.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{LazyLock, Mutex, MutexGuard};

use liveline_compiler::rest::asks_for_rest as find;

/// How many functions are known, at some 20 bytes each. When there are more, all are forgotten.
const LIMIT: usize = 16 << 10;

/// By the hash of a function's text and of where it stands, so that no entry is ever out of date.
static STORE: LazyLock<Mutex<HashMap<u64, bool>>> = LazyLock::new(Mutex::default);

/// Whether a function with this text asks for the rest of the path. `is_root` says that it stands at the root.
pub(super) fn asks_for_rest(source: &str, is_root: bool) -> bool {
    let mut hasher = DefaultHasher::new();
    (source, is_root).hash(&mut hasher);
    let hash = hasher.finish();
    if let Some(known) = store().get(&hash) {
        return *known;
    }
    let asks = find(source, is_root);
    let mut store = store();
    if store.len() >= LIMIT {
        store.clear();
    }
    store.insert(hash, asks);
    asks
}

fn store() -> MutexGuard<'static, HashMap<u64, bool>> {
    STORE.lock().expect("nothing panics while the store is locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_what_would_be_found() {
        let sources = ["() => 1", "(event, next) => next()", "(event, next) => next.stepname", "() => 1"];
        for source in sources.iter().chain(&sources) {
            for is_root in [true, false, true] {
                assert_eq!(asks_for_rest(source, is_root), find(source, is_root), "{source} {is_root}");
            }
        }
    }

    #[test]
    fn the_store_never_exceeds_its_limit() {
        for number in 0..LIMIT + 10 {
            store().entry(number as u64).or_default();
        }
        asks_for_rest("() => 'one more'", false);
        assert!(store().len() <= LIMIT);
    }
}
