//! Which plain `handler.js` run in browsers, too.
//!
//! Browsers can read the code that they run, so a handler runs on the server only, with two exceptions: a file with the
//! directive `"use universal"`, and all plain handlers of a project that depends on Webflo. In such a project the directive
//! `"use server"` keeps a handler on the server, as the name `handler.server.js` does.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::router::Layout;

/// The package whose projects have universal handlers.
const WEBFLO: &str = "@webqit/webflo";

/// Where the plain handlers of a project run.
#[derive(Debug, Default)]
pub(super) struct Universal {
    /// Where a plain handler without a directive runs.
    usual: Places,
}

/// Where in browsers a plain handler runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// In pages.
    pub(super) client: bool,
    /// In the service worker.
    pub(super) worker: bool,
}

impl Universal {
    /// Reads the settings in the files of a project.
    pub(super) fn of(layout: &Layout) -> Universal {
        let json = |path: &str| -> Value {
            let text = fs::read_to_string(layout.project.join(path)).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or_default()
        };
        let package = json("package.json");
        let client =
            ["dependencies", "devDependencies"].iter().any(|kind| package[kind].get(WEBFLO).is_some());
        let settings = json(".webqit/webflo/client.json");
        let worker = client && settings["capabilities"]["service_worker"] != Value::Bool(false);
        Universal { usual: Places { client, worker } }
    }

    /// Where in browsers a plain handler runs.
    pub(super) fn places(&self, handler: &Path) -> Places {
        let source = fs::read(handler).unwrap_or_default();
        let directives = directives(&source);
        if directives.contains(&"use server") {
            Places::default()
        } else if directives.contains(&"use universal") {
            Places { client: true, worker: true }
        } else {
            self.usual
        }
    }
}

/// The directives of a file: the strings at its beginning, after comments.
fn directives(source: &[u8]) -> Vec<&str> {
    let Ok(mut rest) = std::str::from_utf8(source) else { return Vec::new() };
    rest = rest.trim_start_matches('\u{feff}');
    if rest.starts_with("#!") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start().trim_start_matches(';').trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else if let Some(quote) = rest.chars().next().filter(|quote| ['"', '\''].contains(quote)) {
            let Some((text, after)) = rest[1..].split_once(quote) else { return found };
            let line = after.lines().next().unwrap_or_default().trim_start();
            // The string is part of an expression.
            if !(line.is_empty() || line.starts_with(';') || line.starts_with("//") || line.starts_with("/*"))
            {
                return found;
            }
            found.push(text);
            rest = after;
        } else {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_the_strings_before_all_code() {
        for (source, expected) in [
            ("\"use universal\";\nexport default 1", vec!["use universal"]),
            ("// c\n/* d\n*/ 'use strict'; \"use universal\"\nlet a", vec!["use strict", "use universal"]),
            ("\u{feff}#!/usr/bin/env x\n'use server'", vec!["use server"]),
            ("'a' + 'use universal';", vec![]),
            ("let a; 'use universal'", vec![]),
            ("import 'use universal'", vec![]),
            ("// \"use universal\"", vec![]),
            ("'use universal", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(directives(source.as_bytes()), expected, "{source}");
        }
        assert!(directives(b"\xff'use universal'").is_empty());
    }
}
