//! `cargo xtask dist`: the executable as it is shipped, with profile `dist` of Cargo.toml, and its snapshot beside it.
//!
//! With `--pgo` it is built twice: first with counters, under a load that resembles the benchmarks'; then with what those
//! have counted, so that the compiler knows which branches are taken and which calls are worth inlining. Both builds are
//! whole ones in folders of their own below `target/pgo`, because their flags are those of no other build.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench;
use crate::checkout::{Build, Checkout, complete, executable};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, find_program};
use crate::run::{self, Profile};

const FLAGS: &str = "RUSTFLAGS";

/// Builds, and prints where the executable is.
pub fn dist(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let choice = engine::choose(checkout, &Machine)?;
    println!("{choice}");
    let build = choice.build(checkout)?;
    let program = match arguments {
        [] => run::build(checkout, &build, Profile::Dist)?,
        ["--pgo"] => guided(checkout, &build)?,
        _ => return fail("dist takes only --pgo"),
    };
    let size = fs::metadata(&program).while_doing(format_args!("reading {}", program.display()))?.len();
    println!("{} ({:.1} MB)", program.display(), size as f64 / 1e6);
    Ok(())
}

/// Two builds, with a load on the first one in between.
fn guided(checkout: &Checkout, build: &Build) -> Outcome<PathBuf> {
    let triple = Machine.triple()?;
    // Both first: without either the first build would be in vain.
    let profdata = profdata(&triple)?;
    bench::can_train()?;
    let folder = checkout.target.join("pgo");
    let counts = folder.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts).while_doing(format_args!("deleting {}", counts.display()))?;
    }
    let counting = compiled(checkout, build, &triple, &folder.join("counting"), generate(&counts))?;
    bench::train(checkout, &counting)?;
    let merged = folder.join("merged.profdata");
    let mut merge = Command::new(profdata);
    complete(merge.arg("merge").arg("--output").arg(&merged).arg(&counts))?;
    let program = compiled(checkout, build, &triple, &folder.join("guided"), using(&merged))?;
    if build.keeps_snapshots() {
        complete(Command::new(&program).arg("snapshot").stdout(Stdio::null()))?;
    }
    Ok(program)
}

/// Flags for a program that counts into `folder` when it ends.
fn generate(folder: &Path) -> String {
    format!("-Cprofile-generate={}", folder.display())
}

/// Flags for a program that is optimised for what was counted. Functions that were never called have no counts.
fn using(merged: &Path) -> String {
    format!("-Cprofile-use={}", merged.display())
}

/// Builds liveline with further flags. With a target named, they do not apply to build scripts and macros.
fn compiled(
    checkout: &Checkout,
    build: &Build,
    triple: &str,
    target: &Path,
    flags: String,
) -> Outcome<PathBuf> {
    eprintln!("building liveline (dist profile, {flags}); this takes as long as a first build");
    let mut cargo = checkout.cargo("build");
    build.apply(&mut cargo).args(["--profile", "dist", "--bin", "liveline", "--target", triple]);
    cargo.arg("--target-dir").arg(target).env(FLAGS, joined(std::env::var_os(FLAGS), &flags));
    complete(&mut cargo)?;
    Ok(checkout.liveline(&target.join(triple), "dist"))
}

/// The caller's flags, and ours.
fn joined(own: Option<OsString>, flags: &str) -> OsString {
    match own {
        Some(mut own) if !own.is_empty() => {
            own.push(" ");
            own.push(flags);
            own
        }
        _ => flags.into(),
    }
}

/// LLVM's tool of the compiler's own version, because the format of the counts changes between versions: rustup's
/// component, or the program of a package of the system such as Debian's `llvm-22`.
fn profdata(triple: &str) -> Outcome<PathBuf> {
    let sysroot = told_by_rustc(&["--print", "sysroot"])?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("bin");
    let component = folder.join(executable("llvm-profdata"));
    if component.is_file() {
        return Ok(component);
    }
    let version = llvm_version(&told_by_rustc(&["-vV"])?).unwrap_or_default();
    match find_program(&format!("llvm-profdata-{version}")) {
        Some(program) => Ok(program),
        None => fail(format!(
            "--pgo needs llvm-profdata of LLVM {version}, and there is no {}: `rustup component add llvm-tools` \
             installs it (Debian, where it has this version: sudo apt-get install llvm-{version})",
            component.display()
        )),
    }
}

fn told_by_rustc(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new("rustc").args(arguments).output().while_doing("starting rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first part of LLVM's version, from what `rustc -vV` prints.
fn llvm_version(printed: &str) -> Option<String> {
    let version = printed.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    Some(version.split('.').next()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_keeps_the_flags_of_the_caller() {
        assert_eq!(joined(None, "-Ca"), "-Ca");
        assert_eq!(joined(Some(OsString::new()), "-Ca"), "-Ca");
        assert_eq!(joined(Some("-Cb -Cc".into()), "-Ca"), "-Cb -Cc -Ca");
    }

    #[test]
    fn llvm_version_is_the_first_part() {
        assert_eq!(llvm_version("host: a\nLLVM version: 22.1.2\n"), Some("22".to_owned()));
        assert_eq!(llvm_version("host: a\n"), None);
    }
}
