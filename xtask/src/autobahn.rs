//! `cargo xtask autobahn`: the Autobahn testsuite against both ends of our WebSockets.
//!
//! The suite is Python 2.7 of the year 2019, from PyPI; it is installed into the target folder and needs no browser,
//! container or network besides. Its fuzzing server plays the cases with the client of `autobahn/client/handler.js`, its
//! fuzzing client with the socket that `autobahn/echo/handler.js` answers with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::checkout::{Checkout, complete};
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, Surroundings, find_program};
use crate::run::{Profile, build};

const SUITE: &str = "autobahntestsuite==25.10.1";
/// The name of our client in the suite's report, which our handler sends.
const AGENT: &str = "liveline";
/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How long one case may take: the largest echo a hundred megabytes, and the suite is not quick.
const CASE: Duration = Duration::from_secs(120);
/// How long all cases may take.
const ALL: Duration = Duration::from_secs(20 * 60);
/// permessage-deflate. tungstenite does not support it, so these cases would only report UNIMPLEMENTED.
const COMPRESSION: [&str; 2] = ["12.*", "13.*"];
/// The verdicts of a case that has not failed.
const GOOD: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

/// `[client|server] [--cases 1.*,2.*]`: both ends and all cases by default.
pub fn autobahn(checkout: &Checkout, arguments: &[&str]) -> Outcome {
    let (mut ends, mut cases) = (vec![End::Client, End::Server], vec!["*".to_owned()]);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "client" => ends = vec![End::Client],
            "server" => ends = vec![End::Server],
            "--cases" => match arguments.next() {
                Some(list) => cases = list.split(',').map(str::to_owned).collect(),
                None => return fail("autobahn: --cases needs a list such as 1.*,2.*"),
            },
            other => return fail(format!("autobahn: `{other}` is neither `client`, `server` nor --cases")),
        }
    }
    let suite = Suite::install(checkout.target.join("autobahn"))?;
    let liveline = match Machine.variable("LIVELINE_BIN") {
        Some(file) => PathBuf::from(file),
        None => build(checkout, &engine::choose(checkout, &Machine)?.build(checkout)?, Profile::Quick)?,
    };
    let mut failed = 0;
    for end in ends {
        let reports = suite.folder.join(end.name());
        // Reports of an earlier run would be taken for those of this one.
        let _ = fs::remove_dir_all(&reports);
        fs::create_dir_all(&reports).while_doing(format_args!("creating {}", reports.display()))?;
        let (host, address) = serve(&liveline, checkout, &reports)?;
        match end {
            End::Client => suite.play_with_client(address, &cases, &reports)?,
            End::Server => suite.play_with_server(address, &cases, &reports)?,
        }
        drop(host);
        failed += Verdicts::read(&reports.join("index.json"))?.show(end, &reports);
    }
    if failed == 0 { Ok(()) } else { fail(format!("{failed} cases failed")) }
}

/// Which of our ends is tested.
#[derive(Clone, Copy)]
enum End {
    Client,
    Server,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Server => "server",
        }
    }
}

/// The testsuite, installed.
struct Suite {
    folder: PathBuf,
    python: Python,
}

impl Suite {
    /// Installs the suite, unless it was.
    fn install(folder: PathBuf) -> Outcome<Suite> {
        let python = Python::find()?;
        let suite = Suite { folder, python };
        if !suite.packages().join("autobahntestsuite").is_dir() {
            println!("installing {SUITE} from PyPI");
            let mut pip = suite.python.command();
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
            complete(pip.arg(suite.packages()).arg(SUITE))?;
        }
        Ok(suite)
    }

    fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// The suite in one of its modes, with a description of what to play.
    fn wstest(&self, mode: &str, description: &str, reports: &Path) -> Outcome<Running> {
        let file = reports.join("description.json");
        fs::write(&file, description).while_doing(format_args!("writing {}", file.display()))?;
        let log = log_in(reports, "wstest.log")?;
        // Some of its packages are found by way of .pth files, which PYTHONPATH alone does not read.
        let packages = self.packages();
        let start = format!(
            "import site; site.addsitedir({packages:?}); from autobahntestsuite.wstest import run; run()"
        );
        let mut wstest = self.python.command();
        wstest
            .args(["-c", &start, "--webport", "0", "--mode", mode])
            .arg("--spec")
            .arg(&file)
            .current_dir(reports)
            .stdin(Stdio::null())
            .stdout(log.try_clone().while_doing("sharing the log")?)
            .stderr(log);
        Ok(Running(wstest.spawn().while_doing("starting wstest")?))
    }

