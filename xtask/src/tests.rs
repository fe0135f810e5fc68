//! `cargo xtask test`: everything that must hold, from the quickest to the slowest.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::bundle;
use crate::checkout::{Build, Checkout, complete, show};
use crate::databases;
use crate::engine::{self, Choice, Engine};
use crate::failure::{Outcome, While, fail};
use crate::graphql;
use crate::machine::{Machine, Surroundings, find_program};
use crate::npm;
use crate::oracle;
use crate::quickjs;
#[cfg(target_os = "linux")]
use crate::slowhttp;
use crate::streams;

/// Runs every test, or with arguments only the full `cargo test`.
pub fn test(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let choice = engine::choose(checkout, &Machine)?;
    println!("{choice}");
    if let Engine::V8 { .. } = choice.engine {
        databases::install(checkout)?;
    }
    if !arguments.is_empty() {
        return full(checkout, &choice, arguments);
    }
    step("crates", checkout.cargo("test").args(["--workspace", "--exclude", "liveline"]))?;
    full(checkout, &choice, &[])?;
    without_sockets(checkout, &choice)?;
    let _snapshot = Snapshot::make(checkout, &choice.build(checkout)?)?;
    slow_clients(checkout)?;
    unit_tests_in_javascript(&checkout.root.join("tests/unit_js"))?;
    bundles(checkout)?;
    type_tests(checkout)?;
    npm_packages(checkout, &choice)?;
    durable_streams(checkout)?;
    oracles(checkout, &choice)?;
    if let Engine::V8 { .. } = choice.engine {
        tests_of_node(checkout)?;
    }
    browser_tests(checkout)?;
    smoke_of_the_bench(checkout)?;
    match choice.engine {
        Engine::V8 { .. } => smoke_of_quickjs(checkout, &choice),
        // The full run was with QuickJS, and V8's library cannot be had.
        Engine::QuickJs => Ok(()),
    }
}

/// Every test of the program, whose isolates start from a snapshot as those of users do.
fn full(checkout: &Checkout, choice: &Choice, arguments: &[&str]) -> Outcome {
    let build = choice.build(checkout)?;
    step("building the tests", cargo_test(checkout, &build).arg("--no-run").args(arguments))?;
    let _snapshot = Snapshot::make(checkout, &build)?;
    step("with the chosen engine", cargo_test(checkout, &build).args(arguments))
}

/// The snapshot that the isolates of the tested liveline start from, a file beside the executable. It is removed when this
/// is dropped: a later build would print at every start that the file is not for it.
struct Snapshot(PathBuf);

impl Snapshot {
    /// `None` if the engine has no snapshots, or only tests were built that do not start a liveline.
    fn make(checkout: &Checkout, build: &Build) -> Outcome<Option<Snapshot>> {
        let liveline = checkout.liveline(&checkout.target, "debug");
        if !build.keeps_snapshots() || !liveline.is_file() {
            return Ok(None);
        }
        build.make_snapshot(&liveline)?;
        let mut file = liveline.into_os_string();
        file.push(".snapshot");
        Ok(Some(Snapshot(file.into())))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("{} cannot be removed: {error}", self.0.display());
        }
    }
}

/// The integration binary again, its clients joining lines without sockets, its isolates starting without a snapshot.
fn without_sockets(checkout: &Checkout, choice: &Choice) -> Outcome {
    let mut cargo = cargo_test(checkout, &choice.build(checkout)?);
    step("without sockets", cargo.env("LIVELINE_TRANSPORT", "events").args(["--test", "it"]))
}

/// Slow clients of slowhttptest, against the liveline that the full run has built.
#[cfg(target_os = "linux")]
fn slow_clients(checkout: &Checkout) -> Outcome {
    const NAME: &str = "slow clients";
    if find_program(slowhttp::PROGRAM).is_none() {
        return skip(NAME, "there is no slowhttptest on the PATH");
    }
    println!("\n== {NAME}");
    slowhttp::run(checkout, &[])
}

#[cfg(not(target_os = "linux"))]
fn slow_clients(_: &Checkout) -> Outcome {
    skip("slow clients", "slowhttptest is a program of Debian's")
}

/// The host's JavaScript that runs without the host: every script directly in the folder.
/// They are named one by one because Node's versions disagree on what a folder means.
fn unit_tests_in_javascript(folder: &Path) -> Outcome {
    let scripts = scripts_in(folder)?;
    if scripts.is_empty() {
        return Ok(());
    }
    match find_program("node") {
        Some(node) => step("JavaScript units", Command::new(node).arg("--test").args(scripts)),
        None => skip("JavaScript units", "there is no node on the PATH"),
    }
}

fn scripts_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).while_doing(format_args!("reading {}", folder.display()))? {
        let file = entry.while_doing(format_args!("reading {}", folder.display()))?.path();
        if file.extension().is_some_and(|ending| ending == OsStr::new("js") || ending == OsStr::new("mjs")) {
            scripts.push(file);
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// The scripts that browsers run are those of the present modules.
fn bundles(checkout: &Checkout) -> Outcome {
    let (Some(node), Some(_)) = (find_program("node"), find_program("npm")) else {
        return skip("bundles", "there is no node or no npm on the PATH");
    };
    bundle::bundle(checkout, &["--check"])?;
    let folder = bundle::folder(checkout);
    step("bundles", Command::new(node).args(["--test", "built_ins.test.mjs"]).current_dir(&folder))
}

/// The declarations of `runtime-js/types/`, held against the liveline that the full run has built.
fn type_tests(checkout: &Checkout) -> Outcome {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return skip("types", "there is no node or no npm on the PATH");
    };
    let folder = checkout.root.join("tests/types");
    step("installing the TypeScript compiler", Command::new(npm).arg("ci").current_dir(&folder))?;
    let mut run = Command::new(node);
    run.args(["--test", "types.test.mjs"]).current_dir(&folder);
    step("types", with_liveline(&mut run, checkout))
}

/// Node's own tests of its modules, run in handlers of the liveline that the full run has built.
fn tests_of_node(checkout: &Checkout) -> Outcome {
    const NAME: &str = "Node's own tests";
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return skip(NAME, "there is no node or no npm on the PATH");
    };
    let folder = checkout.root.join("tests/node");
    step(
        "installing Node's own tests",
        Command::new(npm).args(["ci", "--ignore-scripts"]).current_dir(&folder),
    )?;
    let mut run = Command::new(node);
    run.arg("run.mjs").current_dir(&folder);
    step(NAME, with_liveline(&mut run, checkout))
}

