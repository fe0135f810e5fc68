//! Two steps before the program is compiled: the linker is told to pack the executable's relocations, whose table shrinks
//! from megabytes to kilobytes, which every start reads; and the modules that `cargo xtask` has made of packages from npm are
//! passed on to `src/ext/`.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

/// The first version of glibc whose loader reads packed relocations.
const GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|it| it == value);
    let is_here = env::var("TARGET").ok() == env::var("HOST").ok();
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is_here
        && glibc() >= Some(GLIBC)
    {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
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

/// The version of this machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().rsplit_once(' ')?.1.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
