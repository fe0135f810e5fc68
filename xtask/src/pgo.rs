//! Builds that are guided by counts (<https://doc.rust-lang.org/rustc/profile-guided-optimization.html>): a build with
//! counters is put under the load of the benchmarks, so that the compiler knows which branches are taken and which calls are
//! worth inlining.
//!
//! Counts belong to the names of functions, which have in them a hash of the compiler and of the profile. Those of profile
//! `quick` are kept in the repository, by the compiler's version: `cargo xtask pgo` records them, and each later build of
//! that profile is guided by them without being built twice. Functions that have changed since the record, and those of
//! another compiler, are compiled as without counts. Those of profile `dist` are counted anew by each `cargo xtask dist
//! --pgo`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench;
use crate::checkout::{Build, Checkout, complete, executable};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, find_program, told_by_rustc};
use crate::run::Profile;

/// Cargo's variable for flags of the compiler, which may contain spaces here.
pub const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
/// What separates them.
const SEPARATOR: &str = "\x1f";

/// Builds profile `quick` with counters, puts the load on it, and writes what it has counted to `xtask/pgo`.
pub fn record(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    if !arguments.is_empty() {
        return fail("pgo takes no arguments");
    }
    let choice = engine::choose(checkout, &Machine)?;
    println!("{choice}");
    let build = choice.build(checkout)?;
    if !has_records(&build) {
        return fail("counts are recorded of a program with V8, on Linux with an x86-64 processor");
    }
    let file = recorded(checkout)?;
    let counts = Counts::prepare(checkout)?;
    // As later builds are made, without --target: that would be in the names.
    let target = checkout.target.join("pgo/quick");
    eprintln!("building liveline with counters; this takes as long as a first build");
    let mut cargo = checkout.cargo("build");
    build.apply(&mut cargo).args(["--profile", Profile::Quick.name(), "--bin", "liveline"]);
    complete(cargo.arg("--target-dir").arg(&target).env(FLAGS, with_callers(&[counts.generate()])))?;
    counts.record(checkout, &build, &checkout.liveline(&target, Profile::Quick.name()), &file)?;
    println!(
        "written to {}; run `cargo xtask order` next, for the functions of the guided build",
        file.display()
    );
    Ok(())
}

/// Lets a build of profile `quick` be guided by the recorded counts, if there are some of this compiler.
pub fn guide(checkout: &Checkout, build: &Build, cargo: &mut Command) -> Outcome {
    if !has_records(build) {
        return Ok(());
    }
    let file = recorded(checkout)?;
    if !file.is_file() {
        eprintln!("not guided by counts: there is no {}", file.display());
        return Ok(());
    }
    if compiles_c_with_clang() {
        // Libraries in C would be compiled with the same flag, and clang reads only counts of its own version.
        eprintln!("not guided by counts: the C compiler is clang");
        return Ok(());
    }
    cargo.env(FLAGS, with_callers(&using(&named_by_content(checkout, &file)?)));
    Ok(())
}

/// Whether the repository can have counts of such a build.
fn has_records(build: &Build) -> bool {
    cfg!(target_arch = "x86_64") && build.keeps_snapshots()
}

/// Where the counts of the present compiler are kept.
fn recorded(checkout: &Checkout) -> Outcome<PathBuf> {
    match name_of_record(&told_by_rustc(&["-vV"])?) {
        Some(name) => Ok(checkout.root.join("xtask/pgo").join(name)),
        None => fail("`rustc -vV` names no version"),
    }
}

/// The file for a compiler, from what `rustc -vV` prints. The format belongs to LLVM's version, and systems have builds of
/// the compiler with their own LLVM.
fn name_of_record(printed: &str) -> Option<String> {
    let release = printed.lines().find_map(|line| line.strip_prefix("release: "))?.trim();
    Some(format!("rustc-{release}-llvm-{}.profdata", llvm_version(printed)?))
}

/// A copy whose name changes with its content, because cargo compiles anew only for other flags.
fn named_by_content(checkout: &Checkout, file: &Path) -> Outcome<PathBuf> {
    let content = fs::read(file).while_doing(format_args!("reading {}", file.display()))?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let folder = checkout.target.join("pgo");
    let copy = folder.join(format!("{:016x}.profdata", hasher.finish()));
    // One that is shorter was not written to its end.
    if !fs::metadata(&copy).is_ok_and(|found| found.len() == content.len() as u64) {
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        fs::write(&copy, content).while_doing(format_args!("writing {}", copy.display()))?;
    }
    Ok(copy)
}

