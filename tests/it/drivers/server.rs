//! PostgreSQL and Redis, started by a test on free ports of the loopback address.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::support::{Log, PATIENCE};

/// Runs its arguments as a program, and sends it the signal that standard input names, or KILL at the end of standard
/// input: a test that is killed leaves no server behind.
const SUPERVISOR: &str =
    r#""$@" 2>&1 & server=$!; read -r signal; kill -s "${signal:-KILL}" $server; wait $server"#;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Redis,
}

/// A server with a folder of its own. Dropping it stops it.
pub struct Server {
    kind: Kind,
    folder: TempDir,
    port: u16,
    running: Option<Running>,
}

struct Running {
    supervisor: Child,
    stdin: Option<ChildStdin>,
    signal: &'static str,
}

impl Server {
    /// A running server, with the table `names` where it has tables; `None` where the programs are not installed.
    pub fn start(kind: Kind) -> Option<Server> {
        if let Some(missing) = missing(kind) {
            let missing = missing.display();
            let why = format!("there is no {missing}; `cargo xtask test` installs what is needed on Debian");
            assert!(std::env::var_os("LIVELINE_NEEDS_DATABASES").is_none(), "{why}");
            eprintln!("skipped: {why}");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Server { kind, folder, port: 0, running: None };
        if kind == Kind::Postgres {
            server.initialize();
        }
        server.run();
        if kind == Kind::Postgres {
            server.ask("CREATE DATABASE secured");
            server.ask("CREATE ROLE ann LOGIN PASSWORD 'right'; CREATE TABLE names (name text)");
        }
        Some(server)
    }

    /// Starts the stopped server again, at the same address.
    pub fn run(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let fixed = (self.port != 0).then_some(self.port);
        loop {
            self.port = fixed.unwrap_or_else(free_port);
            if self.try_run() {
                return;
            }
            assert!(Instant::now() < deadline, "the server does not start at port {}", self.port);
        }
    }

    /// Starts the server. Returns false if its port is in use.
    fn try_run(&mut self) -> bool {
        let (path, port) = (self.folder.path().display().to_string(), self.port.to_string());
        let line = match self.kind {
            Kind::Postgres => format!(
                "{} -D {path}/data -k {path} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off",
                postgres("postgres").display()
            ),
            Kind::Redis => format!("redis-server --port {port} --bind 127.0.0.1 --dir {path} --save"),
        };
        let mut arguments: Vec<_> = line.split(' ').collect();
        if self.kind == Kind::Redis {
            arguments.push("");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", SUPERVISOR, "sh"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if self.kind == Kind::Postgres {
            as_postgres(&mut shell);
        }
        let mut supervisor = shell.spawn().expect("a shell starts");
        let stdin = supervisor.stdin.take();
        let log = Log::follow("the server", supervisor.stdout.take().expect("stdout is piped"));
        // PostgreSQL ends its other processes at QUIT, and leaves them alone at KILL.
        let signal = if self.kind == Kind::Postgres { "QUIT" } else { "KILL" };
        let running = Running { supervisor, stdin, signal };
        // PostgreSQL and Redis print the same words, one of them with a capital letter.
        let is_ready = log.has_next("eady to accept connections", "ddress already in use");
        self.running = is_ready.then_some(running);
        is_ready
    }

    /// Stops the server at once; its clients lose their connections.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Prepares the folder of PostgreSQL. Passwords are asked for in the database `secured`.
    fn initialize(&self) {
        let path = self.folder.path();
        if let Some((user, group)) = postgres_user() {
            chown(path, Some(user), Some(group)).expect("a folder of root's can change hands");
        }
        let mut command = Command::new(postgres("initdb"));
        command.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
        ]);
        let output = as_postgres(command.arg(path.join("data"))).output().expect("initdb starts");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let rules = "host secured all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        fs::write(path.join("data/pg_hba.conf"), rules).expect("a written file");
    }

    /// What the client program of the server prints for a statement or a command, whose words have one space between
    /// them.
    #[track_caller]
    pub fn ask(&self, statement: &str) -> String {
        let port = self.port.to_string();
        let output = match self.kind {
            Kind::Postgres => Command::new(postgres("psql"))
                .args(["-qtA", "-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-c", statement])
                .output(),
            Kind::Redis => Command::new("redis-cli").args(["-p", &port]).args(statement.split(' ')).output(),
        };
        let output = output.expect("the client program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Sends a message to those who follow the news.
    pub fn publish(&self, message: &str) {
        match self.kind {
            Kind::Postgres => self.ask(&format!("NOTIFY news, '{message}'")),
            Kind::Redis => self.ask(&format!("PUBLISH news {message}")),
        };
    }

    /// How many connections clients have.
    pub fn connections(&self) -> usize {
        match self.kind {
            Kind::Postgres => self.ask(COUNT).parse().expect("a number"),
            // One is that of the question.
            Kind::Redis => self.ask("CLIENT LIST").lines().count() - 1,
        }
    }

    /// Asks again until what the client program prints is as wished. Each round trip is the pause between two looks.
    #[track_caller]
    pub fn until(&self, statement: &str, wish: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = self.ask(statement);
            if wish(&printed) {
                return;
            }
            assert!(Instant::now() < deadline, "{statement} still prints {printed}");
        }
    }

    /// Waits until the number of connections is as wished.
    #[track_caller]
    pub fn until_connections(&self, wish: impl Fn(usize) -> bool) {
        match self.kind {
            Kind::Postgres => self.until(COUNT, |count| wish(count.parse().expect("a number"))),
            Kind::Redis => self.until("CLIENT LIST", |list| wish(list.lines().count() - 1)),
        }
    }

    /// Waits until a connection follows the news.
    #[track_caller]
    pub fn until_followed(&self) {
        match self.kind {
            Kind::Postgres => self.until(&format!("{COUNT} AND query ILIKE 'listen%'"), |count| count != "0"),
            Kind::Redis => self.until("PUBSUB NUMSUB news", |count| !count.ends_with('0')),
        }
    }

    /// Closes every connection from the server's end.
    pub fn disconnect_all(&self) {
        match self.kind {
            Kind::Postgres => drop(self.ask(&COUNT.replace("count(*)", "count(pg_terminate_backend(pid))"))),
            Kind::Redis => {
                self.ask("CLIENT KILL TYPE normal");
                self.ask("CLIENT KILL TYPE pubsub");
            }
        }
    }

    /// The variables that the handlers of `tests/drivers/site` read.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let port = self.port;
        match self.kind {
            Kind::Postgres => [
                ("DATABASE_URL", format!("postgres://postgres@127.0.0.1:{port}/postgres")),
                ("WRONG_DATABASE_URL", format!("postgres://ann:wrong@127.0.0.1:{port}/secured")),
            ],
            Kind::Redis => [
                ("REDIS_URL", format!("redis://127.0.0.1:{port}")),
                ("WRONG_REDIS_URL", format!("redis://ann:wrong@127.0.0.1:{port}")),
            ],
        }
    }
}

