//! Every document's relative links lead somewhere, and every path of the repository that it names exists. So does every
//! document that a source file names.
//!
//! | in a document | what has to be true |
//! |---|---|
//! | `[text](path)` | the file or folder exists, relative to the document |
//! | `[text](path.md#heading)` | the other document has that heading, by GitHub's rule for anchors |
//! | ``[`name`](path.rs)`` | the file declares or mentions `name`; of `Type::name` the last part |
//! | `` `src/path` `` | it exists in the repository; likewise `crates/`, `runtime-js/`, `tests/` and others |
//! | `` `name` in `src/path.rs` ``, `` `src/path.rs` (`name`) `` | the file declares or mentions `name` |

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::root;

/// Folders of the repository. A code span that begins with one of them is a path.
const FOLDERS: [&str; 7] = ["src/", "crates/", "runtime-js/", "tests/", "xtask/", "docs/", "examples/"];

/// Extensions of source files, in which a linked name is looked for.
const SOURCES: [&str; 5] = ["rs", "js", "mjs", "ts", "toml"];

#[test]
fn every_link_and_every_path_in_the_documents_exists() {
    let documents = documents();
    assert!(documents.len() > 30, "only {} documents were found", documents.len());
    let broken: Vec<_> = documents.iter().flat_map(|document| broken_in(document)).collect();
    assert!(broken.is_empty(), "{} are broken:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_document_that_a_source_file_names_exists() {
    let is_source =
        |path: &PathBuf| path.extension().is_some_and(|it| SOURCES.iter().any(|source| it == *source));
    let sources = files()
        .into_iter()
        .filter(|path| is_source(path) && !path.starts_with("tests") && !path.starts_with("xtask/tests"));
    let mut named = 0;
    for path in sources {
        let source = fs::read_to_string(root().join(&path)).expect("a source file");
        let words = source.split(|it: char| !it.is_alphanumeric() && !matches!(it, '/' | '-' | '_' | '.'));
        for document in words.filter(|word| word.starts_with("docs/") && word.ends_with(".md")) {
            assert!(root().join(document).exists(), "{} names {document}", path.display());
            named += 1;
        }
    }
    assert!(named > 0, "no source file names a document");
}

/// The documents at the root, all of docs/, and the README of every folder.
fn documents() -> Vec<PathBuf> {
    let is_document = |path: &PathBuf| {
        let is_placed = path.parent() == Some(Path::new("")) || path.starts_with("docs");
        path.extension().is_some_and(|it| it == "md") && (is_placed || path.ends_with("README.md"))
    };
    files().into_iter().filter(is_document).collect()
}

/// The files of the repository, without those that tools have put there.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_foreign = name.starts_with('.') || ["target", "node_modules"].contains(&name.as_str());
            let path = folder.join(name);
            match entry.file_type().expect("a type").is_dir() {
                true => folders.extend((!is_foreign).then_some(path)),
                false => found.push(path),
            }
        }
    }
    found
}

/// One sentence for each link and path of a document that leads nowhere.
fn broken_in(document: &Path) -> Vec<String> {
    let markdown = fs::read_to_string(root().join(document)).expect("a document");
    let prose = without_fences(&markdown);
    let folder = document.parent().unwrap_or(Path::new(""));
    let links = links(&prose).into_iter().filter_map(|link| Some((link.line, link.fault(document, folder)?)));
    let paths = spans(&prose).filter_map(|(line, span)| Some((line, fault_of_path(span)?)));
    let names =
        named_places(&prose).filter_map(|(line, name, path)| Some((line, fault_of_name(name, path)?)));
    let faults = links.chain(paths).chain(names);
    faults.map(|(line, fault)| format!("{}:{line}: {fault}", document.display())).collect()
}

