//! Which functions a process runs, in the order of their first calls.
//!
//! Every function begins with a breakpoint, an instruction of one byte. A thread that hits one stops; the byte that was
//! there is written back, the function is noted, and the thread goes on. So each function costs one stop, and code that has
//! run before runs at full speed. The trace sees one process with all its threads, and none of the processes it starts.
//!
//! The addresses of functions are those of the file, so it works with an executable that has a fixed address.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::failure::{Outcome, While, fail};

/// The instruction `int3` of x86.
const BREAKPOINT: u8 = 0xcc;
/// How long no thread may stop until the trace sleeps.
const IDLE: Duration = Duration::from_micros(200);
/// How long threads may stop after the last breakpoint was removed, and how long the end of a trace may take.
const DRAINED: Duration = Duration::from_millis(100);

/// The functions that a running process calls during `load`. `functions` are ascending.
pub fn attached(id: u32, functions: &[u64], load: &mut dyn FnMut() -> Outcome) -> Outcome<Vec<u64>> {
    let done = AtomicBool::new(false);
    let (begun, begins) = mpsc::channel();
    thread::scope(|scope| {
        let tracer = scope.spawn(|| {
            // Moved here, so that it is dropped where the trace cannot begin.
            let begun = begun;
            let process = Pid::from_raw(id.cast_signed());
            seize_threads(process)?;
            let trace = Trace::arm(process, functions)?;
            // The receiver waits for it.
            let _ = begun.send(());
            trace.follow(&done)
        });
        let outcome = if begins.recv().is_ok() { load() } else { Ok(()) };
        done.store(true, Ordering::Relaxed);
        let called = joined(tracer)?;
        outcome.map(|()| called)
    })
}

/// Starts a program under the trace: the functions that it calls until `drive`, which gets what it prints, returns.
pub fn started(
    command: &Command,
    functions: &[u64],
    drive: &mut dyn FnMut(ChildStdout) -> Outcome,
) -> Outcome<Vec<u64>> {
    // A shell that becomes the program once it is told to, which is after the trace has begun.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"read -r begin; exec "$0" "$@""#]).arg(command.get_program());
    shell.args(command.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = shell.spawn().while_doing("starting a shell")?;
    let (Some(begin), Some(printed)) = (child.stdin.take(), child.stdout.take()) else {
        return fail("a shell without input or output");
    };
    let process = Pid::from_raw(child.id().cast_signed());
    let done = AtomicBool::new(false);
    let called = thread::scope(|scope| {
        let tracer = scope.spawn(|| {
            ptrace::seize(process, Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEEXEC)
                .while_doing("tracing the shell")?;
            // The shell's input ends, and with it its reading.
            drop(begin);
            until_it_executes(process, Path::new(command.get_program()))?;
            let trace = Trace::arm(process, functions)?;
            resume(process, None)?;
            trace.follow(&done)
        });
        let outcome = drive(printed);
        done.store(true, Ordering::Relaxed);
        let called = joined(tracer)?;
        outcome.map(|()| called)
    });
    // Both fail only when it has ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    called
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Outcome<T>>) -> Outcome<T> {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(_) => fail("the trace has panicked"),
    }
}

/// Breakpoints in a process whose threads this thread traces.
struct Trace<'a> {
    process: Pid,
    memory: File,
    /// Ascending.
    functions: &'a [u64],
    /// The byte that the breakpoint has replaced, of each function that was not called yet.
    armed: HashMap<u64, u8>,
    called: Vec<u64>,
}

impl<'a> Trace<'a> {
    /// Places the breakpoints. Threads may run meanwhile.
    fn arm(process: Pid, functions: &'a [u64]) -> Outcome<Self> {
        let file = format!("/proc/{process}/mem");
        let memory = File::options().read(true).write(true).open(&file);
        let memory = memory.while_doing(format_args!("opening {file}"))?;
        let mut trace = Self { process, memory, functions, armed: HashMap::new(), called: Vec::new() };
        for &function in functions {
            let mut byte = [0];
            trace.memory.read_exact_at(&mut byte, function).while_doing("reading code")?;
            trace.armed.insert(function, byte[0]);
            trace.memory.write_all_at(&[BREAKPOINT], function).while_doing("placing a breakpoint")?;
        }
        Ok(trace)
    }

