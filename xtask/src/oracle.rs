//! `cargo xtask oracle`: scripts that run on another system and on ours, and must see the same (`tests/oracle`).
//!
//! The packages of the other system are installed below the target folder, once for each state of the lock file.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::{Checkout, complete};
use crate::engine::{self, Engine};
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, find_program};
use crate::tests::with_liveline;

/// What npm reads. Not every oracle has the last.
const MANIFESTS: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Runs the tests that the packages of the other system carry, where an oracle has such a script.
const UPSTREAM: &str = "upstream/run.mjs";

/// `NAME [SCRIPT...] [--record|--check]`: builds a debug liveline, unless it is not needed or `LIVELINE_BIN` names one.
pub fn oracle(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let is_recording = arguments.contains(&"--record");
    if !is_recording && Machine.variable("LIVELINE_BIN").is_none() {
        let choice = engine::choose(checkout, &Machine)?;
        let Engine::V8 { .. } = choice.engine else {
            return fail("the oracles need V8: liveline was built with QuickJS (see `cargo xtask engine`)");
        };
        let mut cargo = checkout.cargo("build");
        complete(choice.build(checkout)?.apply(&mut cargo).args(["--bin", "liveline"]))?;
    }
    run(checkout, arguments)
}

/// The same with the liveline that was built before.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let Some(name) = arguments.iter().find(|argument| !argument.starts_with("--")) else {
        return fail(format!("oracle: which one? There is: {}", names(checkout).join(", ")));
    };
    if !names(checkout).iter().any(|known| known == name) {
        return fail(format!("oracle: there is no `{name}`, but: {}", names(checkout).join(", ")));
    }
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail("the oracles need node and npm on the PATH: install Node.js 20 or later");
    };
    let packages = install(checkout, name, &npm)?;
    let node = |script: &Path, arguments: &[&str]| {
        let mut run = Command::new(&node);
        run.arg(script).args(arguments).current_dir(folder(checkout));
        complete(with_liveline(run.env("LIVELINE_ORACLE_PACKAGES", &packages), checkout))
    };
    node(Path::new("run.mjs"), arguments)?;
    let upstream = folder(checkout).join(name).join(UPSTREAM);
    let is_ours_alone = [[*name].as_slice(), &[*name, "--check"]].contains(&arguments);
    if is_ours_alone && upstream.is_file() { node(&upstream, &[]) } else { Ok(()) }
}

fn folder(checkout: &Checkout) -> PathBuf {
    checkout.root.join("tests/oracle")
}

/// The oracles that there are.
pub fn names(checkout: &Checkout) -> Vec<String> {
    let entries = fs::read_dir(folder(checkout)).into_iter().flatten().flatten();
    let oracles = entries.filter(|entry| entry.path().join("oracle.mjs").is_file());
    let mut names: Vec<_> = oracles.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Installs the packages of an oracle, if its lock file is new. Returns their folder.
fn install(checkout: &Checkout, name: &str, npm: &Path) -> Outcome<PathBuf> {
    let from = folder(checkout).join(name);
    let mut hasher = DefaultHasher::new();
    let manifests: Vec<_> = MANIFESTS.into_iter().filter(|manifest| from.join(manifest).is_file()).collect();
    for manifest in &manifests {
        let file = from.join(manifest);
        fs::read(&file).while_doing(format_args!("reading {}", file.display()))?.hash(&mut hasher);
    }
    let all = checkout.target.join("oracle").join(name);
    let packages = all.join(format!("{:016x}", hasher.finish()));
    // npm writes this file last.
    if packages.join("node_modules/.package-lock.json").is_file() {
        return Ok(packages);
    }
    if all.is_dir() {
        fs::remove_dir_all(&all).while_doing(format_args!("removing {}", all.display()))?;
    }
    fs::create_dir_all(&packages).while_doing(format_args!("making {}", packages.display()))?;
    for manifest in manifests {
        let (file, copied) = (from.join(manifest), packages.join(manifest));
        fs::copy(&file, &copied).while_doing(format_args!("copying {}", file.display()))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    complete(Command::new(npm).args(arguments).current_dir(&packages))?;
    Ok(packages)
}
