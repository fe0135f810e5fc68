//! The repository, held to its own rules: who may import whom, what belongs together, what stays out.
//!
//! These tests read files; a failure lists every violation with its file and line. Rust is read line by line, not
//! parsed: that is enough for code in the house style, and keeps each rule short.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every module of the crate and what it may import, in the order of the picture in `src/lib.rs`.
const MODULES: &[(&str, &[&str])] = &[
    ("net", &["isolate", "trust"]),
    ("http", &["router", "isolate", "client", "ops", "dev", "trust", "observe", "engine", "ports", "wire"]),
    ("router", &[]),
    (
        "isolate",
        &["router", "client", "ops", "dev", "trust", "storage", "observe", "engine", "ports", "wire"],
    ),
    ("client", &["router", "ops"]),
    ("ops", &["dev", "trust", "storage", "observe", "engine", "ports", "wire"]),
    // What only `liveline dev` shows.
    ("dev", &["wire"]),
    ("trust", &["wire"]),
    ("storage", &[]),
    // It counts what passes through the others, so it only knows where lines are.
    ("observe", &["engine", "ports"]),
    ("engine", &["wire"]),
    // It drives the engine, so it is the one that looks back.
    ("ports", &["engine", "wire"]),
    ("wire", &[]),
];

/// The command line starts everything, so it may import everything; it is not on a request's way.
const COMMAND_LINE: &str = "cli";

/// The only modules that may name the JavaScript engine.
const BRIDGES: [&str; 2] = ["isolate", "ops"];

/// Marks a file of `runtime-js/` that runs in browsers too.
const PORTABLE: &str = " *";

/// What the sans-IO engine has no use for.
const WORLD: [&str; 10] = [
    "tokio",
    "hyper",
    "getrandom",
    "rand",
    "Instant::now",
    "SystemTime",
    "Mutex",
    "RwLock",
    "std::fs",
    "std::thread",
];

/// The classes that `#[class(...)]` spells without quotes; JavaScript has them already.
const BUILT_IN_CLASSES: [&str; 7] = ["generic", "inherit", "range", "reference", "syntax", "type", "uri"];

const LONGEST_FILE: usize = 1_000;

#[test]
fn modules_import_only_what_they_may() {
    let mut violations = Vec::new();
    for file in files_under("src/").iter().filter(|file| !matches!(&*file.path, "src/lib.rs" | "src/main.rs"))
    {
        let module = file.module();
        let Some(allowed) = imports_of(module) else {
            violations.push(format!("{}: `{module}` is no module of tests/it/architecture.rs", file.path));
            continue;
        };
        for (line, code) in file.code() {
            for imported in named_after("crate::", code) {
                if imported.is_empty() {
                    violations.push(format!("{}: one `use crate::module` for each module", file.at(line)));
                } else if imported != module && !allowed.contains(&imported) {
                    let allowed = if allowed.is_empty() { "nothing".into() } else { allowed.join(", ") };
                    violations.push(format!(
                        "{}: `{module}` names crate::{imported}; it may import {allowed}",
                        file.at(line)
                    ));
                }
            }
        }
        for (line, _) in file.code().filter(|(_, code)| leaves_the_module(&file.path, code)) {
            violations.push(format!("{}: reaches the crate's root by `super`; say `crate`", file.at(line)));
        }
    }
    expect_none("imports go one way", violations);
}

