//! What open pages are notified of: saved files, and errors.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use liveline_compiler::Diagnostic;

/// How many messages a page may be behind. A page that is further behind is disconnected; it connects again and gets the
/// present state.
const BACKLOG: usize = 64;

/// How many failures are sent to a page that opens after them, and how old they may be.
const MAX_FAILURES: usize = 16;
const FRESH: Duration = Duration::from_secs(30);

/// The same failure is not reported again within this time.
const REPEATED: Duration = Duration::from_secs(1);

/// The state of the project under development, and the channel to open pages.
pub(crate) struct Dev {
    /// An id of this run of the process.
    run: String,
    /// Files below these may be opened in the editor.
    pub folders: Vec<PathBuf>,
    events: broadcast::Sender<Arc<str>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The errors of the code as it was saved last; empty while that code serves.
    broken: Broken,
    /// How often code or a file was saved.
    saves: u64,
    failures: VecDeque<(Instant, Value)>,
    /// What is probably not meant in the code that serves.
    warnings: Vec<Diagnostic>,
    /// Warnings that were logged already.
    logged: HashSet<String>,
}

/// The version of the site that a page was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteVersion {
    /// Which run of the process it was.
    pub run: String,
    /// How often code or a file had been saved.
    pub saves: u64,
}

/// The errors of code that does not load.
#[derive(Debug, Default, Clone)]
pub(crate) struct Broken {
    /// The errors as `Diagnostic::to_report` returns them.
    pub errors: Vec<Value>,
    /// The same as an HTML page.
    pub page: String,
    /// The same as a text.
    pub text: String,
}

/// The changes of a save that concern pages. Routes are patterns, as `/products/-`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Saved {
    /// Everything may have changed.
    pub all: bool,
    /// Routes whose handlers on the server changed, or what they import.
    pub server: BTreeSet<String>,
    /// Routes whose pages changed.
    pub pages: BTreeSet<String>,
    /// Routes whose handlers in the browser changed, or what they import.
    pub client: BTreeSet<String>,
    /// Routes whose handlers in the service worker changed, or what they import.
    pub worker: BTreeSet<String>,
    /// Addresses of files of `public/` that changed.
    pub files: BTreeSet<String>,
}

/// The subscription of one page.
pub(crate) struct PageEvents {
    /// The first message: the state when the subscription began.
    pub hello: String,
    /// The messages after that.
    pub messages: broadcast::Receiver<Arc<str>>,
}

impl Dev {
    /// The state of a run of the process with this id, for a project in these folders.
    pub(crate) fn new(run: String, folders: Vec<PathBuf>) -> Dev {
        Dev { run, folders, events: broadcast::Sender::new(BACKLOG), state: Mutex::default() }
    }

    /// The saved code does not load: sends the errors to open pages.
    pub(crate) fn broken_by(&self, broken: Broken) {
        let mut state = self.state();
        self.send(&json!({ "type": "broken", "errors": broken.errors }));
        state.broken = broken;
    }

    /// The saved code serves from now on: sends the changes to open pages, and forgets errors.
    pub(crate) fn saved(&self, saved: &Saved) {
        let mut state = self.state();
        state.saves += 1;
        state.broken = Broken::default();
        state.failures.clear();
        self.send(&json!({ "type": "saved", "saves": state.saves, "what": saved }));
    }

    /// Static files were saved: sends their addresses to open pages. Errors stay.
    pub(crate) fn saved_files(&self, files: BTreeSet<String>) {
        let mut state = self.state();
        state.saves += 1;
        let what = Saved { files, ..Saved::default() };
        self.send(&json!({ "type": "saved", "saves": state.saves, "what": what, "keepsErrors": true }));
    }

    /// Handlers' code threw an error that was not caught: sends it to open pages. `about` describes where, `request` is the
    /// method and the path of the request that it ran for, if any.
    pub(crate) fn failed(&self, about: &str, request: Option<(&str, &str)>, error: Value) {
        let (method, path) = request.unzip();
        let failure = json!({ "about": about, "method": method, "path": path, "error": error });
        let mut state = self.state();
        let is_repeated =
            state.failures.iter().any(|(at, known)| *known == failure && at.elapsed() < REPEATED);
        if is_repeated {
            return;
        }
        self.send(&json!({ "type": "failure", "failure": failure, "age": 0 }));
        state.failures.push_back((Instant::now(), failure));
        if state.failures.len() > MAX_FAILURES {
            state.failures.pop_front();
        }
    }

