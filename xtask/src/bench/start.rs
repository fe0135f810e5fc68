//! C1, C2, C3: how soon code answers: a process, an isolate in place of a stopped one, a saved file.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::load::LoadGenerator;
use super::metric::{Against, Bar, Better, Metric, Series};
use super::peers::{BUN, DENO, LIVELINE, NODE, Peer};
use super::server::{Launch, Server};
use super::setup::BenchSetup;
use super::stats::percentile;
use crate::failure::{Outcome, While, fail};

const STARTS: usize = 11;
const STOPS: usize = 5;
/// Enough for a 95th percentile: of 20, it would be the slowest but one.
const SAVES: u32 = 60;
/// Lines that are open while files are saved.
const LINES: usize = 200;
/// Between two questions: short against what is measured, and leaves the machine to the server.
const POLL: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(5);

/// C1: starts each peer in turn, `STARTS` times.
pub fn cold_starts(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather_headline(&[LIVELINE, BUN, DENO, NODE], &[LIVELINE, BUN, DENO])?;
    println!("\nstart: {STARTS} cold starts each");
    let blank = |one: &Peer| Series { name: one.name, values: Vec::new() };
    let mut series: Vec<Series> = peers.iter().map(blank).collect();
    for _ in 0..STARTS {
        for (peer, series) in peers.iter().zip(&mut series) {
            let took = Server::start(&peer.launch, None).and_then(|server| server.first_answer());
            series.values.push(took.while_doing(peer.name)?.as_secs_f64() * 1e3);
        }
    }
    let metric = |against, gate, goal| Metric {
        id: "C1",
        title: "exec to the first 200".to_owned(),
        unit: "ms",
        better: Better::Less,
        ours: LIVELINE,
        series: series.clone(),
        bar: Some(Bar { against: Against::One(against), gate, goal }),
        notes: Vec::new(),
    };
    Ok(vec![metric(BUN, 1.5, 1.0), metric(DENO, 1.0, 1.0)])
}

/// C2, seen from outside: a handler that never yields is stopped, and a new isolate answers.
pub fn after_a_stop(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let Some(liveline) = setup.gather(&[LIVELINE])?.pop() else { return Ok(Vec::new()) };
    println!("start: {STOPS} isolates in place of stopped ones");
    let server = Server::start(&liveline.launch, None)?;
    server.first_answer()?;
    let mut values = Vec::new();
    for _ in 0..STOPS {
        let stopped = Connection::open(server.port).and_then(|mut connection| connection.get_path("/spin"));
        let status = stopped.while_doing("asking for the handler that never yields")?.status;
        if status != 500 {
            return fail(format!("the handler that never yields was answered with {status}"));
        }
        let start = Instant::now();
        let next = Connection::open(server.port).and_then(|mut connection| connection.get());
        match next.while_doing("asking the new isolate")?.status {
            200 => values.push(start.elapsed().as_secs_f64() * 1e3),
            other => return fail(format!("the isolate after a stop answers {other}")),
        }
    }
    Ok(vec![Metric {
        id: "C2",
        title: "from the 500 of a stopped handler to the next answer".to_owned(),
        unit: "ms",
        better: Better::Less,
        ours: LIVELINE,
        series: vec![Series { name: LIVELINE, values }],
        bar: Some(Bar { against: Against::Absolute, gate: 1.0, goal: 1.0 }),
        notes: Vec::new(),
    }])
}

/// C3: from saving a file to the first answer by the new code, for `liveline dev` and `bun --hot`.
pub fn reloads(setup: &BenchSetup<'_>) -> Outcome<Vec<Metric>> {
    let peers = setup.gather(&[LIVELINE, BUN])?;
    let (mut series, mut notes, mut lost) = (Vec::new(), Vec::new(), None);
    for peer in peers {
        let Some(subject) = Subject::prepare(setup, &peer)? else { continue };
        println!("start: {SAVES} saves with {}", peer.name);
        match subject.reload(&peer) {
            Ok((millis, dropped)) => {
                let at = |share| percentile(&millis, share).unwrap_or(f64::NAN);
                let (median, least, most) = (at(0.5), at(0.0), at(1.0));
                notes.push(format!("{}: median {median:.1} ms ({least:.1} to {most:.1})", peer.name));
                series.push(Series { name: peer.name, values: vec![at(0.95)] });
                lost = dropped.or(lost);
            }
            Err(failure) if peer.is_other() => println!("{}: {failure}", peer.name),
            Err(failure) => return Err(failure).while_doing(peer.name),
        }
    }
    let mut metrics = vec![Metric {
        id: "C3",
        title: format!("a saved file to new code answering, p95 of {SAVES}"),
        unit: "ms",
        better: Better::Less,
        ours: LIVELINE,
        series,
        bar: Some(Bar { against: Against::One(BUN), gate: 1.0, goal: 0.4 }),
        notes,
    }];
    if let Some(lost) = lost {
        metrics.push(Metric {
            id: "C3 lines",
            title: format!("of {LINES} live lines, dropped by {SAVES} saves"),
            unit: "lines",
            better: Better::Less,
            ours: LIVELINE,
            series: vec![Series { name: LIVELINE, values: vec![lost as f64] }],
            bar: Some(Bar { against: Against::Absolute, gate: 0.0, goal: 0.0 }),
            notes: Vec::new(),
        });
    }
    Ok(metrics)
}

