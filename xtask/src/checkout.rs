//! The folders of the checkout, and how cargo is called in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Outcome, While, fail};

/// Where things are.
pub struct Checkout {
    /// The workspace.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The folder the user called from; relative arguments refer to it.
    pub caller: PathBuf,
    /// This program, to be started again with another task. The path is read at the start: once a build has replaced
    /// the file, Linux names it `xtask (deleted)`.
    pub program: PathBuf,
}

impl Checkout {
    pub fn find() -> Outcome<Self> {
        // Cargo sets the variable for `cargo run`; it survives a checkout that was moved after the build.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let Some(root) = Path::new(&package).parent() else {
            return fail("xtask must lie in a folder of the checkout; start it with `cargo xtask`");
        };
        // This program is TARGET/PROFILE/xtask: so whatever chose the target folder (a variable, a
        // configuration file) counts.
        let program = env::current_exe().while_doing("looking for xtask's own executable")?;
        let Some(target) = program.parent().and_then(Path::parent) else {
            return fail(format!("{} lies in no target folder", program.display()));
        };
        let caller = env::current_dir().while_doing("looking for the current folder")?;
        Ok(Self { root: root.to_path_buf(), target: target.to_path_buf(), caller, program })
    }

    /// A cargo command of this workspace, run in the caller's folder.
    pub fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg(command).arg("--manifest-path").arg(self.root.join("Cargo.toml"));
        cargo
    }

    /// The liveline executable that a build left in `target`.
    pub fn liveline(&self, target: &Path, profile: &str) -> PathBuf {
        target.join(profile).join(executable("liveline"))
    }
}

/// A program's file name on this system.
pub fn executable(name: &str) -> String {
    format!("{name}{}", env::consts::EXE_SUFFIX)
}

/// What a build with a certain engine adds to a cargo command.
#[derive(Debug)]
pub struct Build {
    pub flags: &'static [&'static str],
    pub variables: Vec<(&'static str, OsString)>,
}

impl Build {
    /// Whether its engine can keep a started heap.
    pub fn keeps_snapshots(&self) -> bool {
        !self.flags.contains(&"--no-default-features")
    }

    /// Makes the snapshot beside a liveline of this build, if its engine keeps one.
    pub fn make_snapshot(&self, liveline: &Path) -> Outcome {
        if !self.keeps_snapshots() {
            return Ok(());
        }
        complete(Command::new(liveline).arg("snapshot").stdout(Stdio::null()))
    }

    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.args(self.flags).envs(self.variables.iter().map(|(name, value)| (name, value)))
    }
}

/// Runs a command to its end; a failure names it.
pub fn complete(command: &mut Command) -> Outcome {
    let shown = show(command);
    let status = command.status().while_doing(format_args!("starting `{shown}`"))?;
    if status.success() { Ok(()) } else { fail(format!("`{shown}` failed ({status})")) }
}

/// A command as one would type it.
pub fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(command.get_program()).to_string_lossy();
    command.get_args().fold(name.into_owned(), |line, argument| line + " " + &argument.to_string_lossy())
}
