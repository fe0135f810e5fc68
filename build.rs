//! Steps before the program is compiled: the linker is told to place the executable at a fixed address, and functions that
//! run together side by side; and the modules that `cargo xtask` has made of packages from npm are passed on to `src/ext/`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs, io};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|it| it == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        // Otherwise every start writes addresses into 3.5 MB of tables, which are then memory of each process.
        println!("cargo:rustc-link-arg-bins=-no-pie");
        if is("CARGO_CFG_TARGET_ARCH", "x86_64") {
            order_functions();
        }
    }
    for name in ["graphql", "validators"] {
        if let Err(error) = embedded(name) {
            println!("cargo:error=passing on the module {name}: {error}");
        }
    }
}

/// Tells the linker the order that `cargo xtask order` has recorded. Names that the program does not have are ignored.
fn order_functions() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let file = root.join("xtask/order/functions.txt");
    println!("cargo:rerun-if-changed={}", file.display());
    let arguments = [
        format!("-Wl,--symbol-ordering-file={}", file.display()),
        "-Wl,--no-warn-symbol-ordering".to_owned(),
    ];
    if links_with(&arguments) {
        arguments.iter().for_each(|argument| println!("cargo:rustc-link-arg-bins={argument}"));
    }
}

/// Whether the linker knows these arguments: LLD does, which rustc brings for x86-64 Linux, others may have been chosen.
fn links_with(arguments: &[String]) -> bool {
    let own = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let source = own.join("empty.rs");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets it"));
    rustc.args(env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().split_terminator('\x1f'));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg([OsStr::new("linker="), &linker].into_iter().collect::<OsString>());
    }
    rustc.args(arguments.iter().map(|argument| format!("-Clink-arg={argument}")));
    rustc.arg(&source).arg("-o").arg(own.join("empty")).stderr(Stdio::null());
    fs::write(&source, "fn main() {}").is_ok() && rustc.status().is_ok_and(|status| status.success())
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
