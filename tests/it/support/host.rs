//! The executable under test, running.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::http::{self, Request, read_to_close};
use super::line::Dial;
use super::{Answer, Figures, Line, Log, PATIENCE, Site, without_sockets};

/// A running host. Dropping it kills the process; a failing test also shows what the host logged.
pub struct Host {
    pub site: Site,
    /// Standard error: the log, and the lines of `dev`.
    pub log: Log,
    stdout: Log,
    address: SocketAddr,
    figures: OnceLock<SocketAddr>,
    process: Child,
}

impl Host {
    /// Starts the executable and waits for the line with its address.
    #[track_caller]
    pub(super) fn start(site: Site, command: &str) -> Self {
        let mut host = Self::spawn(site, command);
        host.ready();
        host
    }

    /// Starts the executable.
    pub(super) fn spawn(site: Site, command: &str) -> Self {
        let mut process = site
            .command(command)
            .args(["--host", &site.host, "--port", "0"].into_iter().skip(if site.host.is_empty() {
                2
            } else {
                0
            }))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the executable under test starts");
        let stdout = Log::follow("stdout", process.stdout.take().expect("stdout is piped"));
        let log = Log::follow("stderr", process.stderr.take().expect("stderr is piped"));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { site, log, stdout, address, figures: OnceLock::new(), process }
    }

    /// Waits for the line with its address.
    #[track_caller]
    pub fn ready(&mut self) {
        let ready = self.stdout.find_next("listening on ").unwrap_or_else(|| {
            // A host that a signal has ended printed nothing of it.
            match self.process.try_wait().expect("the host's exit status") {
                Some(ended) => panic!("the host ended before it listened: {ended}"),
                None => panic!("the host did not listen within {PATIENCE:?}"),
            }
        });
        let address = ready.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{ready}"));
        // A name has several, of which tests take the one that all have.
        let mut addresses = address.to_socket_addrs().unwrap_or_else(|_| panic!("not an address: {ready}"));
        let first = addresses.next();
        self.address =
            first.into_iter().chain(addresses).min_by_key(SocketAddr::is_ipv6).expect("an address");
        if self.address.ip().is_unspecified() {
            // It listens on all, IPv4 included.
            self.address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
    }

    /// Kills the process, and serves the same folder again.
    #[track_caller]
    pub fn killed(mut self) -> Self {
        self.process.kill().expect("the host can be killed");
        self.process.wait().expect("the host ends");
        let site = std::mem::replace(&mut self.site, Site::new());
        Self::start(site, "serve")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its figures are, with `--metrics`.
    #[track_caller]
    pub fn figures_address(&self) -> SocketAddr {
        *self.figures.get_or_init(|| {
            let line = self.stdout.next("metrics on ");
            let address = line.strip_prefix("metrics on http://").and_then(|it| it.strip_suffix("/metrics"));
            address.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("not an address: {line}"))
        })
    }

    /// A request to the address of its figures.
    #[track_caller]
    pub fn ask_figures(&self, method: &str, path: &str) -> Request {
        Request::new(self.figures_address(), method, path)
    }

    /// Its figures.
    #[track_caller]
    pub fn figures(&self) -> Figures {
        Figures::parse(self.ask_figures("GET", "/metrics").send().text())
    }

    /// Waits until it has printed a line that contains `text`.
    #[track_caller]
    pub fn prints(&self, text: &str) {
        self.stdout.contains(text);
    }

    /// What it printed, as far as it was read.
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// The answer to a GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    /// A connection whose reads fail after `PATIENCE`.
    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        self.connect_from(None)
    }

