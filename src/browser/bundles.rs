//! The scripts that browsers run: the app, its parts and the service worker's runtime.
//!
//! `cargo xtask bundle` makes them of `runtime-js/`, and writes them to `bundles/`; `xtask/bundle/bundle.mjs` documents
//! the form of each. They are the same for every site.

/// A classic script: an expression whose value is a function of the manifest.
pub(super) const APP: &str = include_str!("bundles/app.js");

/// A module whose default export is a function of the handlers.
pub(super) const WORKER: &str = include_str!("bundles/worker.js");

/// The app's parts by file name: modules whose default export is a function of what a part imports from the app.
pub(super) const PARTS: &[(&str, &str)] = embed!(
    named_text,
    "src/browser/bundles",
    [
        "binding.js",
        "classic.js",
        "device.js",
        "dialogs.js",
        "events.js",
        "forms.js",
        "handlers.js",
        "later.js",
        "live.js",
        "session.js",
        "sockets.js",
        "user.js",
    ]
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use sha2::{Digest as _, Sha256};

    use super::*;

    fn sums() -> BTreeMap<String, String> {
        serde_json::from_str(include_str!("bundles/sums.json")).expect("paths and sums")
    }

    #[test]
    fn bundles_are_made_of_the_files_that_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let is_stale = |(path, sum): &(String, String)| {
            let text = std::fs::read(root.join(path)).unwrap_or_default();
            crate::random::hexadecimal(&Sha256::digest(&text)) != *sum
        };
        let stale: Vec<_> = sums().into_iter().filter(is_stale).map(|(path, _)| path).collect();
        assert!(stale.is_empty(), "run `cargo xtask bundle`, because these files have changed: {stale:?}");
    }

    #[test]
    fn every_bundle_is_part_of_the_executable() {
        let sums = sums();
        let made: Vec<_> = sums.keys().filter_map(|path| path.strip_prefix("src/browser/bundles/")).collect();
        let mut embedded: Vec<_> =
            PARTS.iter().map(|(name, _)| *name).chain(["app.js", "worker.js"]).collect();
        embedded.sort_unstable();
        assert_eq!(embedded, made);
    }
}
