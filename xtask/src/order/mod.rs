//! `cargo xtask order`: the order in which the linker places the functions of the executable.
//!
//! Of the 75 MB of code in it, a server that starts and answers runs 4 MB, which the linker scatters: the system reads and
//! maps the pages around each of them. Here the functions that run are found, by a breakpoint on every function that is
//! removed when it is hit, and written to `xtask/order/functions.txt`: first those that requests and messages run, then
//! those of a start, at last what runs when a load begins, such as V8's optimising compilers, and when it has ended.
//! `build.rs` passes that file to the linker.
//!
//! The file names functions as the linker does. Rust puts into a name a hash of its crate's version, of the profile and of
//! the compiler: after a change of one of them, even of a feature of a small crate, the names that are not found any more
//! are ignored, and a process takes up to 14 MB more, until this command has run again. Names of V8 hold until its version
//! changes. `cargo xtask order --check` fails where many names are not found.

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
use crate::machine::{Machine, told_by_rustc};
use crate::run::{self, Profile};
use functions::Functions;

/// How long is looked at what a server does after a load: it collects garbage and returns memory.
const QUIET: Duration = Duration::from_secs(3);

/// The first line of the file; the compiler's version follows.
const HEADER: &str =
    "# Functions in the order in which the linker places them. Made by `cargo xtask order` with ";

/// Of a hundred recorded names, at least so many have to be in the program. Functions that were deleted or renamed since
/// the record cost little. When a feature of one small crate had changed, 15 % were missing, and a process took 14 MB more.
const FRESH: usize = 90;

/// Traces a build of profile `quick` and writes the file, or checks that the file is of such a build.
pub fn order(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let file = checkout.root.join("xtask/order/functions.txt");
    let checks = match arguments {
        [] => false,
        ["--check"] => true,
        _ => return fail("order takes no arguments but --check"),
    };
    let build = engine::choose(checkout, &Machine)?.build(checkout)?;
    if checks && !build.keeps_snapshots() {
        println!("not checked: the record is of a program with V8");
        return Ok(());
    }
    let program = run::build(checkout, &build, Profile::Quick)?;
    let functions = Functions::of(&program)?;
    println!("{} functions in {}", functions.addresses().len(), program.display());
    let compiler = told_by_rustc(&["--version"])?.trim().to_owned();
    if checks {
        let recorded = fs::read_to_string(&file).while_doing(format_args!("reading {}", file.display()))?;
        let report = check(&recorded, &functions, &compiler)?;
        println!("{report}");
        return Ok(());
    }
    let text = ordered(&functions, &called(checkout, &program, &functions)?, &compiler);
    fs::write(&file, text).while_doing(format_args!("writing {}", file.display()))?;
    println!("written to {}", file.display());
    Ok(())
}

/// How many of the recorded names the program has. An error if they are too few; with another compiler than that of the
/// record none can be expected.
fn check(recorded: &str, functions: &Functions, compiler: &str) -> Outcome<String> {
    let names: Vec<&str> = recorded.lines().filter(|line| !line.starts_with('#')).collect();
    let present = functions.addresses().iter().flat_map(|address| functions.names(*address));
    let present: HashSet<&str> = present.map(String::as_str).collect();
    let found = names.iter().filter(|name| present.contains(*name)).count();
    let report = format!("{found} of the {} recorded names are in the program", names.len());
    if recorded.lines().next().and_then(|first| first.strip_prefix(HEADER)) != Some(compiler) {
        return Ok(format!("{report}; they were recorded with another compiler than {compiler}"));
    }
    match found * 100 >= names.len() * FRESH {
        true => Ok(report),
        false => fail(format!(
            "{report}: run `cargo xtask pgo` and `cargo xtask order` again, and commit the files that they write"
        )),
    }
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
fn ordered(functions: &Functions, Called { busy, start, around }: &Called, compiler: &str) -> String {
    let (compilers, hot): (Vec<u64>, Vec<u64>) =
        busy.iter().partition(|address| functions.is_of_compilers(**address));
    let mut text = format!("{HEADER}{compiler}\n");
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
        let text = ordered(&functions, &called, "rustc 1.0.0");
        let expected = "answers\nalias\nstarts\ncollects\n_ZN2v88internal8compiler4Node3NewEv\n";
        assert_eq!(text, format!("{HEADER}rustc 1.0.0\n{expected}"));
    }

    #[test]
    fn a_record_of_another_build_is_an_error_and_one_of_another_compiler_is_not() {
        let functions = Functions::parse("1: 0000000000001000 16 FUNC LOCAL DEFAULT 15 starts\n");
        let recorded = |names: &str| format!("{HEADER}rustc 1.0.0\n{names}");
        let report = check(&recorded("starts\n"), &functions, "rustc 1.0.0").expect("it is fresh");
        assert_eq!(report, "1 of the 1 recorded names are in the program");
        let stale = check(&recorded("starts\nstarted\n"), &functions, "rustc 1.0.0");
        assert!(stale.is_err_and(|error| error.to_string().contains("`cargo xtask order` again")));
        assert!(check(&recorded("starts\nstarted\n"), &functions, "rustc 2.0.0").is_ok());
    }
}