/// Packages from the npm registry, with the liveline that the full run has built.
fn npm_packages(checkout: &Checkout, choice: &Choice) -> Outcome {
    const NAME: &str = "npm packages";
    if let Engine::QuickJs = choice.engine {
        return skip(NAME, "Node's half needs V8");
    }
    if find_program("node").is_none() || find_program("npm").is_none() {
        return skip(NAME, "there is no node or no npm on the PATH");
    }
    println!("\n== {NAME}");
    npm::run(checkout, &[])
}

/// The conformance suite of Durable Streams and clients of GraphQL, with the liveline that the full run has built.
fn durable_streams(checkout: &Checkout) -> Outcome {
    const NAME: &str = "Durable Streams";
    if find_program("node").is_none() || find_program("npm").is_none() {
        return skip(NAME, "there is no node or no npm on the PATH");
    }
    println!("\n== {NAME}");
    streams::run(checkout, &[])?;
    println!("\n== clients of GraphQL");
    graphql::run(checkout)
}

/// Scripts against what the hosts that the dialects come from have answered, with the liveline that the full run has
/// built.
fn oracles(checkout: &Checkout, choice: &Choice) -> Outcome {
    for name in ["workers", "fastify", "fastify-npm"] {
        if let Engine::QuickJs = choice.engine {
            skip(name, "actors and Node's half need V8")?;
        } else if find_program("node").is_none() || find_program("npm").is_none() {
            skip(name, "there is no node or no npm on the PATH")?;
        } else {
            println!("\n== {name}");
            oracle::run(checkout, &[name, "--check"])?;
        }
    }
    Ok(())
}

/// The examples' pages in Chromium, served by the liveline that the full run has built.
fn browser_tests(checkout: &Checkout) -> Outcome {
    const NAME: &str = "browser tests";
    if Machine.variable("LIVELINE_SKIP_BROWSER").is_some() {
        return skip(NAME, "LIVELINE_SKIP_BROWSER is set");
    }
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return fail(
            "the browser tests need node and npm on the PATH: install Node.js 20 or later, \
             or set LIVELINE_SKIP_BROWSER=1 to do without them",
        );
    };
    let folder = checkout.root.join("tests/browser");
    let mut install = Command::new(npm);
    install.arg("ci").current_dir(&folder);
    if find_program("chromium").is_some() {
        // The other browser is a big download.
        install.arg("--omit=optional");
    }
    step("installing what drives the browser", &mut install)?;
    let mut run = Command::new(node);
    run.arg("run.mjs").current_dir(&folder);
    step(NAME, with_liveline(&mut run, checkout))
}

/// The benchmarks' loader against the liveline that the full run has built: everything comes once and in order.
fn smoke_of_the_bench(checkout: &Checkout) -> Outcome {
    const NAME: &str = "smoke of the bench";
    if cfg!(not(target_os = "linux")) {
        return skip(NAME, "the benchmarks run on Linux");
    }
    let mut run = Command::new(&checkout.program);
    step(NAME, with_liveline(run.args(["bench", "--smoke"]), checkout))
}

/// Sets the liveline that a script starts, unless the caller has set one.
pub fn with_liveline<'a>(command: &'a mut Command, checkout: &Checkout) -> &'a mut Command {
    if std::env::var_os("LIVELINE_BIN").is_none() {
        command.env("LIVELINE_BIN", checkout.liveline(&checkout.target, "debug"));
    }
    command
}

/// The integration binary of the chosen engine drives a liveline that was built with the other one.
fn smoke_of_quickjs(checkout: &Checkout, choice: &Choice) -> Outcome {
    const NAME: &str = "smoke with QuickJS";
    let other = match quickjs::build(checkout) {
        Ok(build) => build,
        Err(failure) => return skip(NAME, &failure.to_string()),
    };
    let target = checkout.target.join("quickjs");
    let mut cargo = checkout.cargo("build");
    step(
        "building with QuickJS",
        other.apply(&mut cargo).args(["--bin", "liveline", "--target-dir"]).arg(&target),
    )?;
    let liveline = checkout.liveline(&target, "debug");
    // An executable that cannot run at all fails here, with its exit status.
    step("version with QuickJS", Command::new(&liveline).arg("--version"))?;
    let mut smoke = cargo_test(checkout, &choice.build(checkout)?);
    smoke.env("LIVELINE_BIN", liveline);
    step(NAME, smoke.args(["--test", "it", "smoke"]))
}

fn cargo_test(checkout: &Checkout, build: &Build) -> Command {
    let mut cargo = checkout.cargo("test");
    build.apply(&mut cargo);
    cargo
}

fn step(name: &str, command: &mut Command) -> Outcome {
    println!("\n== {name}: {}", show(command));
    let start = Instant::now();
    complete(command)?;
    println!("== {name}: passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn skip(name: &str, why: &str) -> Outcome {
    println!("\n== {name}: skipped: {why}");
    Ok(())
}
