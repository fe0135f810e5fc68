//! `cargo xtask run` and `cargo xtask cargo`: build with the chosen engine, then become the other program.

use std::path::PathBuf;
use std::process::Command;

use crate::checkout::{Build, Checkout, complete, show};
use crate::engine;
use crate::failure::Outcome;
#[cfg(unix)]
use crate::failure::While;
use crate::machine::Machine;
#[cfg(target_os = "linux")]
use crate::pgo;

/// Builds liveline and starts it; without arguments, on the examples.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    // As with `cargo run`, a first `--` only separates the program's own arguments.
    let arguments = arguments.strip_prefix(&["--"]).unwrap_or(arguments);
    let choice = engine::choose(checkout, &Machine)?;
    // Not on standard output, which is the program's.
    eprintln!("{choice}");
    let mut liveline = Command::new(build(checkout, &choice.build(checkout)?, Profile::Quick)?);
    if arguments.is_empty() {
        let examples = checkout.root.join("examples");
        // Relative to the caller's folder, because liveline prints it.
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
    let build = choice.build(checkout)?;
    #[cfg(target_os = "linux")]
    if has_profile(arguments, Profile::Quick) {
        pgo::guide(checkout, &build, &mut cargo)?;
    }
    become_program(build.apply(&mut cargo).args(arguments))
}

/// Whether arguments for cargo have `--profile PROFILE`.
#[cfg(target_os = "linux")]
fn has_profile(arguments: &[&str], profile: Profile) -> bool {
    let name = profile.name();
    arguments.windows(2).any(|two| two == ["--profile", name])
        || arguments.iter().any(|argument| argument.strip_prefix("--profile=") == Some(name))
}

/// A profile of Cargo.toml that optimises.
#[derive(Debug, Clone, Copy)]
pub enum Profile {
    /// For a first try, and for figures: built in a fraction of the time, guided by recorded counts, and its functions are
    /// in the recorded order.
    Quick,
    /// Runs fastest, and takes longest to build.
    #[cfg(target_os = "linux")]
    Dist,
}

impl Profile {
    /// The name, which is also that of its folder below `target`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            #[cfg(target_os = "linux")]
            Self::Dist => "dist",
        }
    }
}

/// Builds an optimised liveline, and the snapshot beside it. Returns its path.
pub fn build(checkout: &Checkout, build: &Build, profile: Profile) -> Outcome<PathBuf> {
    let name = profile.name();
    eprintln!("building liveline ({name} profile); the first time this takes minutes");
    let mut cargo = checkout.cargo("build");
    #[cfg(target_os = "linux")]
    if let Profile::Quick = profile {
        pgo::guide(checkout, build, &mut cargo)?;
    }
    complete(build.apply(&mut cargo).args(["--profile", name, "--bin", "liveline"]))?;
    let liveline = checkout.liveline(&checkout.target, name);
    // Part of what is shipped, as the executable is.
    build.make_snapshot(&liveline)?;
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn has_profile_knows_both_spellings_of_a_profile() {
        assert!(has_profile(&["build", "--profile", "quick"], Profile::Quick));
        assert!(has_profile(&["build", "--profile=quick", "--bin", "liveline"], Profile::Quick));
        assert!(!has_profile(&["test", "quick"], Profile::Quick));
        assert!(!has_profile(&["build", "--profile", "dist"], Profile::Quick));
    }
}