/// Whether a compiler that libraries in C or C++ may be compiled with is clang: one that a variable names, maybe behind a
/// wrapper such as ccache, or the system's.
fn compiles_c_with_clang() -> bool {
    let named = ["CC", "CXX"].into_iter().flat_map(|kind| {
        let suffixed =
            ["x86_64-unknown-linux-gnu", "x86_64_unknown_linux_gnu"].map(|of| format!("{kind}_{of}"));
        let prefixed = ["HOST", "TARGET"].map(|of| format!("{of}_{kind}"));
        suffixed.into_iter().chain(prefixed).chain([kind.to_owned()])
    });
    let mut compilers =
        named.filter_map(|name| Machine.variable(&name)).chain(["cc".to_owned(), "c++".to_owned()]);
    compilers.any(|compiler| compiler.contains("clang") || is_clang(&compiler))
}

fn is_clang(compiler: &str) -> bool {
    let version = Command::new(compiler).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("clang"))
}

/// What a build with counters writes when it ends, and the tool that merges it.
pub struct Counts {
    folder: PathBuf,
    profdata: PathBuf,
}

impl Counts {
    /// Fails without what the load or the tool needs: a build would be in vain.
    pub fn prepare(checkout: &Checkout) -> Outcome<Self> {
        bench::can_train()?;
        Ok(Self { folder: checkout.target.join("pgo/counts"), profdata: profdata(&Machine.triple()?)? })
    }

    /// The flag for a program that counts.
    pub fn generate(&self) -> String {
        format!("-Cprofile-generate={}", self.folder.display())
    }

    /// Puts the load on such a program, and writes to `merged` how often each branch of a function that ran was taken.
    pub fn record(&self, checkout: &Checkout, build: &Build, program: &Path, merged: &Path) -> Outcome {
        let Self { folder, profdata } = self;
        build.make_snapshot(program)?;
        if folder.exists() {
            // What macros, build scripts and the making of the snapshot have counted.
            fs::remove_dir_all(folder).while_doing(format_args!("deleting {}", folder.display()))?;
        }
        bench::train(checkout, program)?;
        if let Some(parent) = merged.parent() {
            fs::create_dir_all(parent).while_doing(format_args!("creating {}", parent.display()))?;
        }
        complete(Command::new(profdata).args(["merge", "--sparse", "--output"]).arg(merged).arg(folder))
    }
}

/// The flags for a program that is guided by `counts`. Functions that have changed since are no reason for a warning.
pub fn using(counts: &Path) -> [String; 2] {
    [format!("-Cprofile-use={}", counts.display()), "-Cllvm-args=-no-pgo-warn-mismatch".to_owned()]
}

/// The flags of the caller, as cargo finds them, and further ones, as the value of [`FLAGS`].
pub fn with_callers(flags: &[String]) -> String {
    joined(Machine.variable(FLAGS), Machine.variable("RUSTFLAGS"), flags)
}

/// Cargo ignores the flags that spaces separate where the others are given.
fn joined(encoded: Option<String>, spaced: Option<String>, flags: &[String]) -> String {
    let own: Vec<String> = match (encoded, spaced) {
        (Some(encoded), _) => encoded.split(SEPARATOR).map(str::to_owned).collect(),
        (None, spaced) => spaced.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    };
    [&own[..], flags].concat().join(SEPARATOR)
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
            "counts are merged by llvm-profdata of LLVM {version}, and there is no {}: `rustup component add llvm-tools` \
             installs it (Debian, where it has this version: sudo apt-get install llvm-{version})",
            component.display()
        )),
    }
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
        let flags = ["-Ca=/with space".to_owned()];
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(joined(None, None, &flags), "-Ca=/with space");
        assert_eq!(joined(None, given(" -Cb  -Cc"), &flags), "-Cb\x1f-Cc\x1f-Ca=/with space");
        assert_eq!(
            joined(given("-Cb=1 2\x1f-Cc"), given("-Cd"), &flags),
            "-Cb=1 2\x1f-Cc\x1f-Ca=/with space"
        );
    }

    #[test]
    fn llvm_version_is_the_first_part() {
        assert_eq!(llvm_version("host: a\nLLVM version: 22.1.2\n"), Some("22".to_owned()));
        assert_eq!(llvm_version("host: a\n"), None);
    }

    #[test]
    fn name_of_record_has_both_versions() {
        let printed = "rustc 1.95.0 (5980761 2026-04-14)\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(name_of_record(printed).as_deref(), Some("rustc-1.95.0-llvm-22.profdata"));
        assert_eq!(name_of_record("release: 1.95.0\n"), None);
    }

    #[test]
    fn counts_that_have_changed_have_another_name() {
        let folder = std::env::temp_dir().join(format!("liveline-pgo-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        let checkout = Checkout {
            root: folder.clone(),
            target: folder.join("target"),
            caller: folder.clone(),
            program: folder.join("xtask"),
        };
        let file = folder.join("counts");
        let named = |content: &str| {
            fs::write(&file, content).expect("the counts are written");
            named_by_content(&checkout, &file).expect("a copy")
        };
        let (first, second, again) = (named("1"), named("2"), named("1"));
        assert_ne!(first, second);
        assert_eq!(first, again);
        assert_eq!(fs::read(second).expect("the copy is there"), b"2");
        fs::remove_dir_all(&folder).expect("the folder is deleted");
    }
}
