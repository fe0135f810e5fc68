//! The way to the site's `_hub.js`: what pages send waits for what it returns.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

/// How long `_hub.js` may take for one message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Questions to `_hub.js`, which the isolates take. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many isolates answer.
    answering: AtomicUsize,
    next: AtomicU64,
    questions: Mutex<Questions>,
    asked: Notify,
}

#[derive(Default)]
struct Questions {
    waiting: VecDeque<Question>,
    answers: HashMap<u64, oneshot::Sender<Verdict>>,
}

/// Who sends something: JSON that `_hub.js` receives.
pub(crate) type Caller = Arc<str>;

/// May a page send this?
pub(crate) struct Question {
    pub id: u64,
    pub caller: Caller,
    pub topic: String,
    /// JSON.
    pub data: String,
}

/// What `_hub.js` returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes on with this data, JSON.
    Replace(String),
    /// It does not go on.
    Drop,
    /// It does not go on, and the page is informed why.
    Refuse(String),
}

impl Gate {
    /// Whether the site has a `_hub.js`.
    pub(crate) fn is_there(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }

    /// An isolate answers from now on.
    pub(crate) fn begin(&self) {
        self.0.answering.fetch_add(1, Ordering::Relaxed);
    }

    /// An isolate no longer answers.
    pub(crate) fn end(&self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
        // Another one takes what this one was woken for.
        self.0.asked.notify_one();
    }

    /// Asks `_hub.js`. Everything passes where there is none.
    pub(crate) async fn ask(&self, caller: Caller, topic: String, data: String) -> Verdict {
        if !self.is_there() {
            return Verdict::Pass;
        }
        let (answer, verdict) = oneshot::channel();
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut questions = self.lock();
            questions.answers.insert(id, answer);
            questions.waiting.push_back(Question { id, caller, topic, data });
        }
        let _asked = Asked { gate: self, id };
        self.0.asked.notify_one();
        match tokio::time::timeout(PATIENCE, verdict).await {
            Ok(Ok(verdict)) => verdict,
            _ => Verdict::Refuse("the server did not decide in time".to_owned()),
        }
    }

    /// The next question.
    pub(crate) async fn next(&self) -> Question {
        loop {
            let next = {
                let mut questions = self.lock();
                let next = questions.waiting.pop_front();
                if !questions.waiting.is_empty() {
                    self.0.asked.notify_one();
                }
                next
            };
            match next {
                Some(question) => return question,
                None => self.0.asked.notified().await,
            }
        }
    }

    /// Answers a question.
    pub(crate) fn answer(&self, id: u64, verdict: Verdict) {
        let answer = self.lock().answers.remove(&id);
        if let Some(answer) = answer {
            let _ = answer.send(verdict);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Questions> {
        self.0.questions.lock().expect("nothing panics while the list is locked")
    }
}

/// Forgets a question when nobody waits for its answer.
struct Asked<'a> {
    gate: &'a Gate,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut questions = self.gate.lock();
        questions.answers.remove(&self.id);
        questions.waiting.retain(|question| question.id != self.id);
    }
}
