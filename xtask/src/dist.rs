//! `cargo xtask dist`: the executable as it is shipped, with profile `dist` of Cargo.toml, and its snapshot beside it.
//!
//! With `--pgo` it is built twice, the second time guided by what the first build has counted (`pgo`). Both builds are whole
//! ones in folders of their own below `target/pgo`, because their flags are those of no other build.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkout::{Build, Checkout, complete};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings};
use crate::pgo::{self, Counts};
use crate::run::{self, Profile};

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
    let counts = Counts::prepare(checkout)?;
    let folder = checkout.target.join("pgo");
    let counting = compiled(checkout, build, &folder.join("counting"), &[counts.generate()])?;
    let merged = folder.join("merged.profdata");
    counts.record(checkout, build, &counting, &merged)?;
    let program = compiled(checkout, build, &folder.join("guided"), &pgo::using(&merged))?;
    build.make_snapshot(&program)?;
    Ok(program)
}

/// Builds liveline with further flags. With a target named, they do not apply to build scripts and macros.
fn compiled(checkout: &Checkout, build: &Build, target: &Path, flags: &[String]) -> Outcome<PathBuf> {
    eprintln!("building liveline (dist profile, {}); this takes as long as a first build", flags.join(" "));
    let triple = Machine.triple()?;
    let mut cargo = checkout.cargo("build");
    build.apply(&mut cargo).args([
        "--profile",
        Profile::Dist.name(),
        "--bin",
        "liveline",
        "--target",
        &triple,
    ]);
    cargo.arg("--target-dir").arg(target).env(pgo::FLAGS, pgo::with_callers(flags));
    complete(&mut cargo)?;
    Ok(checkout.liveline(&target.join(triple), Profile::Dist.name()))
}
