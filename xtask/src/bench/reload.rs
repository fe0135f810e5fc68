//! C3: from saving a file to the first answer by the new code, for `liveline dev` and `bun --hot`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::contestants::{BUN_NAME, Contestant, LIVELINE};
use super::server::{Launch, Server};
use crate::checkout::Checkout;
use crate::failure::{Outcome, While, fail};

const SAVES: u32 = 20;
/// Between two questions: short against what is measured, and leaves the machine to the server.
const POLL: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(5);

/// One contestant's reloads, in milliseconds.
pub struct Reloads {
    pub name: &'static str,
    pub millis: Vec<f64>,
}

/// Measures both on copies of their scripts. A peer that fails to reload is reported and left out.
pub fn measure(checkout: &Checkout, contestants: &[Contestant]) -> Outcome<Vec<Reloads>> {
    let mut all = Vec::new();
    for contestant in contestants {
        let folder = checkout.target.join("bench/reload").join(contestant.name);
        let Some(subject) = Subject::prepare(contestant, &checkout.root.join("xtask/bench"), &folder)? else {
            continue;
        };
        println!("measuring {SAVES} saves with {}", contestant.name);
        match subject.reload() {
            Ok(millis) => all.push(Reloads { name: contestant.name, millis }),
            Err(failure) if contestant.is_peer() => println!("{}: {failure}", contestant.name),
            Err(failure) => return Err(failure).while_doing(contestant.name),
        }
    }
    Ok(all)
}

/// A server that watches a script of its own.
struct Subject {
    launch: Launch,
    script: PathBuf,
    source: String,
}

impl Subject {
    /// None for a contestant without hot reload of its own.
    fn prepare(contestant: &Contestant, scripts: &Path, folder: &Path) -> Outcome<Option<Self>> {
        let (relative, arguments) = match contestant.name {
            LIVELINE => (
                "routes/hello/handler.server.js",
                vec!["dev", "routes", "--host", "127.0.0.1", "--port", "0"],
            ),
            BUN_NAME => ("bun.js", vec!["--hot", "--no-clear-screen", "bun.js"]),
            _ => return Ok(None),
        };
        let source =
            fs::read_to_string(scripts.join(relative)).while_doing(format_args!("reading {relative}"))?;
        let script = folder.join(relative);
        let parent = script.parent().unwrap_or(folder);
        fs::create_dir_all(parent).while_doing(format_args!("creating {}", parent.display()))?;
        let in_folder = |argument: &str| match argument {
            "routes" | "bun.js" => folder.join(argument).display().to_string(),
            other => other.to_owned(),
        };
        let arguments = arguments.into_iter().map(in_folder).collect();
        let subject = Self { launch: Launch { arguments, ..contestant.launch.clone() }, script, source };
        subject.save(0)?;
        Ok(Some(subject))
    }

    fn save(&self, generation: u32) -> Outcome {
        let text = self.source.replace("const generation = 0;", &format!("const generation = {generation};"));
        fs::write(&self.script, text).while_doing(format_args!("writing {}", self.script.display()))
    }

    fn reload(&self) -> Outcome<Vec<f64>> {
        let server = Server::start(&self.launch, None)?;
        server.first_answer()?;
        let mut connection = None;
        let mut millis = Vec::new();
        for generation in 1..=SAVES {
            // Unequal pauses, so that no timer of the server is always met in the same phase.
            thread::sleep(Duration::from_millis(200 + u64::from(generation * 37 % 100)));
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
        Ok(millis)
    }
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
