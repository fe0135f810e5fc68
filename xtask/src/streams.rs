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
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail(
            "the suite of Durable Streams needs node and npm on the PATH: install Node.js 20 or later",
        );
    };
    let folder = npm::install(checkout, &npm, "streams")?;
    let mut suite = Command::new(&node);
    suite.arg("run.mjs").args(arguments).current_dir(&folder);
    complete(with_liveline(&mut suite, checkout))
}
