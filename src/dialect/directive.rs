//! The directive by which a file names its dialect: `// dialect: workers` as the first line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// How much of a file is read for its first line, in bytes.
const HEAD: u64 = 256;

/// The name of the dialect that a file names. A file that cannot be read names none.
pub(super) fn of(file: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(file).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    named(&String::from_utf8_lossy(&head))
}

/// The name of the dialect that a text names in its first line.
pub(super) fn named(text: &str) -> Option<String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let first = lines.next().filter(|line| !line.starts_with("#!")).or_else(|| lines.next())?;
    let name = first.trim().strip_prefix("//")?.trim().strip_prefix("dialect:")?.trim();
    (!name.is_empty()).then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn the_first_line_names_a_dialect() {
        for (text, expected) in [
            ("// dialect: workers\nexport default 1", Some("workers")),
            ("\u{feff}//dialect:Webflo", Some("webflo")),
            ("#!/usr/bin/env node\n// dialect: fastify", Some("fastify")),
            ("\n// dialect: workers", None),
            ("// the dialect: workers", None),
            ("// dialect:", None),
            ("", None),
        ] {
            assert_eq!(named(text).as_deref(), expected, "{text}");
        }
    }
}