#[test]
fn the_picture_shows_every_module_in_order() {
    let lib = file("src/lib.rs");
    let modules: Vec<_> = MODULES.iter().map(|(name, _)| *name).collect();

    let shown: Vec<_> = words_of_picture(&lib.content);
    assert_eq!(
        shown, modules,
        "the picture in src/lib.rs does not show the modules in the order of the imports"
    );

    let declared: BTreeSet<_> =
        lib.code().filter_map(|(_, code)| code.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let known: BTreeSet<_> = modules.into_iter().chain([COMMAND_LINE]).collect();
    assert_eq!(declared, known, "src/lib.rs declares other modules than tests/it/architecture.rs knows");
}

#[test]
fn only_the_bridges_name_the_javascript_engine() {
    let mut violations = Vec::new();
    for file in files_under("src/").iter().filter(|file| !BRIDGES.contains(&file.module())) {
        for (line, code) in file.code() {
            for word in
                words(code).filter(|word| word.starts_with("deno_") || word.split('_').any(|it| it == "v8"))
            {
                violations.push(format!("{}: names {word}", file.at(line)));
            }
        }
    }
    expect_none("only src/isolate/ and src/ops/ know the JavaScript engine", violations);
}

#[test]
fn the_engine_does_no_io() {
    let engine = files_under("src/engine/");
    let card = file("src/engine/mod.rs");
    let mut violations = Vec::new();
    for file in engine.iter().filter(|file| !is_declared_for_tests(&card.content, file)) {
        for (line, code) in file.production_code() {
            for name in WORLD.iter().filter(|name| names(code, name)) {
                violations.push(format!("{}: names {name}", file.at(line)));
            }
        }
    }
    expect_none("the engine gets time as an argument and answers with actions", violations);
}

#[test]
fn every_file_for_browsers_is_bundled_and_described() {
    let sums = file("src/browser/bundles/sums.json");
    let inputs = sums.lines().filter_map(|(_, line)| quoted(line)?.strip_prefix("runtime-js/"));
    // The bundles name built-ins plainly.
    let bundled: BTreeSet<_> = inputs.chain(["primordials.js"]).map(str::to_owned).collect();
    let readme = file("runtime-js/README.md");
    let cells = |line: &str| line.split('|').nth(1).map(|cell| cell.trim().to_owned());
    let named: BTreeSet<_> = readme.content.lines().filter_map(cells).collect();
    let card = file("runtime-js/client/README.md");
    let described: BTreeSet<_> = card.content.lines().filter_map(cells).collect();
    let portable = named.iter().filter_map(|name| Some(name.strip_suffix(PORTABLE)?.to_owned()));
    let mut clients = files_under("runtime-js/client/");
    clients.retain(|file| file.path.ends_with(".js"));
    let client_names = clients.iter().map(|file| file.path["runtime-js/".len()..].to_owned());

    let mut violations = Vec::new();
    let mut present = BTreeSet::new();
    for name in portable.chain(client_names) {
        if !bundled.contains(&name) {
            violations.push(format!("runtime-js/{name}: no bundle uses it"));
        }
        if name.strip_prefix("client/").is_some_and(|name| !described.contains(name)) {
            violations.push(format!("runtime-js/{name}: not in the table of {}", card.path));
        }
        present.insert(name);
    }
    violations.extend(bundled.difference(&present).map(|name| {
        format!("{}: {name} is neither of client/ nor marked{PORTABLE} in {}", sums.path, readme.path)
    }));
    for script in &clients {
        for (line, text) in script.lines() {
            let Some(source) = text.split(" from ").nth(1).and_then(quoted) else { continue };
            let name = &script.path["runtime-js/".len()..];
            if !imported_path(name, source).is_some_and(|name| bundled.contains(&name)) {
                violations.push(format!("{}: imports {source}", script.at(line)));
            }
        }
    }
    expect_none("a file that browsers run is bundled and described, and imports only such files", violations);
}

#[test]
fn every_error_class_is_registered() {
    let errors = file("runtime-js/errors/errors.js");
    let registered: BTreeSet<_> = errors.code().flat_map(|(_, code)| words(code)).collect();
    let mut violations = Vec::new();
    for file in files_under("src/") {
        for (line, code) in file.code() {
            let Some(class) = code.trim().strip_prefix("#[class(").and_then(|rest| rest.strip_suffix(")]"))
            else {
                continue;
            };
            let known = match quoted(class) {
                Some(name) => registered.contains(name),
                None => BUILT_IN_CLASSES.contains(&class),
            };
            if !known {
                violations.push(format!("{}: {class} is not registered in {}", file.at(line), errors.path));
            }
        }
    }
    expect_none("an unregistered error class reaches JavaScript as `undefined`", violations);
}

#[test]
fn no_file_is_too_long() {
    let sources = ["src/", "runtime-js/", "tests/", "xtask/"].into_iter().flat_map(files_under);
    let long = sources.filter(|file| file.lines().count() > LONGEST_FILE);
    expect_none(
        &format!("no file is longer than {LONGEST_FILE} lines"),
        long.map(|file| format!("{}: {} lines", file.path, file.lines().count())),
    );
}

#[test]
fn nothing_names_a_machine() {
    let homes = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    // Tests that need a path of somebody's may use this one.
    let made_up = format!("/{}/me/", "home");
    let mut violations = Vec::new();
    for file in repository() {
        for (line, text) in file.lines() {
            for home in &homes {
                if is_absolute_in(&text.replace(&made_up, ""), home) {
                    violations.push(format!("{}: an absolute path below {home}", file.at(line)));
                }
            }
            // Cargo's name for its public registry, in every lock file.
            let text = text.replace("https://github.com/rust-lang/crates.io-index", "");
            for host in named_after("://", &text).filter(|host| is_registry(host)) {
                violations.push(format!("{}: names the registry {host}", file.at(line)));
            }
        }
    }
    expect_none("the repository means the same on every machine", violations);
}

// --- rules

fn imports_of(module: &str) -> Option<Vec<&'static str>> {
    match module {
        COMMAND_LINE => Some(MODULES.iter().map(|(name, _)| *name).collect()),
        _ => MODULES.iter().find(|(name, _)| *name == module).map(|(_, imports)| imports.to_vec()),
    }
}

/// Whether an import climbs to the crate's root. Each inline module is one step more, and one more indentation.
fn leaves_the_module(path: &str, code: &str) -> bool {
    let folders = path.split('/').count() - if path.ends_with("/mod.rs") { 2 } else { 1 };
    let inline = (code.len() - code.trim_start().len()) / 4;
    code.contains("use super::") && code.matches("super::").count() >= folders + inline
}

