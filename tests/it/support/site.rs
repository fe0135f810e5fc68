//! A temporary folder of handlers and the arguments its host is started with.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use super::{Host, PATIENCE};

/// A folder of handlers, not yet (or no longer only) on disk: `Site::new().file(..).arg(..).serve()`.
pub struct Site {
    folder: TempDir,
    served: PathBuf,
    executable: PathBuf,
    arguments: Vec<String>,
    /// The address that its host listens on.
    pub(super) host: String,
    environment: Option<Vec<(String, String)>>,
    variables: Vec<(String, String)>,
}

/// A command that ran to its end.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Site {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            served: folder.path().to_owned(),
            folder,
            executable: executable(),
            arguments: Vec::new(),
            host: "127.0.0.1".to_owned(),
            environment: None,
            variables: Vec::new(),
        }
    }

    /// Serves a folder outside the temporary one.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { served: folder.into(), ..Self::new() }
    }

    /// With this file; its folders are made.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Served is this folder of it.
    pub fn serving(mut self, folder: &str) -> Self {
        self.served = self.path(folder);
        self
    }

    /// With a link at `path` that leads to `target`.
    #[cfg(unix)]
    pub fn link(self, path: &str, target: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a link has a folder")).expect("the folder of a link");
        std::os::unix::fs::symlink(self.path(target), path).expect("a link");
        self
    }

    /// With this argument after the folder.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With this variable in the environment of its host.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Served without `--host`, at the address that the executable chooses.
    pub fn without_address(self) -> Self {
        self.host("")
    }

    /// Served at this address instead of 127.0.0.1.
    pub fn host(mut self, address: &str) -> Self {
        self.host = address.to_owned();
        self
    }

    /// Run by another executable, which sees this environment and nothing else.
    pub fn run_by(mut self, executable: &Path, environment: &[(&str, &str)]) -> Self {
        self.executable = executable.to_owned();
        self.environment =
            Some(environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect());
        self
    }

    /// Saves a file, over what was there.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder of a file");
        fs::write(path, content).expect("a written file");
    }

    /// Renames a file; the new place's folders are made.
    pub fn rename(&self, from: &str, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().expect("a file has a folder")).expect("the folder of a file");
        fs::rename(self.path(from), to).expect("a renamed file");
    }

    /// Deletes a file.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("a deleted file");
    }

    /// Where a file of this site lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The folder that is served.
    pub fn served(&self) -> &Path {
        &self.served
    }

    /// `liveline serve`, ready to answer.
    pub fn serve(self) -> Host {
        Host::start(self, "serve")
    }

    /// `liveline dev`, ready to answer.
    pub fn dev(self) -> Host {
        Host::start(self, "dev")
    }

    /// `liveline dev`, from its first moment.
    pub fn begin_dev(self) -> Host {
        Host::spawn(self, "dev")
    }

    /// Any command that ends by itself, over this folder.
    #[track_caller]
    pub fn run(&self, command: &str) -> Finished {
        let mut line = self.command(command);
        if ["serve", "dev"].contains(&command) && !self.arguments.iter().any(|it| it.starts_with("--port")) {
            // The default port may be taken.
            line.args(["--port", "0"]);
        }
        finish(line)
    }

    /// The command line, not yet started; the folder is its second word.
    pub fn command(&self, command: &str) -> Command {
        let mut line = Command::new(&self.executable);
        line.arg(command).arg(&self.served).args(&self.arguments).current_dir(self.folder.path());
        // Cargo sets it for tests. Programs that handlers run must not inherit it.
        line.env_remove("LD_LIBRARY_PATH");
        if let Some(environment) = &self.environment {
            line.env_clear().envs(environment.iter().cloned());
        }
        line.envs(self.variables.iter().cloned());
        line
    }
}

impl Finished {
    /// The executable with these arguments alone, not yet started.
    pub fn command(words: &[&str]) -> Command {
        let mut line = Command::new(executable());
        line.args(words);
        line
    }

    /// Runs the executable with these arguments alone.
    #[track_caller]
    pub fn of(words: &[&str]) -> Self {
        finish(Finished::command(words))
    }

    /// Both outputs, for messages of failed tests.
    pub fn output(&self) -> String {
        format!("exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The executable under test.
pub fn executable() -> PathBuf {
    std::env::var_os("LIVELINE_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_liveline")), PathBuf::from)
}

/// Runs a command to its end, which must come.
#[track_caller]
fn finish(mut line: Command) -> Finished {
    let mut child = line
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the executable under test starts");
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    // Both pipes close when the process ends.
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(PATIENCE), stderr.recv_timeout(PATIENCE)) else {
        child.kill().expect("a running child can be killed");
        child.wait().expect("a killed child ends");
        panic!("{line:?} did not end");
    };
    let code = child.wait().expect("the child's exit status").code();
    Finished { code, stdout, stderr }
}

fn collect(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks ends like one that closes: with what came through.
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
