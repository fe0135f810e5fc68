//! `cargo xtask npm`: handlers that use packages from the npm registry (`tests/npm`), and the table of docs/npm.md.
//!
//! The packages are installed below the target folder, once for each state of the lock file, and the tests run there
//! on a copy: handlers may import packages of their own project alone.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::{Checkout, complete};
use crate::engine::{self, Engine};
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, find_program};
use crate::tests::with_liveline;

/// What npm installs; it is not copied.
const PACKAGES: &str = "node_modules";

/// Builds a debug liveline and runs the tests with it. `--write` writes the table; names run some packages alone.
pub fn npm(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    build(checkout)?;
    run(checkout, arguments)
}

/// Builds a debug liveline with V8, unless the environment names one.
pub fn build(checkout: &Checkout) -> Outcome {
    if Machine.variable("LIVELINE_BIN").is_some() {
        return Ok(());
    }
    let choice = engine::choose(checkout, &Machine)?;
    let Engine::V8 { .. } = choice.engine else {
        return fail("packages of npm need V8: liveline was built with QuickJS (see `cargo xtask engine`)");
    };
    let mut cargo = checkout.cargo("build");
    complete(choice.build(checkout)?.apply(&mut cargo).args(["--bin", "liveline"]))
}

/// The same with the liveline that was built before.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail("the npm tests need node and npm on the PATH: install Node.js 20 or later");
    };
    let folder = install(checkout, &npm, "npm")?;
    let mut packages = Command::new(&node);
    packages.arg("run.mjs").args(arguments).current_dir(&folder);
    packages.env("LIVELINE_NPM_DOCUMENT", checkout.root.join("docs/npm.md"));
    complete(with_liveline(&mut packages, checkout))?;
    if !arguments.is_empty() {
        return Ok(());
    }
    let mut mounting = Command::new(&node);
    mounting.args(["--test", "mounting.test.mjs"]).current_dir(&folder);
    complete(with_liveline(&mut mounting, checkout))
}

/// Copies the tests in a folder of `tests/` to where their packages are installed, and installs them if the lock file is
/// new. Returns the folder.
pub fn install(checkout: &Checkout, npm: &Path, name: &str) -> Outcome<PathBuf> {
    let tests = checkout.root.join("tests").join(name);
    let lock = tests.join("package-lock.json");
    let mut hasher = DefaultHasher::new();
    fs::read(&lock).while_doing(format_args!("reading {}", lock.display()))?.hash(&mut hasher);
    let all = checkout.target.join(name);
    let folder = all.join(format!("{:016x}", hasher.finish()));
    // npm writes this file last.
    let is_installed = folder.join(PACKAGES).join(".package-lock.json").is_file();
    if !is_installed {
        remove(&all)?;
    }
    remove_all_but_packages(&folder)?;
    copy(&tests, &folder)?;
    if !is_installed {
        complete(Command::new(npm).args(["ci", "--ignore-scripts"]).current_dir(&folder))?;
    }
    Ok(folder)
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Outcome {
    let removed = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.while_doing(format_args!("removing {}", path.display()))
}

fn remove_all_but_packages(folder: &Path) -> Outcome {
    for path in entries(folder).unwrap_or_default() {
        if !path.ends_with(PACKAGES) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to).while_doing(format_args!("making {}", to.display()))?;
    for path in entries(from).while_doing(format_args!("reading {}", from.display()))? {
        let Some(name) = path.file_name().filter(|name| *name != PACKAGES) else { continue };
        let copied = to.join(name);
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            fs::copy(&path, &copied).while_doing(format_args!("copying {}", path.display()))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}
