//! What the host has found in the texts of handlers' functions, for later isolates of the process: to parse each function
//! again is a large part of a reload.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{LazyLock, Mutex, MutexGuard};

use liveline_compiler::parameters::Parameters;

/// How many functions are known, at some 20 bytes each. When there are more, all are forgotten.
const LIMIT: usize = 16 << 10;

/// By the hash of a function's text and of where it stands, so that no entry is ever out of date.
static STORE: LazyLock<Mutex<HashMap<u64, Parameters>>> = LazyLock::new(Mutex::default);

/// What a function with this text can see of its arguments. `is_root` says that it stands at the root.
pub(super) fn parameters(source: &str, is_root: bool) -> Parameters {
    let mut hasher = DefaultHasher::new();
    (source, is_root).hash(&mut hasher);
    let hash = hasher.finish();
    if let Some(known) = store().get(&hash) {
        return *known;
    }
    let found = Parameters::of(source, is_root);
    let mut store = store();
    if store.len() >= LIMIT {
        store.clear();
    }
    store.insert(hash, found);
    found
}

fn store() -> MutexGuard<'static, HashMap<u64, Parameters>> {
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
                let expected = Parameters::of(source, is_root);
                assert_eq!(parameters(source, is_root), expected, "{source} {is_root}");
            }
        }
    }

    #[test]
    fn the_store_never_exceeds_its_limit() {
        for number in 0..LIMIT + 10 {
            store().insert(number as u64, Parameters::of("", true));
        }
        parameters("() => 'one more'", false);
        assert!(store().len() <= LIMIT);
    }
}
