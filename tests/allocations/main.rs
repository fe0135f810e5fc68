//! What a request costs in allocations: of the host, by an allocator that counts, and of JavaScript, by the size of the
//! heap between two collections.
//!
//! The program under test is this one, so that its allocator counts: started with arguments it is `liveline`, and a line
//! on its standard input is answered with the count.

#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]
#![expect(clippy::print_stdout, reason = "the counts are passed on and shown by the standard output")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests between two counts. The JavaScript of so many fits into the young generation.
const REQUESTS: u64 = 500;

/// Requests before the first count: V8 has compiled what it is going to compile.
const BEFORE: u64 = 10_000;

/// Samples of the heap. A collection of garbage spoils those in which it happens.
const SAMPLES: usize = 9;

/// Allocations of the host for a request whose handler answers at once. The rest of the process allocates now and then.
const MOST_ALLOCATIONS: f64 = 4.0;

/// Bytes of garbage that such a request leaves in the JavaScript heap.
const MOST_GARBAGE: f64 = 400.0;

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => {
            std::thread::spawn(report);
            liveline::main()
        }
        // What `cargo test` passes on is meant for tests with names.
        _ => {
            test();
            ExitCode::SUCCESS
        }
    }
}

/// Answers each line of the standard input with the count of allocations.
fn report() {
    for line in std::io::stdin().lines() {
        if line.is_err() {
            return;
        }
        println!("{}", COUNT.load(Ordering::Relaxed));
    }
}

fn test() {
    let site = tempfile::tempdir().expect("a folder");
    let handlers = [
        ("plain", "export default () => 'plain';"),
        ("heap", "import process from 'node:process';\nexport default () => process.memoryUsage().heapUsed;"),
    ];
    for (name, handler) in handlers {
        let folder = site.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("handler.js"), handler).expect("a handler");
    }
    let mut host = Host::serve(site.path());
    host.ask_often("/plain", BEFORE);

    let before = host.allocations();
    host.ask_often("/plain", REQUESTS);
    let each = (host.allocations() - before) as f64 / REQUESTS as f64;

    let mut samples: Vec<_> = (0..SAMPLES).map(|_| host.garbage("/plain")).collect();
    samples.sort_by(f64::total_cmp);
    let garbage = samples[SAMPLES / 2];
    println!("a plain request: {each:.2} allocations, {garbage:.0} B of JavaScript garbage");
    assert!(each < MOST_ALLOCATIONS, "{each} allocations");
    assert!((1.0..MOST_GARBAGE).contains(&garbage), "{garbage} B of garbage: {samples:?}");
}

/// This program as a server of one worker, and a connection to it.
struct Host {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    stream: BufReader<TcpStream>,
}

impl Host {
    fn serve(site: &std::path::Path) -> Host {
        let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
        command.arg("serve").arg(site).args(["--port=0", "--workers=1"]);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program starts");
        let input = process.stdin.take().expect("it is piped");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its address");
        let address = line.trim().strip_prefix("listening on http://").expect("its address");
        let stream = TcpStream::connect(address).expect("it accepts");
        Host { process, input, output, stream: BufReader::new(stream) }
    }

    fn allocations(&mut self) -> u64 {
        writeln!(self.input).expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a count");
        line.trim().parse().expect("a number")
    }

    fn ask_often(&mut self, path: &str, count: u64) {
        for _ in 0..count {
            self.ask(path);
        }
    }

    /// The body of the answer.
    fn ask(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).expect("the host reads");
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        String::from_utf8(body).expect("text")
    }

    fn heap(&mut self) -> f64 {
        self.ask("/heap").parse().expect("a number")
    }

    /// Bytes by which one request makes the heap grow.
    fn garbage(&mut self, path: &str) -> f64 {
        let (first, before) = (self.heap(), self.heap());
        self.ask_often(path, REQUESTS);
        let grown = self.heap() - before;
        (grown - (before - first)) / REQUESTS as f64
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
