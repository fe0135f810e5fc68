//! `cargo xtask order`: the order in which the linker places the functions of the executable.
//!
//! Of the 75 MB of code in it, a server that starts and answers runs 4 MB, which the linker scatters: the system reads and
//! maps the pages around each of them. Here the functions that run are found, by a breakpoint on every function that is
//! removed when it is hit, and written to `xtask/order/functions.txt`: first those that requests and messages run, then
//! those of a start. `build.rs` passes that file to the linker.
//!
//! The file names functions as the linker does. Rust puts into a name a hash of its crate's version, of the profile and of
//! the compiler: after a change of one of them the names that are not found any more are ignored, until this command
//! has run again. Names of V8 hold until its version changes.

mod functions;
mod trace;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command};

use crate::bench::client::Connection;
use crate::bench::server::announced;
use crate::bench::{self, Observed};
use crate::checkout::Checkout;
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::Machine;
use crate::run::{self, Profile};
use functions::Functions;

const HEADER: &str = "\
# Functions in the order in which the linker places them. Made by `cargo xtask order`.
";

/// Traces a build of profile `quick` and writes the file.
pub fn order(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    if !arguments.is_empty() {
        return fail("order takes no arguments");
    }
    let build = engine::choose(checkout, &Machine)?.build(checkout)?;
    let program = run::build(checkout, &build, Profile::Quick)?;
    let functions = Functions::of(&program)?;
    println!("{} functions in {}", functions.addresses().len(), program.display());
    let text = ordered(&functions, &called(checkout, &program, &functions)?);
    let file = checkout.root.join("xtask/order/functions.txt");
    fs::write(&file, text).while_doing(format_args!("writing {}", file.display()))?;
    println!("written to {}", file.display());
    Ok(())
}

/// The addresses of the functions that ran: while there was load, then at a start.
fn called(checkout: &Checkout, program: &Path, functions: &Functions) -> Outcome<Vec<u64>> {
    let mut called = Vec::new();
    bench::busy(checkout, program, &mut |server: Observed<'_>| {
        // What runs only once is none of the load.
        (server.load)()?;
        called.extend(trace::attached(server.id, functions.addresses(), server.load)?);
        Ok(())
    })?;
    println!("{} of them run under load", different(&called));
    let launch = bench::launch(checkout, program)?;
    let mut start = Command::new(&launch.program);
    start.args(&launch.arguments);
    called.extend(trace::started(&start, functions.addresses(), &mut first_answer)?);
    println!("{} of them under load or at a start", different(&called));
    Ok(called)
}

/// Reads what a server prints until it listens, and asks it once.
fn first_answer(printed: ChildStdout) -> Outcome {
    let mut lines = BufReader::new(printed).lines().map_while(Result::ok);
    let Some(port) = lines.find_map(|line| announced(&line)) else {
        return fail("the server has ended before it listened");
    };
    Connection::open(port)
        .and_then(|mut connection| connection.get())
        .while_doing("the first request")
        .map(drop)
}

fn different(addresses: &[u64]) -> usize {
    addresses.iter().collect::<HashSet<_>>().len()
}

/// The file: the names of each address, once.
fn ordered(functions: &Functions, called: &[u64]) -> String {
    let mut text = HEADER.to_owned();
    let mut written = HashSet::new();
    for address in called.iter().filter(|address| written.insert(**address)) {
        for name in functions.names(*address) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_written_once_and_in_the_order_of_calls() {
        let functions = Functions::parse(
            "1: 0000000000001000 16 FUNC LOCAL DEFAULT 15 first\n\
             2: 0000000000002000 16 FUNC GLOBAL DEFAULT 15 second\n\
             3: 0000000000002000 16 FUNC GLOBAL DEFAULT 15 alias_of_second\n",
        );
        let text = ordered(&functions, &[0x2000, 0x1000, 0x2000]);
        assert_eq!(text, format!("{HEADER}second\nalias_of_second\nfirst\n"));
    }
}