/// A server that watches a script of its own.
struct Subject {
    launch: Launch,
    script: PathBuf,
    source: String,
}

impl Subject {
    /// None for a peer without hot reload of its own.
    fn prepare(setup: &BenchSetup<'_>, peer: &Peer) -> Outcome<Option<Self>> {
        let (scripts, arguments) = match peer.name {
            LIVELINE => (
                &["routes/hello/handler.server.js", "routes/idle/handler.server.js"][..],
                &["dev", "routes", "--host", "127.0.0.1", "--port", "0"][..],
            ),
            BUN => (&["bun.js"][..], &["--hot", "--no-clear-screen", "bun.js"][..]),
            _ => return Ok(None),
        };
        let folder = setup.folder.join("reload").join(peer.name);
        for script in scripts {
            let copy = folder.join(script);
            let parent = copy.parent().unwrap_or(&folder);
            fs::create_dir_all(parent).while_doing(format_args!("creating {}", parent.display()))?;
            fs::copy(setup.script(script), &copy).while_doing(format_args!("writing {}", copy.display()))?;
        }
        let script = folder.join(scripts[0]);
        let source = read(&script)?;
        let in_folder = |argument: &&str| match *argument {
            "routes" | "bun.js" => folder.join(argument).display().to_string(),
            other => other.to_owned(),
        };
        let arguments = arguments.iter().map(in_folder).collect();
        Ok(Some(Self { launch: Launch { arguments, ..peer.launch.clone() }, script, source }))
    }

    fn save(&self, generation: u32) -> Outcome {
        let text = self.source.replace("const generation = 0;", &format!("const generation = {generation};"));
        fs::write(&self.script, text).while_doing(format_args!("writing {}", self.script.display()))
    }

    /// The times in milliseconds, and how many of our lines were lost meanwhile.
    fn reload(&self, peer: &Peer) -> Outcome<(Vec<f64>, Option<usize>)> {
        let server = Server::start(&self.launch, None)?;
        server.first_answer()?;
        let mut lines = LoadGenerator::new(server.port)?;
        if !peer.is_other() {
            lines.grow(LINES, &peer.idle())?;
        }
        let mut connection = None;
        let mut millis = Vec::new();
        for generation in 1..=SAVES {
            // Unequal pauses, so that no timer of the server is always met in the same phase.
            let pause = Duration::from_millis(200 + u64::from(generation * 37 % 100));
            lines.run(Instant::now() + pause, &mut |_, _, _| {})?;
            let saved = Instant::now();
            self.save(generation)?;
            while !answered_by(generation, &mut connection, server.port) {
                if saved.elapsed() > PATIENCE {
                    return fail(format!(
                        "save {generation} was not answered by new code within {PATIENCE:?}"
                    ));
                }
                thread::sleep(POLL);
            }
            millis.push(saved.elapsed().as_secs_f64() * 1e3);
        }
        lines.run(Instant::now() + Duration::from_millis(300), &mut |_, _, _| {})?;
        Ok((millis, (!peer.is_other()).then_some(lines.ended)))
    }
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).while_doing(format_args!("reading {}", file.display()))
}

/// Asks once; a connection that the server gave up while it reloaded is opened again by the next question.
fn answered_by(generation: u32, connection: &mut Option<Connection>, port: u16) -> bool {
    let mut asked = match connection.take() {
        Some(open) => open,
        None => match Connection::open(port) {
            Ok(open) => open,
            Err(_) => return false,
        },
    };
    match asked.get() {
        Ok(answer) => {
            *connection = Some(asked);
            answer.status == 200 && answer.body.starts_with(&format!("{generation} "))
        }
        Err(_) => false,
    }
}
