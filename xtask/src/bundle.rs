//! `cargo xtask bundle`: makes the scripts that browsers run of the modules in `runtime-js/`.

use std::path::PathBuf;
use std::process::Command;

use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, fail};
use crate::machine::find_program;

/// Writes the scripts; with `--check`, fails instead if they are not those of the present modules.
pub fn bundle(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail("`cargo xtask bundle` needs node and npm on the PATH: install Node.js 20.19 or later");
    };
    let folder = folder(checkout);
    // npm writes this file last.
    let installed = folder.join("node_modules/.package-lock.json");
    let age = |file: PathBuf| file.metadata().and_then(|it| it.modified()).ok();
    if age(installed) < age(folder.join("package-lock.json")) {
        complete(Command::new(npm).arg("ci").current_dir(&folder))?;
    }
    complete(Command::new(node).arg("bundle.mjs").args(arguments).current_dir(&folder))
}

/// Where the program that makes them lies, with its tests.
pub fn folder(checkout: &Checkout) -> PathBuf {
    checkout.root.join("xtask/bundle")
}