    /// The same, from this address of the machine.
    #[track_caller]
    pub fn connect_from(&self, source: Option<IpAddr>) -> TcpStream {
        let stream = http::connect(self.address, source).expect("the host accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream
    }

    /// Sends a request without a body on a connection that stays open, and does not wait for the answer.
    #[track_caller]
    pub fn begin(&self, method: &str, path: &str) -> TcpStream {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("the host reads");
        stream
    }

    /// A request to be filled in and sent.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// A GET whose answer must be live, and its line.
    #[track_caller]
    pub fn open(&self, path: &str) -> (Answer, Line) {
        let answer = self.get(path);
        let line = self.join(&answer);
        (answer, line)
    }

    /// A GET whose answer must be live, and its line, over a WebSocket in any case.
    #[track_caller]
    pub fn open_socket(&self, path: &str) -> Line {
        let dial = self.dial(&self.get(path).line_path());
        let mut line = dial.connect().unwrap_or_else(|status| panic!("{path} was refused with {status}"));
        line.handshake();
        line
    }

    /// The line of a live answer, after the handshake. The cookies that came with the answer are kept, as browsers do.
    #[track_caller]
    pub fn join(&self, answer: &Answer) -> Line {
        let cookies = answer.all("set-cookie").into_iter().filter_map(|cookie| cookie.split(';').next());
        let cookies: Vec<_> = cookies.collect();
        let dial = self.dial(&answer.line_path());
        let dial = if cookies.is_empty() { dial } else { dial.header("cookie", &cookies.join("; ")) };
        let joined = if without_sockets() { dial.listen() } else { dial.connect() };
        let mut line = joined.unwrap_or_else(|status| {
            panic!("the line was refused with {status}; the answer was {answer:?}");
        });
        line.handshake();
        line
    }

    /// A WebSocket to be opened, without the handshake of the line.
    pub fn dial(&self, path: &str) -> Dial {
        Dial::new(self.address, path)
    }

    /// Sends bytes as they are, and returns everything that comes until the host closes the connection.
    #[track_caller]
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // A host may answer and close before it has read everything.
        let _ = stream.write_all(bytes);
        read_to_close(&stream)
    }

    /// Whether a new connection is accepted.
    pub fn accepts(&self) -> bool {
        TcpStream::connect(self.address).is_ok()
    }

    /// Sends a signal by its short name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(sent.success(), "{kill}");
    }

    /// Ends the process by a signal and starts it again over the same folder.
    #[track_caller]
    pub fn restart(mut self, signal: &str) -> Host {
        self.signal(signal);
        self.process.wait().expect("the exit status of a child");
        let site = std::mem::replace(&mut self.site, Site::new());
        Host::start(site, "serve")
    }

    /// Waits until the process has ended by itself, and returns its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> Option<i32> {
        self.stdout.end();
        self.process.wait().expect("the exit status of a child").code()
    }

    /// How many threads the process has.
    #[cfg(target_os = "linux")]
    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.process.id()))
            .expect("the tasks of a process")
            .count()
    }

    /// The names of its threads, each with its nice value.
    #[cfg(target_os = "linux")]
    pub fn nice_values(&self) -> Vec<(String, i32)> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("its threads");
        // One may end meanwhile.
        let stats =
            threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        let parsed = stats.map(|stat| {
            let (before, after_name) = stat.rsplit_once(')').expect("a name");
            let (_, name) = before.split_once('(').expect("a name");
            // The 19th field.
            let nice = after_name.split(' ').nth(17).and_then(|nice| nice.parse().ok());
            (name.to_owned(), nice.expect("a number"))
        });
        parsed.collect()
    }

    /// How many files and sockets the process has open.
    #[cfg(target_os = "linux")]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("the files of a process").count()
    }

    /// How much time the process has spent on processors.
    #[cfg(target_os = "linux")]
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("its figures");
        // The name of the program, in parentheses, may have spaces. The 14th and 15th field count ticks.
        let after_name = stat.rsplit(')').next().expect("a name");
        let ticks =
            after_name.split(' ').skip(12).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        let per_second = rustix::param::clock_ticks_per_second();
        Duration::from_millis(ticks.sum::<u64>() * 1000 / per_second)
    }

    /// How much memory the process holds, in bytes.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    #[cfg(target_os = "linux")]
    fn status(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kib * 1024
    }

    /// How much memory the process has held at most, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Its figures, as soon as they are as wished. Each round trip is the pause between two looks.
    #[track_caller]
    pub fn until_figures(&self, wish: impl Fn(&Figures) -> bool) -> Figures {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let figures = self.figures();
            if wish(&figures) {
                return figures;
            }
            assert!(Instant::now() < deadline, "still {figures:#?}");
        }
    }

    /// Asks again until the answer is as wished. Each round trip is the pause between two looks.
    #[track_caller]
    pub fn until(&self, path: &str, wish: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if wish(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} still answers {answer:?}\n{}", self.log.text());
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the host printed\n{}\n--- and logged\n{}", self.stdout.text(), self.log.text());
        }
        // It may have ended already; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