    /// Lets the process run until `done`, then removes the breakpoints that are left. Fails where the process ends before.
    fn follow(mut self, done: &AtomicBool) -> Outcome<Vec<u64>> {
        while !done.load(Ordering::Relaxed) {
            match next_stop()? {
                Some(status) => self.go_on(status)?,
                None => thread::sleep(IDLE),
            }
        }
        for (function, byte) in self.armed.drain() {
            self.memory.write_all_at(&[byte], function).while_doing("removing a breakpoint")?;
        }
        let end = Instant::now() + DRAINED;
        while Instant::now() < end {
            match next_stop()? {
                Some(status) => self.go_on(status)?,
                None => thread::sleep(IDLE),
            }
        }
        // The end of this thread ends the trace; the process goes on.
        Ok(self.called)
    }

    fn go_on(&mut self, status: WaitStatus) -> Outcome {
        match status {
            WaitStatus::Stopped(thread, Signal::SIGTRAP) if self.stepped_on(thread)? => resume(thread, None),
            WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
            WaitStatus::PtraceEvent(thread, _, _) => resume(thread, None),
            WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, _, _) if thread == self.process => {
                fail("the traced process has ended")
            }
            _ => Ok(()),
        }
    }

    /// Whether the thread stands behind a breakpoint of ours, which is removed then, unless another thread was there first.
    fn stepped_on(&mut self, thread: Pid) -> Outcome<bool> {
        let mut registers = ptrace::getregs(thread).while_doing("reading registers")?;
        let function = registers.rip.wrapping_sub(1);
        if let Some(byte) = self.armed.remove(&function) {
            self.memory.write_all_at(&[byte], function).while_doing("removing a breakpoint")?;
            self.called.push(function);
        } else if self.functions.binary_search(&function).is_err() {
            return Ok(false);
        }
        registers.rip = function;
        ptrace::setregs(thread, registers).while_doing("writing registers")?;
        Ok(true)
    }
}

/// Traces all threads, and those that they start.
fn seize_threads(process: Pid) -> Outcome {
    // The system frees the threads of a trace all at once, some time after its thread could be joined.
    let end = Instant::now() + DRAINED;
    while let Err(error) = ptrace::seize(process, Options::PTRACE_O_TRACECLONE) {
        if error != Errno::EPERM || Instant::now() > end {
            return Err(error).while_doing("tracing the process");
        }
        thread::sleep(IDLE);
    }
    let mut seized = vec![process];
    loop {
        let new = threads(process).while_doing("listing the threads")?;
        let new: Vec<_> = new.into_iter().filter(|thread| !seized.contains(thread)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for thread in new {
            match ptrace::seize(thread, Options::PTRACE_O_TRACECLONE) {
                // It has ended, or a traced thread has started it, so that it is traced, too.
                Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => seized.push(thread),
                Err(error) => return Err(error).while_doing("tracing a thread"),
            }
        }
    }
}

fn threads(process: Pid) -> io::Result<Vec<Pid>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(ids.map(Pid::from_raw).collect())
}

/// Waits until the process runs `program`, of which no instruction has run then. The trace may have begun before the shell.
fn until_it_executes(process: Pid, program: &Path) -> Outcome {
    let program = program.canonicalize().while_doing(format_args!("looking for {}", program.display()))?;
    loop {
        match next_stop()? {
            None => thread::sleep(IDLE),
            Some(WaitStatus::PtraceEvent(_, _, event)) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                let runs = fs::read_link(format!("/proc/{process}/exe")).while_doing("reading what runs")?;
                if runs == program {
                    return Ok(());
                }
                resume(process, None)?;
            }
            Some(WaitStatus::PtraceEvent(thread, _, _)) => resume(thread, None)?,
            Some(WaitStatus::Stopped(thread, signal)) => resume(thread, Some(signal))?,
            Some(_) => return fail(format!("process {process} has ended before the program began")),
        }
    }
}