    /// The suite's server plays; our client connects to it.
    fn play_with_client(&self, host: SocketAddr, cases: &[String], reports: &Path) -> Outcome {
        let address = free_address()?;
        let description = format!(
            r#"{{"url": "ws://{address}", "outdir": {reports:?}, "cases": {cases:?}, "exclude-cases": {:?},
            "exclude-agent-cases": {{}}}}"#,
            excluded(cases)
        );
        let _server = self.wstest("fuzzingserver", &description, reports)?;
        await_listener(address)?;
        let mut request = TcpStream::connect(host).while_doing("connecting to liveline")?;
        request.set_read_timeout(Some(CASE)).while_doing("limiting the time of a case")?;
        // The body of an answer to HTTP/1.0 ends with the connection, and has nothing between its lines.
        write!(request, "GET /client?server=ws://{address} HTTP/1.0\r\nHost: {host}\r\n\r\n")
            .while_doing("asking the client to play")?;
        let (start, mut last) = (Instant::now(), String::from("no case was played"));
        for line in BufReader::new(request).lines() {
            last = line.while_doing(format_args!("waiting for the case after: {last}"))?;
            if start.elapsed() > ALL {
                return fail(format!("the cases took longer than {ALL:?}; the last was {last}"));
            }
        }
        println!("the client played {last}");
        Ok(())
    }

    /// The suite's client plays; our server answers it.
    fn play_with_server(&self, host: SocketAddr, cases: &[String], reports: &Path) -> Outcome {
        let description = format!(
            r#"{{"servers": [{{"agent": {AGENT:?}, "url": "ws://{host}/echo"}}], "outdir": {reports:?},
            "cases": {cases:?}, "exclude-cases": {:?}, "exclude-agent-cases": {{}}}}"#,
            excluded(cases)
        );
        let mut client = self.wstest("fuzzingclient", &description, reports)?;
        let start = Instant::now();
        while client.0.try_wait().while_doing("waiting for wstest")?.is_none() {
            if start.elapsed() > ALL {
                return fail(format!("the cases took longer than {ALL:?}"));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// What is not played unless it is asked for by name.
fn excluded(cases: &[String]) -> Vec<&'static str> {
    COMPRESSION.into_iter().filter(|group| !cases.iter().any(|case| case == group)).collect()
}

/// A Python that the suite runs on.
struct Python {
    program: PathBuf,
    /// Which of its versions pyenv starts, where it is pyenv's.
    version: Option<String>,
}

impl Python {
    fn find() -> Outcome<Python> {
        let Some(program) = find_program("python2.7") else {
            return fail(
                "the Autobahn testsuite needs CPython 2.7, and there is no `python2.7` on the PATH: \
                 install it, for example with `pyenv install 2.7.18`",
            );
        };
        let mut python = Python { program, version: None };
        if python.works() {
            return Ok(python);
        }
        // The program is a shim of pyenv, and no 2.7 is chosen.
        if let Some(pyenv) = find_program("pyenv")
            && let Ok(listed) = Command::new(pyenv).args(["whence", "python2.7"]).output()
        {
            python.version = String::from_utf8_lossy(&listed.stdout).lines().last().map(str::to_owned);
        }
        if python.works() {
            return Ok(python);
        }
        fail(format!(
            "`{} -m pip` does not work, and the suite is installed with it",
            python.program.display()
        ))
    }

    fn works(&self) -> bool {
        let mut pip = self.command();
        pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        pip.status().is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.version.iter().map(|version| ("PYENV_VERSION", version)));
        command
    }
}

/// A program that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the routes of `xtask/autobahn/`.
fn serve(liveline: &Path, checkout: &Checkout, reports: &Path) -> Outcome<(Running, SocketAddr)> {
    const READY: &str = "listening on http://";
    let mut command = Command::new(liveline);
    command.arg("serve").arg(checkout.root.join("xtask/autobahn")).args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        // The largest messages of the suite.
        "--max-frame",
        "16MiB",
        "--max-queue",
        "64MiB",
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_in(reports, "liveline.log")?);
    let child = command.spawn().while_doing(format_args!("starting {}", liveline.display()))?;
    let mut host = Running(child);
    let Some(output) = host.0.stdout.take() else { return fail("liveline has no standard output") };
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix(READY).and_then(|address| address.parse().ok()) {
                // The receiver is gone when the line comes too late.
                let _ = sender.send(address);
            }
        }
    });
    match address.recv_timeout(START) {
        Ok(address) => Ok((host, address)),
        Err(_) => {
            fail(format!("liveline did not print `{READY}ADDRESS`; its log is in {}", reports.display()))
        }
    }
}

