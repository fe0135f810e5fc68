//! Output that cannot be written, because its reader is gone or the disk is full: a server goes on, a command ends
//! quietly.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::{Figures, Request, Site, executable};

/// Prints on both streams, and with `?fail` throws, which is logged.
const PRINTS: &str = r#"
export default (event) => {
  const length = Number(event.url.searchParams.get("length") ?? 10);
  console.log("o".repeat(length));
  console.error("e".repeat(length));
  if (event.url.searchParams.has("fail")) throw new Error("asked for");
  return "fine";
};"#;

/// A server whose outputs the test holds.
struct Server {
    _site: Site,
    process: Child,
    stdout: Option<BufReader<std::process::ChildStdout>>,
    stderr: Option<ChildStderr>,
    address: SocketAddr,
    figures: SocketAddr,
}

impl Server {
    fn start(command: &str, stderr: Stdio) -> Server {
        let site = Site::new().file("handler.js", PRINTS).arg("--port=0").arg("--metrics=0");
        let mut line = site.command(command);
        let mut process =
            line.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let (mut figures, mut address) = (None, None);
        while figures.is_none() || address.is_none() {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("a line");
            let parse = |text: &str| text.trim_end_matches("/metrics").parse().ok();
            figures = line.trim().strip_prefix("metrics on http://").and_then(parse).or(figures);
            address = line.trim().strip_prefix("listening on http://").and_then(parse).or(address);
        }
        let (figures, address) = (figures.expect("it was printed"), address.expect("it was printed"));
        let stderr = process.stderr.take();
        Server { _site: site, process, stdout: Some(stdout), stderr, address, figures }
    }

    #[track_caller]
    fn answers(&mut self, path: &str) {
        let answer = Request::new(self.address, "GET", path).send();
        let expected = if path.contains("fail") { 500 } else { 200 };
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        assert!(self.process.try_wait().expect("a child").is_none(), "it goes on");
    }

    fn dropped(&self, stream: &str) -> f64 {
        let text = Request::new(self.figures, "GET", "/metrics").send();
        Figures::parse(text.text()).get("liveline_printed_lines_dropped_total", &[("stream", stream)])
    }

    /// Ends it in order, and returns its exit code.
    fn stop(&mut self) -> Option<i32> {
        let kill = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        self.process.wait().expect("a child").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_reader_that_goes_away_stops_no_server() {
    for command in ["serve", "dev"] {
        for (out, error) in [(true, false), (false, true), (true, true)] {
            let mut server = Server::start(command, Stdio::piped());
            server.answers("/");
            if out {
                server.stdout = None;
            }
            if error {
                server.stderr = None;
            }

            for _ in 0..3 {
                server.answers("/");
                server.answers("/?fail");
            }
            // `dev` prints reloads, too.
            server._site.write("handler.js", "export default () => 'fine';");
            server.answers("/");
            assert_eq!(server.stop(), Some(0), "{command} {out} {error}");
        }
    }
}

#[test]
fn log_lines_that_cannot_be_written_are_counted() {
    let mut server = Server::start("serve", Stdio::piped());
    (server.stdout, server.stderr) = (None, None);

    server.answers("/");
    server.answers("/?fail");

    for stream in ["stdout", "stderr"] {
        while server.dropped(stream) < 2.0 {
            server.answers("/");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_no_server() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
    let mut server = Server::start("serve", full.into());

    for _ in 0..3 {
        server.answers("/");
        server.answers("/?fail");
    }

    while server.dropped("stderr") < 9.0 {
        server.answers("/");
    }
    assert_eq!(server.dropped("stdout"), 0.0);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_reader_that_does_not_read_stops_no_server() {
    let mut server = Server::start("serve", Stdio::piped());

    // More than a pipe and a queue hold.
    for _ in 0..100 {
        server.answers("/?length=100000");
    }

    assert!(server.dropped("stdout") > 0.0 && server.dropped("stderr") > 0.0);
    assert_eq!(server.stop(), Some(0), "nor does it keep the process from ending");
}

#[test]
fn the_last_lines_are_written() {
    let mut server = Server::start("serve", Stdio::piped());
    let (mut stdout, mut stderr) =
        (server.stdout.take().expect("a pipe"), server.stderr.take().expect("a pipe"));

    server.answers("/?length=30000");
    server.answers("/?length=20000");
    assert_eq!(server.stop(), Some(0));

    let (mut out, mut error) = (String::new(), String::new());
    stdout.read_to_string(&mut out).expect("text");
    stderr.read_to_string(&mut error).expect("text");
    let lengths = |text: &str, letter: char| -> Vec<usize> {
        text.lines().filter(|line| line.starts_with(letter)).map(str::len).collect()
    };
    assert_eq!((lengths(&out, 'o'), lengths(&error, 'e')), (vec![30000, 20000], vec![30000, 20000]));
    assert!(
        error.trim_end().ends_with("stopping: live lines close with 1012, so their clients reconnect"),
        "{error}"
    );
}

#[test]
fn two_streams_of_one_file_keep_their_order() {
    let site = Site::new().file(
        "handler.js",
        r#"for (let n = 0; n < 200; n++) n % 3 ? console.log(`${n}`) : console.error(`${n}`);
        throw new Error("enough");"#,
    );
    let path = site.path("log.txt");
    let file = File::create(&path).expect("a file");
    let mut line = site.command("serve");
    let status = line.args(["--port=0"]).stdout(file.try_clone().expect("a file")).stderr(file).status();

    assert_eq!(status.expect("it ends").code(), Some(1));
    let text = std::fs::read_to_string(path).expect("a text");
    let numbers: Vec<usize> = text.lines().map_while(|line| line.parse().ok()).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "{text}");
}

/// The exit code and the errors of a command whose output goes there.
fn ended(site: &Site, words: &[&str], output: Stdio) -> (Option<i32>, String) {
    let mut line = match words {
        [command] if !command.starts_with('-') => site.command(command),
        _ => Command::new(executable()),
    };
    if words[0].starts_with('-') {
        line.args(words);
    }
    let child = line.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).spawn().expect("it starts");
    let ended = child.wait_with_output().expect("it ends");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// A pipe without a reader.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn commands_end_quietly_when_their_reader_is_gone() {
    let site = Site::new().file("handler.js", "export default () => 1;");

    for words in [&["routes"][..], &["check"], &["types"], &["--help"], &["--version"]] {
        let (code, errors) = ended(&site, words, closed_pipe());
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn commands_that_cannot_write_fail_with_a_message() {
    let site = Site::new().file("handler.js", "export default () => 1;");

    for words in [["routes"], ["check"], ["types"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
        let (code, errors) = ended(&site, &words, full.into());
        assert_eq!(code, Some(1), "{words:?}: {errors}");
        assert!(errors.starts_with("error: cannot write to the standard output: "), "{words:?}: {errors}");
    }
}
