//! The hot paths of `liveline-proto`, one at a time, so that `cargo xtask guard` can count their instructions.
//!
//! Without an argument it prints the name of each case, and how many operations a run of it has. With a name it runs
//! that case: once to fill caches and buffers, and once inside [`measured`], whose instructions callgrind counts.
//!
//! Nothing here depends on the clock, on the network or on another thread. The standard library's hash maps are seeded
//! with random numbers, so that a count varies by up to a hundredth of a percent where one is used.

mod cases;

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use cases::CASES;

fn main() -> ExitCode {
    let Some(name) = env::args().nth(1) else {
        return match list() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    };
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        // Nobody is left to read it if this fails.
        let _ = writeln!(io::stderr(), "there is no case `{name}`");
        return ExitCode::FAILURE;
    };
    let mut run = (case.prepare)();
    run();
    measured(&mut run);
    ExitCode::SUCCESS
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    CASES.iter().try_for_each(|case| writeln!(out, "{}\t{}", case.name, case.operations))
}

/// Callgrind counts from the entry of this function to its return, by its name.
#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    run();
}
