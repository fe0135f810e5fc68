//! Where contestants are made: the scripts, and the cache folder that peers are installed into.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::contestants::{self, Contestant};
use super::plan::Plan;
use super::server::{Launch, Ready};
use crate::checkout::{Checkout, complete};
use crate::failure::{Outcome, While, fail};

pub struct Workshop<'a> {
    pub checkout: &'a Checkout,
    pub plan: &'a Plan,
    pub folder: PathBuf,
    scripts: PathBuf,
    /// Who was made already, or why not.
    made: RefCell<Vec<(&'static str, Result<Contestant, String>)>>,
}

impl<'a> Workshop<'a> {
    pub fn open(checkout: &'a Checkout, plan: &'a Plan) -> Outcome<Self> {
        let folder = checkout.target.join("bench");
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        let scripts = checkout.root.join("xtask/bench");
        Ok(Self { checkout, plan, folder, scripts, made: RefCell::default() })
    }

    /// Those of the names that are wanted and can be had. Without ourselves there is nothing to compare.
    pub fn gather(&self, names: &[&'static str]) -> Outcome<Vec<Contestant>> {
        let mut all = Vec::new();
        for name in names.iter().copied().filter(|name| self.plan.wants(name)) {
            match self.make(name) {
                Ok(contestant) => all.push(contestant),
                Err(why) if name == contestants::LIVELINE || name == contestants::FLOOR => {
                    return fail(format!("{name}: {why}"));
                }
                Err(why) => println!("{name} takes no part: {why}"),
            }
        }
        Ok(all)
    }

    fn make(&self, name: &'static str) -> Result<Contestant, String> {
        if let Some((_, known)) = self.made.borrow().iter().find(|(known, _)| *known == name) {
            return known.clone();
        }
        let made = contestants::make(self, name).map_err(|failure| failure.to_string());
        self.made.borrow_mut().push((name, made.clone()));
        made
    }

    /// Everyone who was made, for the head of the report.
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

    /// Installs packages into a folder of their own, so that npm removes nobody else's; returns their
    /// `node_modules`.
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