/// A thread that this thread traces and that has stopped or ended. Children of other threads are left to those.
fn next_stop() -> Outcome<Option<WaitStatus>> {
    let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD | WaitPidFlag::WNOHANG;
    match waitpid(None, Some(flags)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => Ok(None),
        Ok(status) => Ok(Some(status)),
        Err(Errno::ECHILD) => fail("the traced process has ended"),
        Err(error) => Err(error).while_doing("waiting for a traced thread"),
    }
}

fn resume(thread: Pid, signal: Option<Signal>) -> Outcome {
    match ptrace::cont(thread, signal) {
        // It was killed meanwhile.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).while_doing("letting a thread go on"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::path::PathBuf;
    use std::{env, process};

    use super::super::functions::Functions;
    use super::*;
    use crate::checkout::complete;

    const CALLS: &str = r#"
        #include <stdio.h>
        #include <unistd.h>
        __attribute__((noinline)) void second(void) { __asm__ volatile(""); }
        __attribute__((noinline)) void first(void) { second(); second(); }
        __attribute__((noinline)) void never(void) { __asm__ volatile(""); }
        int main(int count, char **arguments) {
            if (count > 9) never();
            first();
            second();
            puts("called");
            fflush(stdout);
            for (;;) pause();
        }
    "#;

    /// The names of the functions of the programs below that a trace saw.
    fn names(functions: &Functions, called: &[u64]) -> Vec<String> {
        let names = called.iter().flat_map(|address| functions.names(*address));
        names
            .filter(|name| ["main", "first", "second", "never", "answer"].contains(&&***name))
            .cloned()
            .collect()
    }

    /// What a trace saw; none where the system allows no trace, as in some containers.
    fn unless_forbidden(called: Outcome<Vec<u64>>) -> Option<Vec<u64>> {
        match called {
            Err(failure) if failure.to_string().contains("EPERM") => {
                eprintln!("skipped: {failure}");
                None
            }
            called => Some(called.expect("a trace")),
        }
    }

    /// Compiles a program in C, in a folder of its own.
    fn program(name: &str, source: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("liveline-order-{name}-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (file, program) = (folder.join("program.c"), folder.join("program"));
        fs::write(&file, source).expect("a file");
        complete(Command::new("cc").args(["-no-pie", "-o"]).arg(&program).arg(&file)).expect("a C compiler");
        program
    }

    const LOOP: &str = r#"
        #include <stdio.h>
        #include <unistd.h>
        __attribute__((noinline)) void answer(void) { __asm__ volatile(""); }
        int main(void) {
            char byte;
            while (read(0, &byte, 1) == 1) { answer(); puts("called"); fflush(stdout); }
        }
    "#;

    #[test]
    fn traces_of_a_running_process_follow_each_other() {
        let program = program("loop", LOOP);
        let functions = Functions::of(&program).expect("its functions");
        let mut child = Command::new(&program);
        let mut child =
            child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (mut asked, mut printed) =
            (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));

        let mut ask = || {
            asked.write_all(b"?").while_doing("asking")?;
            printed.read_exact(&mut [0; 7]).while_doing("reading")
        };
        ask().expect("the program runs");
        for _ in 0..3 {
            let called = attached(child.id(), functions.addresses(), &mut ask);
            if let Some(called) = unless_forbidden(called) {
                assert_eq!(names(&functions, &called), ["answer"]);
            }
        }

        drop(asked);
        assert!(child.wait().expect("its end").success(), "the process goes on without the trace");
        fs::remove_dir_all(program.parent().expect("its folder")).expect("the folder is ours");
    }

    #[test]
    fn a_trace_sees_each_function_once_in_the_order_of_calls() {
        let program = program("calls", CALLS);
        let functions = Functions::of(&program).expect("its functions");
        let mut until_it_prints = |mut printed: ChildStdout| {
            let mut line = [0; 7];
            printed.read_exact(&mut line).while_doing("reading")
        };

        let called = started(&Command::new(&program), functions.addresses(), &mut until_it_prints);

        fs::remove_dir_all(program.parent().expect("its folder")).expect("the folder is ours");
        if let Some(called) = unless_forbidden(called) {
            assert_eq!(names(&functions, &called), ["main", "first", "second"]);
        }
    }
}
