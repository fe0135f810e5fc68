//! What xtask asks of the machine it runs on: variables, programs, the network, packages.

use std::env;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::checkout::{complete, executable};
use crate::failure::{Outcome, While, fail};

/// How long GitHub may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the choice of the engine depends on; the tests describe theirs.
pub trait Surroundings {
    fn variable(&self, name: &str) -> Option<String>;
    fn is_file(&self, path: &Path) -> bool;
    fn github_answers(&self) -> bool;
    /// The target triple that is built for, which on this project is the host's.
    fn triple(&self) -> Outcome<String>;
}

/// The real machine.
pub struct Machine;

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn github_answers(&self) -> bool {
        // On a thread of its own, because looking up a name knows no time limit.
        let (sender, answer) = mpsc::channel();
        thread::spawn(move || {
            let reached = ("github.com", 443)
                .to_socket_addrs()
                .is_ok_and(|mut found| found.any(|at| TcpStream::connect_timeout(&at, PATIENCE).is_ok()));
            // The receiver is gone when the answer comes too late.
            let _ = sender.send(reached);
        });
        answer.recv_timeout(PATIENCE).unwrap_or(false)
    }

    fn triple(&self) -> Outcome<String> {
        match told_by_rustc(&["-vV"])?.lines().find_map(|line| line.strip_prefix("host: ")) {
            Some(triple) => Ok(triple.to_owned()),
            None => fail("`rustc -vV` names no host"),
        }
    }
}

/// What the compiler prints when it is asked something.
pub fn told_by_rustc(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new("rustc").args(arguments).stdin(Stdio::null()).output();
    let output = output.while_doing("starting rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first program of that name on the PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(executable(name))).find(|file| file.is_file())
}

/// Whether packages may be installed with apt-get: it is there, and we are root.
pub fn may_use_apt() -> bool {
    let root = || Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    find_program("apt-get").is_some() && root()
}

/// Installs Debian packages; fetches the package lists only when a first try finds nothing.
pub fn apt_install(packages: &[&str]) -> Outcome {
    eprintln!("xtask: installing {} with apt-get", packages.join(", "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    if complete(apt(&install).stderr(Stdio::null())).is_ok() {
        return Ok(());
    }
    complete(&mut apt(&["update"]))?;
    complete(&mut apt(&install))
}
