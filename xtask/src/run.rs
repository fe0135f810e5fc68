//! `cargo xtask run` and `cargo xtask cargo`: build with the chosen engine, then become the other program.

use std::path::PathBuf;
use std::process::Command;

use crate::checkout::{Build, Checkout, complete, show};
use crate::engine;
use crate::failure::Outcome;
#[cfg(unix)]
use crate::failure::While;
use crate::machine::Machine;

/// Builds liveline and starts it; without arguments, on the examples.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let choice = engine::choose(checkout, &Machine)?;
    println!("{choice}");
    let mut liveline = Command::new(build_release(checkout, &choice.build(checkout)?)?);
    if arguments.is_empty() {
        let examples = checkout.root.join("examples");
        // As short as it can be said from here: liveline shows it.
        let short = examples.strip_prefix(&checkout.caller).ok().filter(|path| !path.as_os_str().is_empty());
        liveline.arg("dev").arg(short.unwrap_or(&examples));
    }
    become_program(liveline.args(arguments))
}

/// Runs any cargo command with the chosen engine's features and environment.
pub fn cargo(checkout: &Checkout, command: &str, arguments: &[&str]) -> Outcome {
    let choice = engine::choose(checkout, &Machine)?;
    eprintln!("{choice}");
    let mut cargo = checkout.cargo(command);
    become_program(choice.build(checkout)?.apply(&mut cargo).args(arguments))
}

/// The optimised liveline: people judge speed by what `run` starts.
pub fn build_release(checkout: &Checkout, build: &Build) -> Outcome<PathBuf> {
    println!("building liveline, optimised; the first time this takes minutes");
    let mut cargo = checkout.cargo("build");
    complete(build.apply(&mut cargo).args(["--release", "--bin", "liveline"]))?;
    let liveline = checkout.liveline(&checkout.target, "release");
    // Part of what is shipped, as the executable is.
    if build.keeps_snapshots() {
        complete(Command::new(&liveline).arg("snapshot"))?;
    }
    Ok(liveline)
}

/// Replaces this process, so that Ctrl-C and the exit code are the other program's own.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let shown = show(command);
    Err(command.exec()).while_doing(format_args!("starting `{shown}`"))
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Outcome {
    complete(command)
}