/// The text with empty lines in place of fenced blocks, so that line numbers stay.
fn without_fences(markdown: &str) -> String {
    let mut is_inside = false;
    let lines = markdown.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        let is_hidden = is_inside || is_fence;
        is_inside ^= is_fence;
        if is_hidden { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A link to another place than the web.
struct Link<'t> {
    line: usize,
    text: &'t str,
    target: &'t str,
}

/// The links `[text](target)`; a text may go over lines, code spans hold none.
fn links(prose: &str) -> Vec<Link<'_>> {
    let code: Vec<_> = code_spans(prose).collect();
    let is_code = |at: usize| code.iter().any(|&(start, end)| start <= at && at < end);
    let ends = prose.match_indices("](").map(|(at, _)| at).filter(|&at| !is_code(at));
    let links = ends.filter_map(|end| {
        let start = prose[..end].rfind('[')? + 1;
        let target = prose[end + 2..].split(')').next()?;
        let line = line_of(prose, end);
        (!target.contains("://")).then_some(Link { line, text: &prose[start..end], target })
    });
    links.collect()
}

impl Link<'_> {
    fn fault(&self, document: &Path, folder: &Path) -> Option<String> {
        let (path, heading) = self.target.split_once('#').unwrap_or((self.target, ""));
        let path = if path.is_empty() { document.to_owned() } else { normalized(&folder.join(path)) };
        if !root().join(&path).exists() {
            return Some(format!("({}) leads to {}, which does not exist", self.target, path.display()));
        }
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if !heading.is_empty() {
            let is_there = extension == "md" && anchors(&path).iter().any(|anchor| anchor == heading);
            return (!is_there).then(|| format!("{} has no heading #{heading}", path.display()));
        }
        let name = self.text.strip_prefix('`')?.strip_suffix('`')?;
        let is_name = !path.ends_with(name) && !name.contains('`');
        is_name.then(|| fault_of_name(name, &path)).flatten()
    }
}

/// A source file has to contain the name; of `Type::name` and `Type.name()` the last part counts.
fn fault_of_name(name: &str, path: &Path) -> Option<String> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let name = name.trim_end_matches("()").rsplit([':', '.']).next().unwrap_or(name);
    if !SOURCES.contains(&extension) || !root().join(path).exists() {
        return None;
    }
    let source = fs::read_to_string(root().join(path)).expect("a source file");
    let is_named = source.split(|it: char| !is_of_name(it)).any(|word| word == name);
    (!is_named).then(|| format!("{} has no `{name}`", path.display()))
}

/// Code spans that say where a name is: `` `name` in `path` `` and `` `path` (`name`) ``.
fn named_places(prose: &str) -> impl Iterator<Item = (usize, &str, &Path)> {
    let spans: Vec<_> = code_spans(prose).collect();
    let pairs = spans.into_iter().scan(None, |before, span| Some((before.replace(span), span)));
    pairs.filter_map(|(before, (start, end))| {
        let (first, last) = before?;
        let (one, two) = (prose[first..last].trim_matches('`'), prose[start..end].trim_matches('`'));
        let is_path = |span: &str| FOLDERS.iter().any(|folder| span.starts_with(folder));
        let line = line_of(prose, start);
        match prose[last..start].split_whitespace().collect::<Vec<_>>()[..] {
            ["in"] if is_path(two) && !is_path(one) => Some((line, one, Path::new(two))),
            ["("] if is_path(one) && prose[end..].starts_with(')') => Some((line, two, Path::new(one))),
            _ => None,
        }
    })
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '#' | '$')
}

/// A code span that begins with a folder of the repository has to exist, up to a wildcard or a placeholder.
fn fault_of_path(span: &str) -> Option<String> {
    // `docs/mod::test` names a test, which promises.rs checks.
    let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains("::");
    if !is_path || span.contains([' ', '(']) {
        return None;
    }
    let is_fixed = |part: &&str| !part.contains('*') && !is_placeholder(part);
    let fixed: PathBuf = span.split('/').take_while(is_fixed).collect();
    (!root().join(&fixed).exists()).then(|| format!("`{span}` does not exist"))
}