/// Counts the connections of clients other than the one that asks.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity \
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

impl Drop for Running {
    fn drop(&mut self) {
        // The shell is gone if the server has ended by itself.
        if let Some(mut stdin) = self.stdin.take() {
            let _ = writeln!(stdin, "{}", self.signal);
        }
        let _ = self.supervisor.wait();
    }
}

/// What is not installed of that which a server and its clients need.
fn missing(kind: Kind) -> Option<PathBuf> {
    let programs = match kind {
        Kind::Postgres => vec![postgres("initdb"), postgres("postgres"), postgres("psql")],
        Kind::Redis => vec![on_path("redis-server"), on_path("redis-cli")],
    };
    programs.into_iter().chain([packages()]).find(|path| !path.exists())
}

/// The installed packages of `tests/drivers`.
pub fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/node_modules")
}

/// A program of PostgreSQL, which Debian does not put on the PATH.
fn postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|file| file.exists());
    found.max().unwrap_or_else(|| on_path(name))
}

fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| name.into())
}

/// The user that PostgreSQL runs as if the test runs as root, for whom it refuses to start.
fn postgres_user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the user postgres");
    let mut numbers = line.split(':').skip(2).map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// The command as the user that PostgreSQL runs as.
fn as_postgres(command: &mut Command) -> &mut Command {
    match postgres_user() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
