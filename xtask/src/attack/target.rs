//! The liveline that is attacked.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::client::get;
use crate::bench::server::{Launch, Ready, Server};
use crate::checkout::Checkout;
use crate::failure::{Outcome, While};
use crate::slowhttp;

/// So many good answers in a row, each on a connection of its own, mean that the host is well: a worker that is stuck
/// would have got one of the connections.
const IN_A_ROW: usize = 12;
/// How long one of them may take before it counts as none.
const ANSWER: Duration = Duration::from_secs(3);
/// How long after an attack memory may take to come back.
const SETTLING: Duration = Duration::from_secs(20);

/// What is attacked, and what was found.
pub struct Target {
    program: PathBuf,
    site: PathBuf,
    folder: PathBuf,
    faults: RefCell<Vec<String>>,
}

impl Target {
    pub fn prepare(checkout: &Checkout) -> Outcome<Self> {
        let folder = checkout.target.join("attack");
        fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
        let site = checkout.root.join("xtask/attack/site");
        Ok(Self { program: slowhttp::liveline(checkout)?, site, folder, faults: RefCell::default() })
    }

    /// Starts a host with these options, and waits until it answers.
    pub fn start(&self, options: &[&str]) -> Outcome<Server> {
        let start = ["serve", &*self.site.to_string_lossy(), "--port=0"].map(str::to_owned);
        let launch = Launch {
            program: self.program.clone(),
            arguments: start.into_iter().chain(options.iter().map(|option| (*option).to_owned())).collect(),
            variables: Vec::new(),
            ready: Ready::Says,
            log: self.folder.join("liveline.log"),
        };
        let server = Server::start(&launch, None)?;
        until_well(&server);
        server.forget_peak()?;
        Ok(server)
    }

    /// A bound was broken.
    pub fn fault(&self, what: impl Into<String>) {
        self.faults.borrow_mut().push(what.into());
    }

    pub fn faults(&self) -> Vec<String> {
        self.faults.borrow().clone()
    }
}

/// How long it takes until the host answers reliably; none if it does not.
pub fn until_well(server: &Server) -> Option<Duration> {
    let start = Instant::now();
    let (mut in_a_row, mut well_since) = (0, Duration::ZERO);
    while start.elapsed() < PATIENCE {
        let asked = start.elapsed();
        match get(server.port, "/ok", ANSWER) {
            Ok(200) => {
                if in_a_row == 0 {
                    well_since = asked.max(start.elapsed());
                }
                in_a_row += 1;
                if in_a_row == IN_A_ROW {
                    return Some(well_since);
                }
            }
            _ => in_a_row = 0,
        }
    }
    None
}

/// What the host occupies once it is at `goal` or below; at last what it occupies then.
pub fn settled(server: &Server, goal: f64) -> Outcome<f64> {
    let start = Instant::now();
    loop {
        let resident = server.resident()?;
        if resident <= goal || start.elapsed() > SETTLING {
            return Ok(resident);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
