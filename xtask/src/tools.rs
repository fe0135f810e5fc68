//! Subcommands of cargo that the project uses and that cargo does not include. Each is installed from crates.io into
//! `target/tools`, in a pinned version, when it is first needed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::checkout::{Checkout, complete, executable, show};
use crate::failure::{Outcome, While};

/// A program of crates.io.
struct Tool {
    name: &'static str,
    version: &'static str,
}

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };

/// Checks the licences and sources of all dependencies, and that none of them is banned: see `.cargo/deny.toml`.
pub fn deny(checkout: &Checkout) -> Outcome {
    let mut deny = Command::new(DENY.install(checkout)?);
    deny.arg("--manifest-path").arg(checkout.root.join("Cargo.toml"));
    complete(deny.args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
}

/// Changes `crates/proto` in one place at a time, runs its tests, and lists the changes that no test has found.
pub fn mutants(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let mut mutants = Command::new(MUTANTS.install(checkout)?);
    mutants.args(["mutants", "--package", "liveline-proto", "--dir"]).arg(&checkout.root);
    mutants.arg("--output").arg(&checkout.target);
    complete(mutants.args(arguments))
}

impl Tool {
    /// The path of the program, which is built if it is not there yet.
    fn install(&self, checkout: &Checkout) -> Outcome<PathBuf> {
        let Self { name, version } = self;
        let folder = checkout.target.join("tools").join(format!("{name}-{version}"));
        let program = folder.join("bin").join(executable(name));
        if program.is_file() {
            return Ok(program);
        }
        let build = folder.join("build");
        let mut install = Command::new("cargo");
        // Without optimisation the build takes about a minute, and the program is fast enough.
        install.args(["install", name, "--version", version, "--locked", "--debug", "--root"]).arg(&folder);
        install.arg("--target-dir").arg(&build);
        eprintln!("xtask: {}", show(&install));
        complete(&mut install)?;
        fs::remove_dir_all(&build).while_doing(format_args!("removing {}", build.display()))?;
        Ok(program)
    }
}
