//! What the tests of database drivers need: PostgreSQL, Redis, and the npm packages of `tests/drivers`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, While};
use crate::machine::{apt_install, find_program, may_use_apt};

/// The programs of the servers, each with the Debian package that has it.
const SERVERS: [(&str, &str); 2] = [("postgres", "postgresql"), ("redis-server", "redis-server")];

/// Installs what is missing and may be installed. The tests print what they then still miss, and fail if the variable
/// `LIVELINE_NEEDS_DATABASES` is set.
pub fn install(checkout: &Checkout) -> Outcome {
    let missing = SERVERS.iter().filter(|(program, _)| !is_installed(program));
    let packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if !packages.is_empty() && may_use_apt() {
        apt_install(&packages)?;
    }
    match find_program("npm") {
        Some(npm) => install_packages(&npm, &checkout.root.join("tests/drivers")),
        None => Ok(()),
    }
}

/// Debian does not put the programs of PostgreSQL on the PATH.
fn is_installed(program: &str) -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    find_program(program).is_some()
        || versions.map(|version| version.path().join("bin").join(program)).any(|file| file.is_file())
}

/// Installs the packages of a lock file, unless they are installed already.
fn install_packages(npm: &Path, folder: &Path) -> Outcome {
    let (lock, kept) = (folder.join("package-lock.json"), folder.join("node_modules/.installed-lock.json"));
    let wanted = fs::read(&lock).while_doing(format_args!("reading {}", lock.display()))?;
    if fs::read(&kept).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    complete(Command::new(npm).args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    fs::write(&kept, wanted).while_doing(format_args!("writing {}", kept.display()))
}
