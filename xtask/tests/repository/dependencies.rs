//! The dependencies of each crate: a layer below stays free of the libraries of those above it.

use std::collections::BTreeSet;
use std::process::Command;

use super::{expect_none, root};

/// Crates that a package must not depend on, directly or through others. A name ends with `*` if it begins so.
const BANNED: [(&str, &[&str]); 4] = [
    (
        "liveline-proto",
        &["tokio", "mio", "hyper", "rusqlite", "clap", "deno_*", "v8", "swc_*", "getrandom", "rand"],
    ),
    ("liveline-store", &["hyper", "clap", "deno_*", "v8", "swc_*"]),
    ("liveline-builtins", &["deno_*", "v8", "swc_*", "hyper", "rusqlite", "clap"]),
    ("liveline-compiler", &["deno_core", "v8", "hyper", "rusqlite", "clap"]),
];

/// Only liveline-compiler depends on these directly.
const COMPILERS: [&str; 2] = ["deno_ast", "swc_*"];

/// The most direct dependencies of liveline-proto.
const MOST_OF_PROTO: usize = 12;

#[test]
fn no_crate_depends_on_libraries_of_the_layers_above_it() {
    let violations = BANNED.iter().flat_map(|(package, banned)| {
        let found = dependencies(package, None).into_iter().filter(|name| matches(name, banned));
        found.map(move |name| format!("{package} depends on {name}"))
    });
    expect_none("each crate does without the libraries of the layers above it", violations);
}

#[test]
fn only_the_compiler_depends_on_swc() {
    let packages = ["liveline", "liveline-builtins", "liveline-proto", "liveline-store"];
    let violations = packages.iter().flat_map(|package| {
        let found = dependencies(package, Some(1)).into_iter().filter(|name| matches(name, &COMPILERS));
        found.map(move |name| format!("{package} depends on {name}"))
    });
    expect_none("only liveline-compiler depends on swc directly", violations);
    assert!(dependencies("liveline-compiler", Some(1)).iter().any(|name| matches(name, &COMPILERS)));
}

#[test]
fn proto_has_few_dependencies() {
    let names = dependencies("liveline-proto", Some(1));
    assert!(names.len() <= MOST_OF_PROTO, "{} crates: {names:?}", names.len());
}

fn matches(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    })
}

/// The names of the crates that a package is built from on this machine, to a depth if one is given.
fn dependencies(package: &str, depth: Option<u32>) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--locked",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--package",
        package,
    ]);
    tree.args(depth.map(|depth| format!("--depth={depth}"))).current_dir(root());
    let output = tree.output().expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("names of crates");
    let names = lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    names.filter(|name| name != package).collect()
}
