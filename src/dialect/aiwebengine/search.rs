//! Which files of a project are scripts of aiwebengine: those in its own folder, in `src/` and in folders of scripts whose
//! text calls what aiwebengine has.

use std::fs;
use std::path::{Path, PathBuf};

use liveline_compiler::classic::Script;

use crate::router::Layout;

/// Names that only scripts of aiwebengine call without declaring or importing them.
const STRONG: [&str; 14] = [
    "register",
    "registerWebSocket",
    "registerWebStream",
    "sendStreamMessage",
    "registerGraphQLQuery",
    "registerGraphQLMutation",
    "registerGraphQLSubscription",
    "sendSubscriptionMessage",
    "writeLog",
    "routeRegistry",
    "graphQLRegistry",
    "schedulerService",
    "dispatcher",
    "mcpRegistry",
];

const EXTENSIONS: [&str; 5] = ["js", "jsx", "mjs", "ts", "tsx"];

/// Folders that no script of the server is in.
const OTHERS: [&str; 6] = ["node_modules", "public", "static", "assets", "dist", "target"];
/// The folder of a project's code, with a folder for each app.
const SOURCES: &str = "src";
/// Folders of scripts.
const FOLDERS: [&str; 3] = ["scripts", "example_scripts", "test_scripts"];

/// How deep scripts may lie, in folders.
const MAX_DEPTH: usize = 5;
/// How many files and folders are looked at.
const MAX_ENTRIES: usize = 5000;
/// The longest script, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

/// How sure the pieces of evidence make the dialect.
const NAME: u32 = 40;
const MOST_NAMES: u32 = 80;
const INIT: u32 = 40;
const FOLDER: u32 = 10;
/// The first line refers to aiwebengine's types, or names the dialect.
const DECLARED: u32 = 1000;

/// The scripts of a project in the order of their paths, each with how sure it is that it is one.
pub(super) fn scripts(layout: &Layout) -> Vec<(PathBuf, u32)> {
    if let Some(entry) = &layout.entry {
        // A file that was named is no application of another dialect if it is a script.
        let score = score_of(entry);
        return score.map(|score| (entry.clone(), score + MOST_NAMES)).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut left = MAX_ENTRIES;
    let has_handlers = layout.routes != layout.root;
    walk(&layout.root, layout, 0, &mut left, &mut found);
    if has_handlers {
        // The folder of another dialect's routes holds handlers.
        found.retain(|(file, _)| !file.starts_with(&layout.routes));
    }
    found
}

/// Whether a file may be a script by its text, wherever it lies in the project.
pub(super) fn may_be_script(layout: &Layout, file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.starts_with(&layout.root) && is_candidate(file, &name) && score_of(file).is_some()
}

fn walk(folder: &Path, layout: &Layout, depth: usize, left: &mut usize, found: &mut Vec<(PathBuf, u32)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().take(*left).map(|entry| entry.path()).collect();
    *left = left.saturating_sub(paths.len());
    paths.sort();
    let mut folders = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            // Other folders of a project may hold other projects, or code for browsers.
            let may_hold = depth > 0 || FOLDERS.contains(&&*name) || name == SOURCES;
            let is_other = OTHERS.contains(&&*name) || Some(&*path) == layout.public.as_deref();
            if may_hold && !is_other && depth < MAX_DEPTH {
                folders.push(path);
            }
        } else if is_candidate(&path, &name)
            && let Some(score) = score_of(&path)
        {
            found.push((path, score));
        }
    }
    for folder in folders {
        walk(&folder, layout, depth + 1, left, found);
    }
}

fn is_candidate(path: &Path, name: &str) -> bool {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let is_test = name.contains(".test.") || name.contains(".spec.");
    EXTENSIONS.contains(&extension)
        && !is_test
        && !name.starts_with("handler.")
        && !name.ends_with(".d.ts")
        && path.metadata().is_ok_and(|it| it.len() <= MAX_SCRIPT)
}

/// How sure it is that a file is a script; `None` where nothing suggests it.
fn score_of(path: &Path) -> Option<u32> {
    let source = fs::read_to_string(path).ok()?;
    let first = source.lines().next().unwrap_or_default();
    let is_declared = first.contains("aiwebengine.d.ts")
        || super::super::directive::named(&source).as_deref() == Some("aiwebengine");
    // Most files are not parsed.
    if !is_declared && !STRONG.iter().any(|name| source.contains(name)) {
        return None;
    }
    let script = Script::of(path, &source);
    let Some(script) = script else {
        // The error in it is shown where the file is surely a script.
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let is_surely = is_declared || FOLDERS.contains(&&*folder);
        return is_surely.then_some(if is_declared { DECLARED } else { NAME + FOLDER });
    };
    let uses_packages =
        script.imports.iter().any(|it| !it.starts_with(['.', '/']) && it != "react/jsx-runtime");
    let names = STRONG.iter().filter(|name| script.free.contains(**name)).count();
    let has_init = script.declared.contains("init");
    if !is_declared && (names == 0 || uses_packages || (script.exports && !has_init)) {
        return None;
    }
    let mut score = (NAME * u32::try_from(names).unwrap_or(u32::MAX)).min(MOST_NAMES);
    score += if has_init { INIT } else { 0 };
    let in_folder = path.iter().any(|part| FOLDERS.iter().any(|known| part == *known));
    score += if in_folder { FOLDER } else { 0 };
    Some(if is_declared { score + DECLARED } else { score })
}

#[cfg(test)]
mod tests {
    use crate::dialect::found;

    #[test]
    fn scripts_are_one_application() {
        let files = [
            ("a.js", "registerWebStream('/a');"),
            (
                "scripts/b.ts",
                "function init(context: unknown) { routeRegistry.registerRoute('/b', 'b', 'GET'); }",
            ),
            ("src/c/c.tsx", "export function init() { routeRegistry.registerRoute('/c', 'c', 'GET'); }"),
        ];
        let expected = [
            "aiwebengine / a.js",
            "aiwebengine script scripts/b.ts scripts/b.ts",
            "aiwebengine script src/c/c.tsx src/c/c.tsx",
        ];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn a_first_line_decides() {
        assert_eq!(found(&[("a.js", "// dialect: aiwebengine\nlet n = 0;")]), ["aiwebengine / a.js"]);
        let types = "/// <reference path=\"../../types/aiwebengine.d.ts\" />\nfunction init() {}";
        assert_eq!(found(&[("a.ts", types)]), ["aiwebengine / a.ts"]);
    }

    #[test]
    fn other_files_are_no_scripts() {
        for text in [
            "export default function (fastify) { fastify.register(1); }",
            "import { register } from './x.js'; register('/a', 'a');",
            "import express from 'express'; register('/a', 'a');",
            "function register() {} register('/a', 'a');",
            "test('a', () => {}); h('div');",
            "export const a = writeLog;",
        ] {
            assert_eq!(found(&[("a.js", text)]), [""; 0], "{text}");
        }
        assert_eq!(found(&[("public/a.js", "writeLog('a')"), ("a.test.js", "writeLog('a')")]), [""; 0]);
    }
}
