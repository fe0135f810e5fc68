//! What was saved and what failed.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// How many messages a page may be behind. One that is more connects again, and gets the state as it is then.
const BACKLOG: usize = 64;

/// How many failures a page gets that opens after them, and from how long ago.
const MAX_FAILURES: usize = 16;
const FRESH: Duration = Duration::from_secs(30);

/// The same failure again counts for nothing until this time has passed.
const REPEATED: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Dev {
    /// Tells this run of the process from others.
    run: String,
    /// Files below these may be opened in the editor.
    pub folders: Vec<PathBuf>,
    news: broadcast::Sender<Arc<str>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is wrong with the code as it was saved last; nothing while that serves.
    broken: Broken,
    /// How often code or a file was saved.
    saves: u64,
    failures: VecDeque<(Instant, Value)>,
    /// What was logged already.
    logged: HashSet<String>,
}

/// How the site was at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Which run of the process it was.
    pub run: String,
    /// How often code or a file had been saved.
    pub saves: u64,
}

/// What is wrong with code that does not load.
#[derive(Debug, Default, Clone)]
pub(crate) struct Broken {
    /// As `Diagnostic::to_report` gives them.
    pub errors: Vec<Value>,
    /// The same as a page and as a text.
    pub page: String,
    pub text: String,
}

/// What a save has changed, as far as pages have to know. Patterns are those of routes: `/products/-`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Saved {
    /// Nobody knows what, so everything.
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

/// The messages for one page, from a moment on.
pub(crate) struct News {
    /// How everything stands at that moment.
    pub hello: String,
    pub messages: broadcast::Receiver<Arc<str>>,
}

impl Dev {
    /// For a run of the process with this id, and a project in these folders.
    pub(crate) fn new(run: String, folders: Vec<PathBuf>) -> Dev {
        Dev { run, folders, news: broadcast::Sender::new(BACKLOG), state: Mutex::default() }
    }

    /// What was saved does not load.
    pub(crate) fn is_broken(&self, broken: Broken) {
        let mut state = self.state();
        self.send(&json!({ "type": "broken", "errors": broken.errors }));
        state.broken = broken;
    }

    /// What was saved serves from now on.
    pub(crate) fn saved(&self, saved: &Saved) {
        let mut state = self.state();
        state.saves += 1;
        state.broken = Broken::default();
        state.failures.clear();
        self.send(&json!({ "type": "saved", "saves": state.saves, "what": saved }));
    }

    /// Files were saved that are not code of the server; what is known of errors stays.
    pub(crate) fn saved_files(&self, files: BTreeSet<String>) {
        let mut state = self.state();
        state.saves += 1;
        let what = Saved { files, ..Saved::default() };
        self.send(&json!({ "type": "saved", "saves": state.saves, "what": what, "keepsErrors": true }));
    }

    /// Code threw what nobody caught. `about` says for which request, if it was for one.
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

    /// What is wrong with the code as it was saved last.
    pub(crate) fn broken(&self) -> Broken {
        self.state().broken.clone()
    }

    /// The same in a line, if something is.
    pub(crate) fn stale(&self) -> Option<String> {
        let state = self.state();
        let error = state.broken.errors.first()?;
        let message = error["message"].as_str().unwrap_or_default();
        let place =
            error["file"].as_str().map(|file| format!(" ({file}:{}:{})", error["line"], error["column"]));
        Some(format!("{message}{}", place.unwrap_or_default()))
    }

    /// Now.
    pub(crate) fn moment(&self) -> Moment {
        Moment { run: self.run.clone(), saves: self.state().saves }
    }

    /// What a page gets from now on.
    pub(crate) fn news(&self) -> News {
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
        // With the state locked, so that nothing comes twice and nothing is missing.
        News { hello: hello.to_string(), messages: self.news.subscribe() }
    }

    /// How many pages listen.
    pub(crate) fn pages(&self) -> usize {
        self.news.receiver_count()
    }

    /// Whether this is to be logged: once.
    pub(crate) fn is_first_of(&self, what: &str) -> bool {
        self.state().logged.insert(what.to_owned())
    }

    fn send(&self, message: &Value) {
        // An error means that no page is open.
        let _ = self.news.send(message.to_string().into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while the state is locked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(dev: &Dev) -> Value {
        serde_json::from_str(&dev.news().hello).expect("JSON")
    }

    fn next(news: &mut News) -> Value {
        serde_json::from_str(&news.messages.try_recv().expect("a message")).expect("JSON")
    }

    #[test]
    fn a_page_that_comes_later_gets_what_is_broken_until_it_is_mended() {
        let dev = Dev::new("run".into(), Vec::new());
        dev.is_broken(Broken { errors: vec![json!({ "message": "m" })], ..Broken::default() });
        assert_eq!(hello(&dev)["errors"][0]["message"], "m");

        dev.saved(&Saved::default());

        assert_eq!(hello(&dev)["errors"], json!([]));
        assert_eq!(hello(&dev)["saves"], 1);
    }

    #[test]
    fn failures_are_kept_for_pages_that_come_and_told_once() {
        let dev = Dev::new("run".into(), Vec::new());
        let mut news = dev.news();
        for _ in 0..3 {
            dev.failed("a request", Some(("GET", "/a")), json!({ "message": "m" }));
        }

        assert_eq!(next(&mut news)["failure"]["path"], "/a");
        assert!(news.messages.try_recv().is_err());
        assert_eq!(hello(&dev)["failures"].as_array().map(Vec::len), Some(1));
        for n in 0..2 * MAX_FAILURES {
            dev.failed("a request", Some(("GET", "/a")), json!({ "message": n }));
        }
        assert_eq!(hello(&dev)["failures"].as_array().map(Vec::len), Some(MAX_FAILURES));
    }

    #[test]
    fn saved_files_mend_nothing() {
        let dev = Dev::new("run".into(), Vec::new());
        dev.is_broken(Broken { errors: vec![json!({ "message": "m" })], ..Broken::default() });

        dev.saved_files(BTreeSet::from(["/style.css".to_owned()]));

        assert_eq!(dev.broken().errors.len(), 1);
    }
}
