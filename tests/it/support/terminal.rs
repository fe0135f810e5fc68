//! A terminal that a program runs at, as a person has one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Finished, Log, Site};

/// The end of a terminal that a person looks at.
pub struct Terminal {
    /// Everything that was printed on it.
    pub screen: Log,
    keyboard: File,
    process: Child,
    /// Its folder lasts as long.
    _site: Site,
}

/// A terminal of so many columns: what the person sees and what the program writes to.
fn open(columns: u16) -> (File, File) {
    let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&outer).expect("a terminal");
    unlockpt(&outer).expect("a terminal");
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&outer, size).expect("a terminal has a size");
    let name = ptsname(&outer, Vec::new()).expect("its name").into_string().expect("text");
    let no_control = OpenptFlags::NOCTTY.bits() as i32;
    let inner =
        OpenOptions::new().read(true).write(true).custom_flags(no_control).open(name).expect("its other end");
    (File::from(outer), inner)
}

/// Starts a program whose outputs are a terminal, and its input, too, if the test types there.
fn begin(mut line: Command, columns: u16, environment: &[(&str, &str)], types: bool) -> (Log, File, Child) {
    let (outer, inner) = open(columns);
    let end = || Stdio::from(inner.try_clone().expect("a descriptor can be doubled"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLUMNS", "CI"] {
        line.env_remove(name);
    }
    line.env("TERM", "xterm-256color").envs(environment.iter().copied());
    line.stdin(if types { end() } else { Stdio::null() }).stdout(end()).stderr(end());
    let process = line.spawn().expect("the executable under test starts");
    // The program's are the last ends of its side: when it ends, so does what can be read here.
    drop((line, inner));
    let keyboard = outer.try_clone().expect("a descriptor can be doubled");
    (Log::follow("the terminal", outer), keyboard, process)
}

impl Terminal {
    /// `liveline COMMAND` over a site, at a terminal of so many columns, on a port that is free.
    pub fn start(site: Site, command: &str, columns: u16, environment: &[(&str, &str)]) -> Terminal {
        let mut line = site.command(command);
        line.args(["--port", "0"]);
        let (screen, keyboard, process) = begin(line, columns, environment, true);
        Terminal { screen, keyboard, process, _site: site }
    }

    /// Types a line.
    pub fn type_line(&self, text: &str) {
        (&self.keyboard).write_all(format!("{text}\n").as_bytes()).expect("a terminal takes what is typed");
    }

    /// Waits until the process has ended by itself, and returns its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.wait().expect("the exit status of a child").code()
    }

    /// A command that ends by itself, and what was to be seen.
    pub fn run(line: Command, columns: u16, environment: &[(&str, &str)]) -> Finished {
        let (screen, _keyboard, mut process) = begin(line, columns, environment, false);
        let shown = screen.end().replace('\r', "");
        let code = process.wait().expect("the exit status of a child").code();
        Finished { code, stdout: shown, stderr: String::new() }
    }

    /// The address of the site, as the terminal shows it.
    pub fn address(&self) -> String {
        let line = plain(&self.screen.next("listening on "));
        line.split_once("http://").expect("an address").1.trim().to_owned()
    }

    /// Asks for a path, whatever the answer.
    pub fn get(&self, address: &str, path: &str) -> super::Answer {
        let address = address.replace("localhost", "127.0.0.1").parse().expect("an address");
        super::http::Request::new(address, "GET", path).send()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the terminal showed\n{}", self.screen.text());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A text without its colours.
pub fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.strip_prefix('[').and_then(|part| part.split_once('m')) {
            Some((numbers, rest)) if numbers.chars().all(|c| c.is_ascii_digit() || c == ';') => {
                shown.push_str(rest)
            }
            _ => {
                shown.push('\u{1b}');
                shown.push_str(part);
            }
        }
    }
    shown
}
