//! The classes of errors that ops throw into JavaScript.

use super::{expect_none, files_under};

/// The file that registers the classes.
const ERRORS: &str = "runtime-js/errors/errors.js";

/// The classes that `#[class(...)]` names without quotes. JavaScript has them by itself.
const BUILT_IN: [&str; 7] = ["generic", "inherit", "range", "reference", "syntax", "type", "uri"];

#[test]
fn every_error_class_is_registered() {
    let errors = files_under(&[ERRORS]).remove(0);
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let registered: Vec<_> = errors.content.split(|character| !is_of_word(character)).collect();
    let mut violations = Vec::new();
    let mut count = 0;
    for file in files_under(&["src/", "crates/"]) {
        for (line, code) in file.lines() {
            let Some(class) = code.trim().strip_prefix("#[class(").and_then(|rest| rest.strip_suffix(")]"))
            else {
                continue;
            };
            count += 1;
            let name = class.trim_matches('"');
            if !registered.contains(&name) && !BUILT_IN.contains(&class) {
                violations.push(format!("{}: {class} is not registered in {ERRORS}", file.at(line)));
            }
        }
    }
    assert!(count > 0, "no `#[class(...)]` was found");
    expect_none("an error whose class is not registered is `undefined` in JavaScript", violations);
}
