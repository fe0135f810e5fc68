//! The JavaScript halves of Deno's crates.
//!
//! `deno_core::extension!` records the paths of such files instead of their text, so a binary without a startup
//! snapshot would read them from cargo's registry at run time. The build script of this crate compiles them to plain
//! JavaScript and embeds the result. No JavaScript engine is needed to build it.

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The compiled text of a file of one of Deno's crates, by the path that the crate's extension has for it.
///
/// A classic script is a function body that returns the script's one expression, as `deno_core` evaluates it.
pub fn source(path: &str) -> Option<&'static str> {
    FILES.binary_search_by_key(&path, |(known, _)| known).ok().map(|index| FILES[index].1)
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn files_are_sorted_and_ascii() {
        assert!(FILES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (path, source) in FILES {
            assert!(source.is_ascii(), "{path}");
        }
    }

    #[test]
    fn types_are_gone_and_scripts_are_function_bodies() {
        let named = |name: &str| {
            let found = FILES.iter().find(|(path, _)| path.ends_with(name));
            found.unwrap_or_else(|| panic!("{name} is embedded")).1
        };
        assert!(named("02_event.js").starts_with("\"use strict\"; return ("));
        if cfg!(feature = "node") {
            assert!(named("polyfills/fs.ts").starts_with("\"use strict\"; return ("));
            assert!(!named("polyfills/fs.ts").contains(": string"));
            assert!(named("polyfills/fs_esm.ts").contains("export"));
        }
    }
}
