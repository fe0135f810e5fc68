//! Who takes part: liveline, its peers and the floor. Peers are installed into the target folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::{Launch, Server};
use super::{BODY, client::Connection};
use crate::checkout::{Checkout, complete};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, find_program};
use crate::run;

const BUN: &str = "1.4.5";
const DENO: &str = "2.9.6";

/// The name of the one that the others are compared with.
pub const LIVELINE: &str = "liveline";
/// The name of the bare server below everybody.
pub const FLOOR: &str = "floor";
pub const BUN_NAME: &str = "bun";

pub struct Contestant {
    pub name: &'static str,
    pub version: String,
    pub launch: Launch,
}

impl Contestant {
    /// Whether this is another runtime, and not ourselves or the floor.
    pub fn is_peer(&self) -> bool {
        is_peer(self.name)
    }
}

pub fn is_peer(name: &str) -> bool {
    name != LIVELINE && name != FLOOR
}

/// Builds and installs the contestants, and checks that all give the same answer.
/// A peer that cannot be had is left out; without liveline or the floor there is nothing to compare.
pub fn gather(checkout: &Checkout, only: &[String]) -> Outcome<Vec<Contestant>> {
    let workshop = Workshop::open(checkout)?;
    let recipes: [(&'static str, &dyn Fn() -> Outcome<Contestant>); 5] = [
        (FLOOR, &|| workshop.floor()),
        (LIVELINE, &|| workshop.liveline()),
        (BUN_NAME, &|| workshop.bun()),
        ("deno", &|| workshop.deno()),
        ("node", &|| workshop.node()),
    ];
    if let Some(unknown) = only.iter().find(|name| recipes.iter().all(|(known, _)| known != name)) {
        return fail(format!("--only {unknown}: the contestants are floor, liveline, bun, deno, node"));
    }
    let mut contestants = Vec::new();
    for (name, make) in recipes {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        match make().and_then(check_answer) {
            Ok(contestant) => contestants.push(contestant),
            Err(failure) if is_peer(name) => println!("{name} takes no part: {failure}"),
            Err(failure) => return fail(format!("{name}: {failure}")),
        }
    }
    Ok(contestants)
}

/// Nobody wins by answering less.
fn check_answer(contestant: Contestant) -> Outcome<Contestant> {
    let server = Server::start(&contestant.launch, None)?;
    let answer = Connection::open(server.port).and_then(|mut connection| connection.get());
    let answer = answer.while_doing("asking for the route")?;
    let missing =
        ["date", "content-length", "content-type"].into_iter().find(|name| answer.header(name).is_none());
    match missing {
        Some(name) => fail(format!("its answer has no {name} header")),
        None if answer.status != 200 || answer.body != BODY => {
            fail(format!("it answers {} `{}` where `{BODY}` is wanted", answer.status, answer.body))
        }
        None => Ok(contestant),
    }
}

/// Where contestants are made.
struct Workshop<'a> {
    checkout: &'a Checkout,
    scripts: PathBuf,
    folder: PathBuf,
}

impl<'a> Workshop<'a> {
    fn open(checkout: &'a Checkout) -> Outcome<Self> {
        let folder = checkout.target.join("bench");
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        Ok(Self { checkout, scripts: checkout.root.join("xtask/bench"), folder })
    }

    fn contestant(
        &self,
        name: &'static str,
        version: String,
        program: PathBuf,
        arguments: &[&str],
    ) -> Contestant {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Contestant {
            name,
            version,
            launch: Launch { program, arguments, log: self.folder.join(format!("{name}.log")) },
        }
    }

    /// The floor is this program itself, but optimised.
    fn floor(&self) -> Outcome<Contestant> {
        complete(self.checkout.cargo("build").args(["--quiet", "--release", "--package", "xtask"]))?;
        let program = self.checkout.target.join("release/xtask");
        Ok(self.contestant(FLOOR, "bare epoll".to_owned(), program, &["bench", "floor-server"]))
    }

    fn liveline(&self) -> Outcome<Contestant> {
        let program = match env::var_os("LIVELINE_BIN") {
            Some(program) => self.checkout.caller.join(program),
            None => {
                let choice = engine::choose(self.checkout, &Machine)?;
                println!("{choice}");
                run::build_release(self.checkout, &choice.build(self.checkout)?)?
            }
        };
        let routes = self.scripts.join("routes").display().to_string();
        let arguments = ["serve", &routes, "--host", "127.0.0.1", "--port", "0", "--workers", "1"];
        Ok(self.contestant(LIVELINE, version(&program)?, program, &arguments))
    }

    fn bun(&self) -> Outcome<Contestant> {
        let program = self.npm("bun", BUN, "@oven", "bin/bun")?;
        Ok(self.contestant(BUN_NAME, version(&program)?, program, &[&self.script("bun.js")]))
    }

    fn deno(&self) -> Outcome<Contestant> {
        let program = self.npm("deno", DENO, "@deno", "deno")?;
        let arguments =
            ["run", "--quiet", "--no-config", "--no-lock", "--allow-net", &self.script("deno.js")];
        Ok(self.contestant("deno", version(&program)?, program, &arguments))
    }

    fn node(&self) -> Outcome<Contestant> {
        match find_program("node") {
            Some(program) => {
                Ok(self.contestant("node", version(&program)?, program, &[&self.script("node.js")]))
            }
            None => fail("there is no node on the PATH"),
        }
    }

    fn script(&self, name: &str) -> String {
        self.scripts.join(name).display().to_string()
    }

    /// Installs a package whose platform packages (`scope/PLATFORM`) carry the program itself, which is what we
    /// measure: the program that npm links is a script in front of it. Each has a folder of its own, so that npm does
    /// not remove the other.
    fn npm(&self, package: &str, version: &str, scope: &str, program: &str) -> Outcome<PathBuf> {
        let folder = self.folder.join(format!("{package}-{version}"));
        let scope = folder.join("node_modules").join(scope);
        if !scope.is_dir() {
            println!("installing {package} {version} from npm into {}", folder.display());
            fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
                "--prefix",
            ]);
            complete(npm.arg(&folder).arg(format!("{package}@{version}")).stdout(Stdio::null()))?;
        }
        let platforms = fs::read_dir(&scope).while_doing(format_args!("reading {}", scope.display()))?;
        match platforms.flatten().map(|platform| platform.path().join(program)).find(|file| file.is_file()) {
            Some(program) => Ok(program),
            None => fail(format!("{} holds no program for this platform", scope.display())),
        }
    }
}

/// The version that a program reports.
fn version(program: &Path) -> Outcome<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.while_doing(format_args!("starting {}", program.display()))?;
    Ok(version_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The first word that looks like a version.
fn version_in(text: &str) -> String {
    let is_version =
        |word: &&str| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    text.split_whitespace().find(is_version).unwrap_or("unknown").trim_start_matches('v').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_every_peers_format_is_the_number() {
        assert_eq!(version_in("1.4.5\n"), "1.4.5");
        assert_eq!(version_in("deno 2.9.6 (stable, release, x86_64)\nv8 15.0\n"), "2.9.6");
        assert_eq!(version_in("v20.20.2\n"), "20.20.2");
        assert_eq!(version_in("liveline 0.1.0\n"), "0.1.0");
        assert_eq!(version_in(""), "unknown");
    }
}
