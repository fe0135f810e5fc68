//! Two steps before the program is compiled: the linker is told to place the executable at a fixed address, and the
//! modules that `cargo xtask` has made of packages from npm are passed on to `src/ext/`.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|it| it == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        // Otherwise every start writes addresses into 3.5 MB of tables, which are then memory of each process.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    for name in ["graphql", "validators"] {
        if let Err(error) = embedded(name) {
            println!("cargo:error=passing on the module {name}: {error}");
        }
    }
}

/// Copies `embedded/NAME.js` of the target folder. Where it is missing an empty one is made, so that cargo can see when
/// `cargo xtask` replaces it.
fn embedded(name: &str) -> io::Result<()> {
    let own = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    // The folder is PROFILE/build/PACKAGE/out below the target folder.
    let target = own.ancestors().nth(4).expect("the folder lies in the target folder");
    let file = format!("{name}.js");
    let made = target.join("embedded").join(&file);
    println!("cargo:rerun-if-changed={}", made.display());
    if !made.exists() {
        fs::create_dir_all(target.join("embedded"))?;
        fs::write(&made, "")?;
    }
    fs::copy(&made, own.join(file)).map(drop)
}
