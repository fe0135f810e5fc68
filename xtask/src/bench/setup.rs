//! What the groups share: the plan, the scripts, and the peers that are installed into `target/bench`.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::peers::{self, Peer};
use super::plan::Plan;
use super::server::{Launch, Ready};
use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, While, fail};

pub struct BenchSetup<'a> {
    pub checkout: &'a Checkout,
    pub plan: &'a Plan,
    pub folder: PathBuf,
    scripts: PathBuf,
    /// The peers that were looked for, and why some are not available.
    made: RefCell<Vec<(&'static str, Result<Peer, String>)>>,
}

impl<'a> BenchSetup<'a> {
    pub fn open(checkout: &'a Checkout, plan: &'a Plan) -> Outcome<Self> {
        let folder = checkout.target.join("bench");
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        let scripts = checkout.root.join("xtask/bench");
        Ok(Self { checkout, plan, folder, scripts, made: RefCell::default() })
    }

    /// The peers of these names that the plan asks for and that are available. Liveline and the baseline must be.
    pub fn gather(&self, names: &[&'static str]) -> Outcome<Vec<Peer>> {
        let mut all = Vec::new();
        for name in names.iter().copied().filter(|name| self.plan.wants(name)) {
            match self.make(name) {
                Ok(peer) => all.push(peer),
                Err(why)
                    if [peers::LIVELINE, peers::ACTORS, peers::TREE, peers::BASELINE].contains(&name) =>
                {
                    return fail(format!("{name}: {why}"));
                }
                Err(why) => println!("{name} is left out: {why}"),
            }
        }
        Ok(all)
    }

    /// The same, only of `headline` where the headline figures alone are measured and no peers were named.
    pub fn gather_headline(&self, names: &[&'static str], headline: &[&'static str]) -> Outcome<Vec<Peer>> {
        self.gather(if self.plan.quick && self.plan.only.is_empty() { headline } else { names })
    }

    fn make(&self, name: &'static str) -> Result<Peer, String> {
        if let Some((_, known)) = self.made.borrow().iter().find(|(known, _)| *known == name) {
            return known.clone();
        }
        let made = peers::make(self, name).map_err(|failure| failure.to_string());
        self.made.borrow_mut().push((name, made.clone()));
        made
    }

    /// The versions of the peers, for the head of the report.
    pub fn versions(&self) -> Vec<(&'static str, String)> {
        let made = self.made.borrow();
        made.iter().filter_map(|(name, made)| Some((*name, made.as_ref().ok()?.version.clone()))).collect()
    }

    pub fn script(&self, name: &str) -> String {
        self.scripts.join(name).display().to_string()
    }

    pub fn launch(&self, name: &str, program: PathBuf, arguments: &[&str]) -> Launch {
        Launch {
            program,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            variables: Vec::new(),
            ready: Ready::Says,
            log: self.folder.join(format!("{name}.log")),
        }
    }

    /// Installs packages into a folder of their own, because npm removes packages that it was not asked for. Returns
    /// the path of `node_modules`.
    pub fn npm(&self, name: &str, packages: &[&str]) -> Outcome<PathBuf> {
        let folder = self.folder.join(format!("npm-{name}"));
        let receipt = folder.join("installed.txt");
        let wanted = packages.join("\n");
        if fs::read_to_string(&receipt).is_ok_and(|installed| installed == wanted) {
            return Ok(folder.join("node_modules"));
        }
        println!("installing {} from npm into {}", packages.join(", "), folder.display());
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]);
        complete(npm.arg(&folder).args(packages).stdout(Stdio::null()))?;
        fs::write(&receipt, wanted).while_doing(format_args!("writing {}", receipt.display()))?;
        Ok(folder.join("node_modules"))
    }

    /// Installs a package whose platform packages (`scope/PLATFORM`) carry the program itself, which is what
    /// we measure: the program that npm links is a script in front of it.
    pub fn npm_program(&self, package: &str, scope: &str, program: &str) -> Outcome<PathBuf> {
        let name = package.split('@').next().unwrap_or(package);
        let scope = self.npm(name, &[package])?.join(scope);
        let platforms = fs::read_dir(&scope).while_doing(format_args!("reading {}", scope.display()))?;
        match platforms.flatten().map(|platform| platform.path().join(program)).find(|file| file.is_file()) {
            Some(program) => Ok(program),
            None => fail(format!("{} holds no program for this platform", scope.display())),
        }
    }
}
