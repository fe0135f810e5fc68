//! What is bundled: `cargo xtask bundle` makes the scripts that browsers run of the modules in `runtime-js/`, and each build
//! the modules of packages from npm that liveline embeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, While, fail};
use crate::machine::find_program;

/// Writes the scripts; with `--check`, fails instead if they are not those of the present modules.
pub fn bundle(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail("`cargo xtask bundle` needs node and npm on the PATH: install Node.js 20.19 or later");
    };
    let folder = folder(checkout);
    install(&folder, &npm)?;
    complete(Command::new(node).arg("bundle.mjs").args(arguments).current_dir(&folder))
}

/// The modules that liveline embeds, by the names that `embedded.mjs` has for them.
const EMBEDDED: [&str; 2] = ["graphql", "validators"];

/// Makes the modules that liveline embeds of packages from npm, where one is missing or older than the versions that are
/// asked for. Without npm liveline is built without them.
pub fn embedded(checkout: &Checkout) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        println!(
            "without node and npm, liveline is built without a validator of JSON schemas for Fastify and without GraphQL"
        );
        return Ok(());
    };
    let (folder, target) = (folder(checkout), checkout.target.join("embedded"));
    let sources = ["package-lock.json", "embedded.mjs"].map(|name| age(&folder.join(name)));
    for name in EMBEDDED {
        let made = target.join(format!("{name}.js"));
        let is_made = made.metadata().is_ok_and(|it| it.len() > 0);
        if is_made && sources.iter().all(|source| *source <= age(&made)) {
            continue;
        }
        install(&folder, &npm)?;
        fs::create_dir_all(&target).while_doing("making the folder of the embedded modules")?;
        complete(Command::new(&node).args(["embedded.mjs", name]).arg(&made).current_dir(&folder))?;
    }
    Ok(())
}

/// Installs the packages where those of another lock file are installed, or none.
fn install(folder: &Path, npm: &Path) -> Outcome {
    // npm writes this file last.
    if age(&folder.join("node_modules/.package-lock.json")) < age(&folder.join("package-lock.json")) {
        complete(Command::new(npm).arg("ci").current_dir(folder))?;
    }
    Ok(())
}

fn age(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|it| it.modified()).ok()
}

/// Where the program that makes them lies, with its tests.
pub fn folder(checkout: &Checkout) -> PathBuf {
    checkout.root.join("xtask/bundle")
}
