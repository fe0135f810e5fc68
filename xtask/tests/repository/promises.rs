//! docs/security.md: every promise names the tests that hold it; docs/webflo.md: so does every row. Those tests exist.

use std::fs;

use super::root;

/// The tests that a text names: `file::test` of `tests/it/`, `browser/file::title` of `tests/browser/`.
fn tests_in(text: &str) -> Vec<(&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect()
}

#[track_caller]
fn expect_tests(text: &str) {
    let tests = tests_in(text);
    assert!(!tests.is_empty(), "no test holds: {text}");
    for (file, test) in tests {
        let (path, is_declared): (_, &dyn Fn(&str) -> bool) = match file.strip_prefix("browser/") {
            Some(file) => (root().join(format!("tests/browser/{file}.test.mjs")), &|source| {
                source.contains(&format!("async \"{test}\"("))
            }),
            None => (root().join("tests/it").join(file).with_extension("rs"), &|source| {
                source.contains(&format!("#[test]\nfn {test}()"))
            }),
        };
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}::{test}: {error}"));
        assert!(is_declared(&source), "{} has no test {test}, which should hold: {text}", path.display());
    }
}

#[test]
fn every_promise_about_security_is_held_by_a_test() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page exists");
    let items = page.split("\n- ").skip(1).map(|item| item.split("\n\n").next().unwrap_or(item));
    let promises: Vec<_> = items.collect();

    assert!(promises.len() > 20, "the page has only {} promises", promises.len());
    promises.into_iter().for_each(expect_tests);
}

#[test]
fn every_row_about_webflo_is_held_by_a_test() {
    let page = fs::read_to_string(root().join("docs/webflo.md")).expect("the page exists");
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| what ");
    let rows: Vec<_> = page.lines().filter(is_row).collect();

    assert!(rows.len() > 100, "the page has only {} rows", rows.len());
    for row in rows {
        // A bar within code is escaped.
        let row = row.replace("\\|", "/");
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [what, verdict, note, tests] = cells[..] else { panic!("a row has four cells: {row}") };
        assert!(["works", "differs", "absent"].contains(&verdict), "{what}: {verdict}");
        assert!(verdict == "works" || !note.is_empty(), "{what} is {verdict}, and the row does not say how");
        expect_tests(tests);
    }
}
