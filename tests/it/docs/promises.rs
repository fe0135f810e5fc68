//! docs/security.md: every promise names the tests that hold it, and those exist.

use std::fs;

use super::root;

/// The items of the page's lists, each with the tests that it names as `file::test`.
fn promises(page: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let items = page.split("\n- ").skip(1).map(|item| item.split("\n\n").next().unwrap_or(item));
    let with_tests = items.map(|item| {
        let code = item.split('`').skip(1).step_by(2);
        (item, code.filter_map(|name| name.split_once("::")).collect())
    });
    with_tests.collect()
}

#[test]
fn every_promise_about_security_is_held_by_a_test() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page exists");
    let promises = promises(&page);

    assert!(promises.len() > 20, "the page has only {} promises", promises.len());
    for (promise, tests) in promises {
        assert!(!tests.is_empty(), "no test holds: {promise}");
        for (file, test) in tests {
            let path = root().join("tests/it").join(file).with_extension("rs");
            let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}::{test}: {error}"));
            let is_there = source.contains(&format!("#[test]\nfn {test}()"));
            assert!(is_there, "tests/it/{file}.rs has no test {test}, which should hold: {promise}");
        }
    }
}
