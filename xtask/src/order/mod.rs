//! `cargo xtask order`: the order in which the linker places the functions of the executable.
//!
//! Of the 75 MB of code in it, a server that starts and answers runs 4 MB, which the linker scatters: the system reads and
//! maps the pages around each of them. Here the functions that run are found, by a breakpoint on every function that is
//! removed when it is hit, and written to `xtask/order/functions.txt`: first those that requests and messages run, then
//! those of a start, at last what runs when a load begins, such as V8's optimising compilers, and when it has ended.
//! `build.rs` passes that file to the linker.
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
use std::thread;
use std::time::Duration;

use crate::bench::client::Connection;
use crate::bench::server::announced;
use crate::bench::{self, Observed};
use crate::checkout::Checkout;
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::Machine;
use crate::run::{self, Profile};
use functions::Functions;

/// How long is looked at what a server does after a load: it collects garbage and returns memory.
const QUIET: Duration = Duration::from_secs(3);

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

/// The addresses of functions, in the order of their first calls.
struct Called {
    /// While requests are answered and messages sent.
    busy: Vec<u64>,
    /// From the start to the first answer.
    start: Vec<u64>,
    /// While a load is new and its code is compiled, and when it has ended.
    around: Vec<u64>,
}

/// Looks what runs.
fn called(checkout: &Checkout, program: &Path, functions: &Functions) -> Outcome<Called> {
    let (mut busy, mut around) = (Vec::new(), Vec::new());
    bench::busy(checkout, program, &mut |Observed { id, load }| {
        let during = |load: &mut dyn FnMut() -> Outcome| trace::attached(id, functions.addresses(), load);
        around.extend(during(load)?);
        busy.extend(during(load)?);
        around.extend(during(&mut || {
            thread::sleep(QUIET);
            Ok(())
        })?);
        Ok(())
    })?;
    let launch = bench::launch(checkout, program)?;
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments);
    let start = trace::started(&command, functions.addresses(), &mut first_answer)?;
    Ok(Called { busy, start, around })
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

/// The file: the names of each address, once.
fn ordered(functions: &Functions, Called { busy, start, around }: &Called) -> String {
    let (compilers, hot): (Vec<u64>, Vec<u64>) =
        busy.iter().partition(|address| functions.is_of_compilers(**address));
    let mut text = HEADER.to_owned();
    let mut written = HashSet::new();
    for address in [&hot, start, around, &compilers].into_iter().flatten() {
        if !written.insert(*address) {
            continue;
        }
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
    fn each_name_is_written_once_and_compilers_come_last() {
        let functions = Functions::parse(
            "1: 0000000000001000 16 FUNC LOCAL DEFAULT 15 starts\n\
             2: 0000000000002000 16 FUNC GLOBAL DEFAULT 15 answers\n\
             3: 0000000000002000 16 FUNC GLOBAL DEFAULT 15 alias\n\
             4: 0000000000003000 16 FUNC GLOBAL DEFAULT 15 collects\n\
             5: 0000000000004000 16 FUNC LOCAL DEFAULT 15 _ZN2v88internal8compiler4Node3NewEv\n",
        );
        let called =
            Called { busy: vec![0x4000, 0x2000], start: vec![0x1000, 0x2000], around: vec![0x2000, 0x3000] };
        let text = ordered(&functions, &called);
        let expected = "answers\nalias\nstarts\ncollects\n_ZN2v88internal8compiler4Node3NewEv\n";
        assert_eq!(text, format!("{HEADER}{expected}"));
    }
}