    /// Sets what is probably not meant in the code that serves. Returns those that were not known.
    pub(crate) fn warn(&self, warnings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let mut state = self.state();
        let is_same = |one: &Diagnostic, other: &Diagnostic| {
            let file = |it: &Diagnostic| it.place.as_ref().map(|place| place.file.clone());
            one.message == other.message && file(one) == file(other)
        };
        let is_new = |it: &&Diagnostic| !state.warnings.iter().any(|known| is_same(known, it));
        let new = warnings.iter().filter(is_new).cloned().collect();
        state.warnings = warnings;
        new
    }

    /// What is probably not meant in the code that serves.
    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        self.state().warnings.clone()
    }

    /// The errors of the code as it was saved last.
    pub(crate) fn broken(&self) -> Broken {
        self.state().broken.clone()
    }

    /// The first of these errors in one line, if there is one.
    pub(crate) fn stale(&self) -> Option<String> {
        let state = self.state();
        let error = state.broken.errors.first()?;
        let message = error["message"].as_str().unwrap_or_default();
        let place =
            error["file"].as_str().map(|file| format!(" ({file}:{}:{})", error["line"], error["column"]));
        Some(format!("{message}{}", place.unwrap_or_default()))
    }

    /// The present version of the site.
    pub(crate) fn version(&self) -> SiteVersion {
        SiteVersion { run: self.run.clone(), saves: self.state().saves }
    }

    /// Subscribes a page to the messages from now on.
    pub(crate) fn subscribe(&self) -> PageEvents {
        let state = self.state();
        let failures = state.failures.iter().filter(|(at, _)| at.elapsed() < FRESH);
        let failures = failures
            .map(|(at, failure)| json!({ "failure": failure, "age": at.elapsed().as_millis() as u64 }));
        let hello = json!({
            "type": "hello",
            "run": self.run,
            "saves": state.saves,
            "errors": state.broken.errors,
            "failures": failures.collect::<Vec<_>>(),
        });
        // While the state is locked, so that no message is duplicated or lost.
        PageEvents { hello: hello.to_string(), messages: self.events.subscribe() }
    }

    /// How many pages are connected.
    pub(crate) fn pages(&self) -> usize {
        self.events.receiver_count()
    }

    /// Whether a warning was not logged yet; notes that it is.
    pub(crate) fn is_first_of(&self, what: &str) -> bool {
        self.state().logged.insert(what.to_owned())
    }

    fn send(&self, message: &Value) {
        // An error means that no page is open.
        let _ = self.events.send(message.to_string().into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while the state is locked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(dev: &Dev) -> Value {
        serde_json::from_str(&dev.subscribe().hello).expect("JSON")
    }

    fn next(events: &mut PageEvents) -> Value {
        serde_json::from_str(&events.messages.try_recv().expect("a message")).expect("JSON")
    }

    #[test]
    fn a_page_that_opens_later_gets_errors_until_they_are_fixed() {
        let dev = Dev::new("run".into(), Vec::new());
        dev.broken_by(Broken { errors: vec![json!({ "message": "m" })], ..Broken::default() });
        assert_eq!(hello(&dev)["errors"][0]["message"], "m");

        dev.saved(&Saved::default());

        assert_eq!(hello(&dev)["errors"], json!([]));
        assert_eq!(hello(&dev)["saves"], 1);
    }

    #[test]
    fn failures_are_sent_once_and_kept_for_pages_that_open_later() {
        let dev = Dev::new("run".into(), Vec::new());
        let mut events = dev.subscribe();
        for _ in 0..3 {
            dev.failed("a request", Some(("GET", "/a")), json!({ "message": "m" }));
        }

        assert_eq!(next(&mut events)["failure"]["path"], "/a");
        assert!(events.messages.try_recv().is_err());
        assert_eq!(hello(&dev)["failures"].as_array().map(Vec::len), Some(1));
        for n in 0..2 * MAX_FAILURES {
            dev.failed("a request", Some(("GET", "/a")), json!({ "message": n }));
        }
        assert_eq!(hello(&dev)["failures"].as_array().map(Vec::len), Some(MAX_FAILURES));
    }

    #[test]
    fn saved_files_keep_errors() {
        let dev = Dev::new("run".into(), Vec::new());
        dev.broken_by(Broken { errors: vec![json!({ "message": "m" })], ..Broken::default() });

        dev.saved_files(BTreeSet::from(["/style.css".to_owned()]));

        assert_eq!(dev.broken().errors.len(), 1);
    }
}
