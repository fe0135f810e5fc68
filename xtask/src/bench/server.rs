//! One running server: started, awaited, measured, killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::client::Connection;
use super::cores;
use crate::failure::{Outcome, While, fail};
use crate::machine::find_program;

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
/// Linux counts CPU time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;
const READY: &str = "listening on http://127.0.0.1:";

/// How a server is started. Its standard error goes to `log`.
#[derive(Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub variables: Vec<(String, String)>,
    pub ready: Ready,
    pub log: PathBuf,
}

/// How a server shows that it listens.
#[derive(Clone, Copy)]
pub enum Ready {
    /// It prints a line with its port.
    Says,
    /// It accepts connections at the port that it was started with.
    Accepts(u16),
}

pub struct Server {
    child: Child,
    pub port: u16,
    started: Instant,
}

/// What a process occupies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub resident: f64,
    /// Pages shared with other processes count in part.
    pub proportional: f64,
    /// Without pages of files, such as code that runs for the first time.
    pub anonymous: f64,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub fn start(launch: &Launch, core: Option<usize>) -> Outcome<Self> {
        let log = File::create(&launch.log).while_doing(format_args!("creating {}", launch.log.display()))?;
        let mut command = pinned(&launch.program, core);
        command.args(&launch.arguments).envs(launch.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let started = Instant::now();
        let child = command.spawn().while_doing(format_args!("starting {}", launch.program.display()))?;
        // From here on the child is killed whatever happens.
        let mut server = Self { child, port: 0, started };
        let port = match launch.ready {
            Ready::Says => server.await_port(),
            Ready::Accepts(port) => await_accept(port),
        };
        match port {
            Some(port) => server.port = port,
            None => {
                let (program, log) = (launch.program.display(), launch.log.display());
                return fail(format!(
                    "{program} ended, or did not listen within {PATIENCE:?}; its errors are in {log}"
                ));
            }
        }
        Ok(server)
    }

    /// Starts a server on the core that servers have for themselves.
    pub fn start_pinned(launch: &Launch) -> Outcome<Self> {
        Self::start(launch, Some(cores::SERVER))
    }

    fn await_port(&mut self) -> Option<u16> {
        let output = BufReader::new(self.child.stdout.take()?);
        let (sender, port) = mpsc::channel();
        // Reads to the end, so that a server that prints more never blocks.
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(port) = announced(&line) {
                    // The receiver is gone when the line comes too late or a second time.
                    let _ = sender.send(port);
                }
            }
        });
        port.recv_timeout(PATIENCE).ok()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// From exec to the end of the first good answer.
    pub fn first_answer(&self) -> Outcome<Duration> {
        let answer = Connection::open(self.port).and_then(|mut connection| connection.get());
        match answer.while_doing("the first request")?.status {
            200 => Ok(self.started.elapsed()),
            other => fail(format!("the first answer has status {other}")),
        }
    }

    /// The CPU time of all threads so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        let text = self.proc("stat")?;
        match cpu_ticks(&text) {
            Some(ticks) => Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)),
            None => fail("/proc/PID/stat is not in the known format"),
        }
    }

    pub fn memory(&self) -> Outcome<Memory> {
        let (status, rollup) = (self.proc("status")?, self.proc("smaps_rollup")?);
        let anonymous = kilobytes(&status, "RssAnon:");
        match (kilobytes(&status, "VmRSS:"), kilobytes(&rollup, "Pss:"), anonymous) {
            (Some(resident), Some(proportional), Some(anonymous)) => {
                Ok(Memory { resident, proportional, anonymous })
            }
            _ => fail("/proc/PID/status or smaps_rollup is not in the known format"),
        }
    }

    /// What it occupies now, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        self.status("VmRSS:")
    }

    /// The most that it has occupied since [`Server::forget_peak`], in bytes.
    pub fn peak(&self) -> Outcome<f64> {
        self.status("VmHWM:")
    }

    /// The most that it has occupied is what it occupies now.
    pub fn forget_peak(&self) -> Outcome {
        let file = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&file, "5").while_doing(format_args!("writing {file}"))
    }

    /// Ends it by SIGTERM and waits, so that it writes what it writes at its end.
    pub fn stop(mut self) -> Outcome {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).while_doing("stopping the server")?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait().while_doing("waiting for the server's end")? {
                Some(_) => return Ok(()),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
        fail(format!("the server has not ended {PATIENCE:?} after SIGTERM"))
    }

    fn status(&self, name: &str) -> Outcome<f64> {
        match kilobytes(&self.proc("status")?, name) {
            Some(bytes) => Ok(bytes),
            None => fail("/proc/PID/status is not in the known format"),
        }
    }

    fn proc(&self, name: &str) -> Outcome<String> {
        let file = format!("/proc/{}/{name}", self.child.id());
        fs::read_to_string(&file).while_doing(format_args!("reading {file}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port in the line by which a server shows that it listens.
pub fn announced(line: &str) -> Option<u16> {
    line.split_once(READY).and_then(|(_, port)| port.trim().parse().ok())
}

fn await_accept(port: u16) -> Option<u16> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Some(port);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

/// User and system time: fields 14 and 15, counted behind the name, which may contain anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// A line such as `VmRSS:  1024 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}

/// A command that runs on one core only, where there is one to choose and a program to choose it.
pub fn pinned(program: &Path, core: Option<usize>) -> Command {
    match (core, find_program("taskset")) {
        (Some(core), Some(taskset)) if cores::several() => {
            let mut command = Command::new(taskset);
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_name_with_spaces_and_parentheses_is_skipped() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 100 0 0 0 730 70 5 6 20 0 3 0 1000 2000 300";
        assert_eq!(cpu_ticks(stat), Some(800));
    }

    #[test]
    fn cpu_ticks_foreign_text_is_none() {
        assert_eq!(cpu_ticks("nothing"), None);
        assert_eq!(cpu_ticks("1 (a) S 1"), None);
    }

    #[test]
    fn announced_is_the_port_of_one_line() {
        assert_eq!(announced("listening on http://127.0.0.1:8080"), Some(8080));
        assert_eq!(announced("isolates start from a snapshot"), None);
    }

    #[test]
    fn kilobytes_finds_its_line() {
        let status = "Name:\tx\nVmRSS:\t    1024 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1_048_576.0));
        assert_eq!(kilobytes(status, "Pss:"), None);
    }
}