/// The folders of the picture: `net/   ->   http/  -> …`.
fn words_of_picture(lib: &str) -> Vec<&str> {
    let picture = lib.lines().find(|line| line.contains("/ ") && line.contains("->")).unwrap_or_default();
    picture.split_whitespace().filter_map(|word| word.strip_suffix('/')).collect()
}

fn is_declared_for_tests(card: &str, file: &Text) -> bool {
    let name = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    // Of a file that would be too long with its tests they stand in a folder beside it.
    name == "tests" || file.path.contains("/tests/") || card.contains(&format!("#[cfg(test)]\nmod {name};"))
}

/// Whether `path` occurs as the start of a path, not in the middle of a longer one.
fn is_absolute_in(text: &str, path: &str) -> bool {
    let longer = |before: char| before.is_alphanumeric() || "._-}/*".contains(before);
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(longer))
}

/// Whether a host is one that packages come from: a public registry or somebody's mirror.
fn is_registry(host: &str) -> bool {
    const SIGNS: [&str; 9] =
        ["artifact", "crates.io", "debian.org", "index", "mirror", "nexus", "npmjs", "pypi", "registry"];
    // Names that are reserved for examples belong to nobody.
    !host.ends_with(".example") && host.contains('.') && SIGNS.iter().any(|sign| host.contains(sign))
}

/// Fails with every violation, if there are any.
#[track_caller]
fn expect_none(rule: &str, violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{rule}, but:\n  {}", violations.join("\n  "));
}

// --- text

/// A file of the repository.
struct Text {
    /// From the root, with `/` between folders.
    path: String,
    content: String,
}

impl Text {
    /// The module of the crate that a file of `src/` belongs to.
    fn module(&self) -> &str {
        let name = self.path.split('/').nth(1).unwrap_or_default();
        name.strip_suffix(".rs").unwrap_or(name)
    }

    /// `file:line`, as editors understand it.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// Its lines by number.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.content.lines().zip(1..).map(|(text, line)| (line, text))
    }

    /// Its lines without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(line, text)| match text {
            comment if comment.trim_start().starts_with("//") => (line, ""),
            code => (line, code.split(" // ").next().unwrap_or_default()),
        })
    }

    /// The lines before its tests, which stand last.
    fn production_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.content.find("#[cfg(test)]\nmod tests {").unwrap_or(self.content.len());
        let lines = self.content[..tests].lines().count();
        self.code().take(lines)
    }

    /// The lines of a list, from the one after `start` to the one before `end`.
    fn between(&self, start: &str, end: &str) -> impl Iterator<Item = (usize, &str)> {
        self.code()
            .skip_while(move |(_, code)| !code.ends_with(start))
            .skip(1)
            .take_while(move |(_, code)| code.trim() != end)
    }
}

/// The words of a line: identifiers and numbers.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !is_of_word(character)).filter(|word| !word.is_empty())
}

/// Whether a line contains a name, and not only as part of a longer one.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_of_word) && !text[at + name.len()..].starts_with(is_of_word))
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What follows each `prefix`: a name, or a host with its dots.
fn named_after<'t>(prefix: &'t str, text: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|it: char| !is_of_word(it) && it != '.' && it != '-').unwrap_or(rest.len());
        &rest[..end]
    })
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

// --- files

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One file, which must be there.
#[track_caller]
fn file(path: &str) -> Text {
    let content = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Text { path: path.into(), content }
}

/// What a relative import in a file of `runtime-js/` names, as a path in that folder.
fn imported_path(file: &str, source: &str) -> Option<String> {
    if let Some(path) = source.strip_prefix("../") {
        return Some(path.to_owned());
    }
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    Some(format!("{folder}{}", source.strip_prefix("./")?))
}

fn files_under(folder: &str) -> Vec<Text> {
    let mut files = repository();
    files.retain(|file| file.path.starts_with(folder));
    assert!(!files.is_empty(), "there is nothing in {folder}");
    files
}

/// Every text file that belongs to the repository.
fn repository() -> Vec<Text> {
    let paths = listed_by_git().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(root(), "", &mut found);
        found
    });
    let read = |path: String| Some(Text { content: fs::read_to_string(root().join(&path)).ok()?, path });
    // What cannot be read is no text, or was deleted and is still in git's index.
    paths.into_iter().filter_map(read).collect()
}

/// The files git knows or would add. `None` without git, or where the files were copied without their history.
fn listed_by_git() -> Option<Vec<String>> {
    if !root().join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let listed = git.output().ok().filter(|output| output.status.success())?;
    let paths = String::from_utf8(listed.stdout).ok()?;
    Some(paths.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        match entry.file_type().expect("what an entry is") {
            kind if kind.is_file() => found.push(path),
            kind if kind.is_dir() && !["target", ".git", "node_modules"].contains(&&*name) => {
                walk(&entry.path(), &format!("{path}/"), found);
            }
            _ => {}
        }
    }
}