/// `TARGET`, `NAME.md` and `x.rs` stand for any name; `README.md` does not.
fn is_placeholder(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    stem == "x" || stem != "README" && !stem.is_empty() && stem.chars().all(|it| it.is_ascii_uppercase())
}

/// The code spans of one line each, with the number of the line.
fn spans(prose: &str) -> impl Iterator<Item = (usize, &str)> {
    code_spans(prose).map(|(start, end)| (line_of(prose, start), prose[start..end].trim_matches('`')))
}

/// Where code spans begin and end, their backticks included.
fn code_spans(prose: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + prose[at..].find('`')?;
        let ticks = prose[start..].len() - prose[start..].trim_start_matches('`').len();
        let inside = start + ticks;
        let length = prose[inside..].find(&prose[start..inside]).unwrap_or(0);
        at = inside + length + if length == 0 { 0 } else { ticks };
        Some((start, at))
    })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The anchors of a document's headings: GitHub numbers those that repeat.
fn anchors(document: &Path) -> Vec<String> {
    let markdown = fs::read_to_string(root().join(document)).expect("a document");
    let mut seen = HashMap::new();
    let prose = without_fences(&markdown);
    let headings = prose.lines().filter(|line| line.trim_start_matches('#').starts_with(' '));
    let headings = headings.filter(|line| line.starts_with('#'));
    let anchors = headings.map(|line| {
        let anchor = anchor(line.trim_start_matches('#').trim());
        let count = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *count == 0 { anchor } else { format!("{anchor}-{count}") }
    });
    anchors.collect()
}

/// GitHub's rule: lower case, no punctuation but `-` and `_`, `-` for each space. Of a link its text counts.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let kept = text.to_lowercase().replace(' ', "-");
    kept.chars().filter(|&it| it.is_alphanumeric() || matches!(it, '-' | '_')).collect()
}

fn normalized(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

#[test]
fn anchors_are_githubs() {
    assert_eq!(anchor("The event"), "the-event");
    assert_eq!(
        anchor("event.redirectWith(url, values, status) and event.thread"),
        "eventredirectwithurl-values-status-and-eventthread"
    );
    assert_eq!(anchor("`liveline top`"), "liveline-top");
    assert_eq!(anchor("[LiveResponse](a.md) and more"), "liveresponse-and-more");
    assert_eq!(anchor("A max_heap — limit"), "a-max_heap--limit");
}

#[test]
fn a_broken_link_is_found() {
    let faults = |text: &str| {
        let links =
            links(text).into_iter().filter_map(|link| link.fault(Path::new("README.md"), Path::new("")));
        let paths = spans(text).filter_map(|(_, span)| fault_of_path(span));
        let names = named_places(text).filter_map(|(_, name, path)| fault_of_name(name, path));
        links.chain(paths).chain(names).collect::<Vec<_>>()
    };
    assert_eq!(
        faults("[a](docs/wire.md), `src/main.rs`, `tests/it/*.rs`, [b](https://example.org/x)"),
        [""; 0]
    );
    assert_eq!(
        faults("[over\nlines](docs/none.md)"),
        ["(docs/none.md) leads to docs/none.md, which does not exist"]
    );
    assert_eq!(faults("[a](docs/wire.md#none)"), ["docs/wire.md has no heading #none"]);
    assert_eq!(faults("[a](#none)"), ["README.md has no heading #none"]);
    assert_eq!(faults("[`no_such_name`](src/main.rs)"), ["src/main.rs has no `no_such_name`"]);
    assert_eq!(faults("`src/none.rs`"), ["`src/none.rs` does not exist"]);
    assert_eq!(faults("`main` in `src/main.rs`; `src/main.rs` (`main`)"), [""; 0]);
    assert_eq!(faults("`gone` in\n`src/main.rs`"), ["src/main.rs has no `gone`"]);
    assert_eq!(faults("`src/main.rs` (`gone`)"), ["src/main.rs has no `gone`"]);
    assert_eq!(faults("`[a](none.md)`"), [""; 0]);
}
