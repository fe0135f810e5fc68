//! The length of files, and names of machines in them.

use super::{expect_none, files_under, repository};

/// In lines.
const LONGEST_FILE: usize = 1_000;

#[test]
fn no_source_file_is_too_long() {
    let sources = files_under(&["src/", "crates/", "runtime-js/", "tests/", "xtask/"]);
    let is_source = |path: &str| [".rs", ".js", ".mjs", ".ts"].iter().any(|end| path.ends_with(end));
    let long = sources.iter().filter(|file| is_source(&file.path) && file.lines().count() > LONGEST_FILE);
    expect_none(
        &format!("no source file is longer than {LONGEST_FILE} lines"),
        long.map(|file| format!("{}: {} lines", file.path, file.lines().count())),
    );
}

#[test]
fn no_file_names_a_folder_or_a_registry_of_one_machine() {
    let homes = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    // Tests that need the path of a user's folder may use this one.
    let made_up = format!("/{}/me/", "home");
    let mut violations = Vec::new();
    for file in repository() {
        for (line, text) in file.lines() {
            for home in &homes {
                if contains_absolute(&text.replace(&made_up, ""), home) {
                    violations.push(format!("{}: an absolute path below {home}", file.at(line)));
                }
            }
            // Cargo's name for its public registry, in every lock file.
            let text = text.replace("https://github.com/rust-lang/crates.io-index", "");
            for host in hosts_in(&text).filter(|host| is_registry(host)) {
                violations.push(format!("{}: names the registry {host}", file.at(line)));
            }
        }
    }
    expect_none("the repository means the same on every machine", violations);
}

/// Whether `path` is the start of a path in this text, and not the middle of a longer one.
fn contains_absolute(text: &str, path: &str) -> bool {
    let is_longer = |before: char| before.is_alphanumeric() || "._-}/*".contains(before);
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(is_longer))
}

/// The hosts of the addresses in this text.
fn hosts_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("://").skip(1).map(|rest| {
        let is_of_host = |it: char| it.is_alphanumeric() || matches!(it, '_' | '.' | '-');
        &rest[..rest.find(|it| !is_of_host(it)).unwrap_or(rest.len())]
    })
}

/// Whether a host serves packages: a public registry, or a mirror of one.
fn is_registry(host: &str) -> bool {
    const SIGNS: [&str; 9] =
        ["artifact", "crates.io", "debian.org", "index", "mirror", "nexus", "npmjs", "pypi", "registry"];
    // Names below `.example` are reserved for examples.
    !host.ends_with(".example") && host.contains('.') && SIGNS.iter().any(|sign| host.contains(sign))
}
