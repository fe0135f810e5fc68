//! `cargo xtask streams`: the conformance suite of Durable Streams and its client (`tests/streams`), from npm.

use std::process::Command;

use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, fail};
use crate::machine::find_program;
use crate::npm;
use crate::tests::with_liveline;

/// Builds a debug liveline and runs the tests with it; names run some files alone.
pub fn streams(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    npm::build(checkout)?;
    run(checkout, arguments)
}

/// The same with the liveline that was built before.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    run_suite(checkout, "streams", "the suite of Durable Streams", arguments)
}

/// Runs `run.mjs` of a folder in `tests/`, whose packages are installed before.
pub fn run_suite(checkout: &Checkout, name: &str, what: &str, arguments: &[&str]) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail(format!("{what} needs node and npm on the PATH: install Node.js 20 or later"));
    };
    let folder = npm::install(checkout, &npm, name)?;
    let mut suite = Command::new(&node);
    suite.arg("run.mjs").args(arguments).current_dir(&folder);
    complete(with_liveline(&mut suite, checkout))
}
