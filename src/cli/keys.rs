//! Commands that are typed while `dev` runs: a letter and Enter. Ctrl-C is a signal.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::tcgetpgrp;

use super::{browser, print};

/// How often a process in the background checks whether it is in the foreground again.
const LOOK: Duration = Duration::from_millis(500);

/// The commands, in one line.
pub(super) const HINT: &str = "r + Enter reloads, o + Enter opens the browser, q + Enter stops.";

/// Whether the standard input is a terminal.
pub(super) fn are_there() -> bool {
    io::stdin().is_terminal()
}

/// Reads commands for as long as the process runs; `o` opens `url`.
pub(super) fn listen(url: String) -> io::Result<()> {
    thread::Builder::new().name("liveline-keys".into()).spawn(move || {
        let mut typed = Vec::new();
        while let Some(byte) = next_byte() {
            if byte != b'\n' {
                typed.push(byte);
                continue;
            }
            run(typed.trim_ascii(), &url);
            typed.clear();
        }
    })?;
    Ok(())
}

fn run(typed: &[u8], url: &str) {
    let send = |signal: Signal| {
        // A process may always send itself a signal.
        let _ = kill_process(getpid(), signal);
    };
    match typed {
        b"r" => send(Signal::HUP),
        b"o" => browser::open(url),
        b"q" => send(Signal::INT),
        b"" => {}
        _ => print(HINT),
    }
}

/// The next byte that is typed. A process in the background is stopped if it reads, so it does not.
fn next_byte() -> Option<u8> {
    let stdin = io::stdin();
    loop {
        let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
        poll(&mut descriptors, None).ok()?;
        // A terminal that does not control the process has no foreground group.
        if tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group != getpgrp()) {
            thread::sleep(LOOK);
            continue;
        }
        let mut byte = [0];
        // Not by the standard library, whose buffer would read ahead.
        return match rustix::io::read(&stdin, &mut byte) {
            Ok(1) => Some(byte[0]),
            _ => None,
        };
    }
}