fn log_in(folder: &Path, name: &str) -> Outcome<File> {
    let file = folder.join(name);
    File::create(&file).while_doing(format_args!("creating {}", file.display()))
}

/// A free address: the suite cannot choose one by itself. Below the ports that systems give to
/// outgoing connections, one of which could take it before the suite does.
fn free_address() -> Outcome<SocketAddr> {
    let mut ports = (10_000..30_000).cycle().skip(std::process::id() as usize % 20_000).take(20_000);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    match ports.find(free) {
        Some(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => fail("no port is free for wstest"),
    }
}

fn await_listener(address: SocketAddr) -> Outcome {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > START {
            return fail(format!("wstest does not listen at {address}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The suite's verdicts on each case: on the conversation, and on its end.
struct Verdicts(BTreeMap<CaseId, Verdict>);

#[derive(Default)]
struct Verdict {
    behaviour: String,
    closing: String,
}

/// `9.1.6`, in the order of its numbers.
type CaseId = Vec<u32>;

impl Verdicts {
    /// Reads the suite's index, in which every name and every value has a line of its own.
    fn read(file: &Path) -> Outcome<Verdicts> {
        let text = fs::read_to_string(file).while_doing(format_args!("reading {}", file.display()))?;
        let (mut verdicts, mut case) = (BTreeMap::<CaseId, Verdict>::new(), CaseId::new());
        for (name, value) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
            let (name, value) = (name.trim_matches('"'), value.trim_end_matches(',').trim_matches('"'));
            match name {
                "behavior" => verdicts.entry(case.clone()).or_default().behaviour = value.to_owned(),
                "behaviorClose" => verdicts.entry(case.clone()).or_default().closing = value.to_owned(),
                _ if value == "{" => {
                    case = name.split('.').map_while(|number| number.parse().ok()).collect();
                }
                _ => {}
            }
        }
        if verdicts.is_empty() {
            return fail(format!("{} lists no case", file.display()));
        }
        Ok(Verdicts(verdicts))
    }

    /// Prints the table. Returns how many cases failed.
    fn show(&self, end: End, reports: &Path) -> usize {
        let mut groups = BTreeMap::<&str, Vec<&CaseId>>::new();
        let mut closings = BTreeMap::<&str, usize>::new();
        for (case, Verdict { behaviour, closing }) in &self.0 {
            groups.entry(behaviour).or_default().push(case);
            *closings.entry(closing).or_default() += 1;
        }
        println!("\nAutobahn, {} cases against the {}:", self.0.len(), end.name());
        for (behaviour, cases) in &groups {
            let ids: Vec<_> = cases.iter().map(|case| shown(case)).collect();
            let ids = if *behaviour == "OK" { String::new() } else { ids.join(" ") };
            println!("  {behaviour:<14}{:>5}  {ids}", cases.len());
        }
        let closings: Vec<_> = closings.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
        println!("  closing: {}", closings.join(", "));
        println!("  reports: {}", reports.join("index.html").display());
        let is_good = |verdict: &String| GOOD.contains(&verdict.as_str());
        let failed = self
            .0
            .iter()
            .filter(|(_, Verdict { behaviour, closing })| !is_good(behaviour) || !is_good(closing));
        failed
            .inspect(|(case, Verdict { behaviour, closing })| {
                println!("  failed: {} ({behaviour}, closing {closing})", shown(case));
            })
            .count()
    }
}

fn shown(case: &CaseId) -> String {
    case.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_in_the_order_of_their_numbers() {
        let text = r#"{
   "liveline": {
      "10.1.1": {
         "behavior": "OK",
         "behaviorClose": "FAILED",
         "remoteCloseCode": 1000
      },
      "9.1.6": {
         "behavior": "NON-STRICT",
         "behaviorClose": "OK",
         "remoteCloseCode": null
      }
   }
}"#;
        let file = std::env::temp_dir().join(format!("xtask-verdicts-{}.json", std::process::id()));
        fs::write(&file, text).expect("a writable temporary folder");
        let read = Verdicts::read(&file);
        fs::remove_file(&file).expect("the file was just written");

        let verdicts = read.unwrap_or_else(|failure| panic!("{failure}")).0;

        let told: Vec<_> = verdicts
            .iter()
            .map(|(case, v)| (shown(case), v.behaviour.as_str(), v.closing.as_str()))
            .collect();
        assert_eq!(told, [("9.1.6".into(), "NON-STRICT", "OK"), ("10.1.1".into(), "OK", "FAILED")]);
    }
}
