//! The hub for pages of LARC: the driver of `liveline_proto::larc` over topics.
//!
//! | type | what it is |
//! |---|---|
//! | [`PageHub`] | owns the pages that are connected, and carries out what they ask for |
//! | [`PageSession`] | one page: what it has sent, and what that means |
//! | [`Gate`] | the way to the site's `_hub.js`, which may refuse or change what pages send |
//! | [`Switch`] | whether the hub is there |

mod gate;
mod session;

use std::collections::{HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Notify;

use super::{TopicHub, Turn, now};
use liveline_proto::larc::{PageAction, PageId, PageLimits, Pages, topics_of};
use liveline_proto::topic::{
    Budget, From, InvalidName, Keep, Millis, Pattern, Publication, Settings, Slow, Subscribe, Target,
    TopicError, TopicName, TopicStats,
};

pub(crate) use gate::{Caller, Gate, Question, Verdict};
pub(super) use session::Outcome;
pub(crate) use session::PageSession;

/// The topic that has a document's text: `/larc/documents/` and its name.
const DOCUMENTS: &str = "/larc/documents/";

/// How many messages, and bytes of them, a topic of pages keeps for those that are behind or connect again.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 8 << 20;

/// How many texts of documents are kept.
const DOCUMENTS_KEPT: usize = 2000;

/// How long an answer to the question whether a project has pages of LARC counts, while there are none.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Whether the hub is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
    /// It is there if the project has pages of LARC.
    Auto,
}

/// How the hub behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubOptions {
    pub switch: Switch,
    /// Messages of one page in a second, over a longer time. Later ones wait.
    pub rate: f64,
    /// Topics that pages have made.
    pub topics: usize,
}

/// The hub for pages. Clones share it.
#[derive(Clone)]
pub(crate) struct PageHub(Arc<Shared>);

struct Shared {
    topics: TopicHub,
    state: Mutex<State>,
    deadline_moved: Notify,
    gate: Gate,
    options: HubOptions,
    made: Mutex<Made>,
    /// When it was last looked for pages of LARC, and whether there were any.
    looked: Mutex<Option<(Instant, bool)>>,
}

/// What pages have made.
struct Made {
    topics: MadeTopics,
    documents: MadeTopics,
}

/// Topics that pages have made, of which there may be so many.
struct MadeTopics {
    what: &'static str,
    limit: usize,
    /// Oldest first.
    names: VecDeque<TopicName>,
}

impl Made {
    /// The documents of a store behave as they did.
    fn restore(&mut self, turn: &mut Turn<'_>) {
        let settings = of_document(turn.settings());
        for name in turn.names(DOCUMENTS) {
            if turn.configure(&name, settings).is_ok() {
                self.documents.names.push_back(name);
            }
        }
    }
}

impl MadeTopics {
    /// Makes a topic. Where there are too many, it takes the place of one that nobody uses.
    fn add(&mut self, turn: &mut Turn<'_>, name: &TopicName, settings: Settings) -> Result<(), TopicError> {
        /// How long a topic is not used before another takes its place, in milliseconds.
        const UNUSED: u64 = 60_000;
        for _ in 0..self.names.len() {
            if self.names.len() < self.limit {
                break;
            }
            if let Some(oldest) = self.names.pop_front()
                && !turn.remove_unused(&oldest, UNUSED)
            {
                self.names.push_back(oldest);
            }
        }
        if self.names.len() >= self.limit {
            return Err(TopicError::TooMany { what: self.what, limit: self.limit });
        }
        turn.configure(name, settings)?;
        self.names.push_back(name.clone());
        Ok(())
    }
}

/// How the topic of a document behaves: the newest text is kept, for as long as there is room.
fn of_document(usual: Settings) -> Settings {
    /// Ten years in milliseconds.
    const IDLE: u64 = 10 * 365 * 24 * 3_600_000;
    Settings { is_latest: true, idle: IDLE, ..usual }
}

struct State {
    pages: Pages,
    wakers: HashMap<PageId, Arc<Notify>>,
    armed: Option<Millis>,
}

/// What a page follows.
#[derive(Debug, Clone)]
pub(crate) struct PageSubscription {
    /// Patterns of topics; every topic if there is none.
    pub topics: Vec<Pattern>,
    /// The id of the last message that the page has received.
    pub after: Option<String>,
    /// The connection whose own messages it does not receive.
    pub origin: Option<u64>,
}

impl PageSubscription {
    /// The topics of a list such as `users.*, chat.message`, without those that are no topics.
    pub(crate) fn patterns(list: &str) -> (Vec<Pattern>, Option<InvalidName>) {
        /// How many topics a page can name.
        const MOST: usize = 64;
        let (mut patterns, mut invalid) = (Vec::new(), None);
        for topic in topics_of(list).take(MOST) {
            match topic.parse::<Pattern>() {
                Ok(pattern) => patterns.push(pattern.without_paths()),
                Err(error) => invalid = Some(error),
            }
        }
        (patterns, invalid)
    }

    fn subscribe(&self) -> Subscribe {
        let all = || vec!["*".parse::<Pattern>().expect("it is a pattern").without_paths()];
        let after = self.after.as_ref().map(|after| after.parse());
        Subscribe {
            to: Target::Patterns(if self.topics.is_empty() { all() } else { self.topics.clone() }),
            from: match after {
                // An id that is not known: everything that is kept comes after a notice.
                Some(position) => From::After(
                    position.unwrap_or(liveline_proto::topic::Position { epoch: u64::MAX, offset: 0 }),
                ),
                None => From::Now,
            },
            metadata: liveline_proto::topic::Metadata::new(),
            origin: self.origin,
            slow: Slow::DropOldest,
            budget: Budget { messages: u64::MAX, bytes: u64::MAX },
            wants_retained: true,
        }
    }
}

impl PageHub {
    /// A hub over these topics. A page that sends heartbeats, every 30 seconds as LARC does, may miss two of them.
    pub(crate) fn new(topics: TopicHub, options: HubOptions) -> PageHub {
        let heartbeat = u64::try_from(topics.heartbeat().as_millis()).unwrap_or(u64::MAX).saturating_mul(5);
        let pages = Pages::new(PageLimits { heartbeat, ..PageLimits::default() });
        let runtime = topics.runtime().clone();
        let mut made = Made {
            topics: MadeTopics { what: "topics of pages", limit: options.topics, names: VecDeque::new() },
            documents: MadeTopics { what: "documents", limit: DOCUMENTS_KEPT, names: VecDeque::new() },
        };
        made.restore(&mut topics.turn());
        let hub = PageHub(Arc::new(Shared {
            topics,
            state: Mutex::new(State { pages, wakers: HashMap::new(), armed: None }),
            deadline_moved: Notify::new(),
            gate: Gate::default(),
            options,
            made: Mutex::new(made),
            looked: Mutex::new(None),
        }));
        runtime.spawn(hub.clone().keep_time());
        hub
    }

    /// The topics.
    pub(crate) fn topics(&self) -> &TopicHub {
        &self.0.topics
    }

    /// What there is, for metrics.
    pub(crate) fn counts(&self) -> (TopicStats, usize) {
        let topics = self.0.topics.turn().stats();
        (topics, self.lock().pages.len())
    }

    /// The way to the site's `_hub.js`.
    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// Whether the hub is there. `looks` looks for pages of LARC, which is not done for every request.
    pub(crate) fn is_on(&self, looks: impl FnOnce() -> bool) -> bool {
        match self.0.options.switch {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => {
                let mut looked = self.0.looked.lock().expect("nothing panics while this is locked");
                match *looked {
                    Some((at, found)) if found || at.elapsed() < LOOKS_AGAIN_AFTER => found,
                    _ => {
                        let found = looks();
                        if found && looked.is_none_or(|(_, before)| !before) {
                            tracing::info!(
                                "pages of LARC: the hub is at /ws, /sse and /api/events (--hub=off)"
                            );
                        }
                        *looked = Some((Instant::now(), found));
                        found
                    }
                }
            }
        }
    }

    /// Whether the hub is switched on explicitly.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.0.options.switch == Switch::On
    }

    /// Publishes a message of a page. Returns the id that clients receive with it.
    pub(crate) fn publish(
        &self,
        topic: &str,
        data: &str,
        publication: Publication<'_>,
    ) -> Result<liveline_proto::topic::Position, TopicError> {
        if topic.starts_with('/') {
            return Err(InvalidName::Character('/').into());
        }
        let name: TopicName = topic.parse()?;
        let mut turn = self.0.topics.turn();
        self.admit(&mut turn, &name)?;
        let entries = vec![bytes::Bytes::copy_from_slice(data.as_bytes())];
        let id = turn.publish(&name, Publication { entries, ..publication })?.id;
        Ok(turn.shared_id(&name, id).unwrap_or(id))
    }

    /// The topic exists from now on, unless pages have made too many.
    fn admit(&self, turn: &mut Turn<'_>, name: &TopicName) -> Result<(), TopicError> {
        if turn.exists(name) {
            return Ok(());
        }
        let keep = Keep { messages: KEPT, bytes: KEPT_BYTES, refuses: false };
        let settings = Settings { keep, ..turn.settings() };
        let mut made = self.0.made.lock().expect("nothing panics while the list is locked");
        made.topics.add(turn, name, settings)
    }

    /// Exclusive use of the pages, at one moment.
    pub(super) fn pages(&self) -> PageTurn<'_> {
        let mut state = self.lock();
        state.pages.at(now());
        PageTurn { hub: self, state: Some(state) }
    }

    /// The stored text of a document that nobody edits.
    fn stored(&self, document: &str) -> Option<bytes::Bytes> {
        let name = document_topic(document)?;
        Some(self.0.topics.turn().latest(&name)?.data.clone())
    }

    fn keep(&self, document: &str, payload: bytes::Bytes) {
        let Some(name) = document_topic(document) else { return };
        let mut turn = self.0.topics.turn();
        let settings = of_document(turn.settings());
        let kept = match turn.exists(&name) {
            true => Ok(()),
            false => {
                let mut made = self.0.made.lock().expect("nothing panics while the list is locked");
                made.documents.add(&mut turn, &name, settings)
            }
        };
        if let Err(error) = kept.and_then(|()| turn.publish(&name, Publication::of(payload)).map(drop)) {
            tracing::debug!("the document {document} is not kept: {error}");
        }
    }

    /// Calls [`Pages::tick`] at every deadline.
    async fn keep_time(self) {
        loop {
            let next = {
                let mut state = self.lock();
                state.armed = state.pages.next_deadline();
                state.armed
            };
            let Some(at) = next else {
                self.0.deadline_moved.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(at.0.saturating_sub(now().0))) => {
                    self.pages().tick();
                }
                () = self.0.deadline_moved.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no input of pages panics")
    }
}

/// What is not escaped in a document's name, as by `encodeURIComponent`, but for the asterisk, which no topic has.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The topic of a document, whose name may have characters that topics do not have.
fn document_topic(document: &str) -> Option<TopicName> {
    let escaped = utf8_percent_encode(document, ESCAPED);
    format!("{DOCUMENTS}{escaped}").parse().ok()
}

/// Whether a project has pages of LARC: its static files name the classes, elements or files of LARC.
pub(crate) fn looks_like_larc(public: Option<&Path>) -> bool {
    /// Files that are looked at, and bytes of each.
    const FILES: usize = 200;
    const BYTES: u64 = 64 * 1024;
    const DEPTH: usize = 4;
    /// What LARC's pages have, and hardly any other.
    const MARKS: [&str; 8] = [
        "<pan-",
        "pan-client",
        "pan-bus",
        "@larcjs/",
        "wsClient",
        "sseClient",
        "join-document",
        "presence-heartbeat",
    ];
    let Some(public) = public else { return false };
    let mut left = FILES;
    let mut folders = vec![(public.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                if depth < DEPTH {
                    folders.push((path, depth + 1));
                }
                continue;
            }
            if !["html", "js", "mjs"].iter().any(|kind| path.extension().is_some_and(|it| it == *kind)) {
                continue;
            }
            left -= 1;
            let mut text = Vec::new();
            let read = std::fs::File::open(&path).and_then(|file| {
                std::io::Read::read_to_end(&mut std::io::Read::take(file, BYTES), &mut text)
            });
            let text = String::from_utf8_lossy(&text);
            if read.is_ok() && MARKS.iter().any(|mark| text.contains(mark)) {
                return true;
            }
            if left == 0 {
                return false;
            }
        }
    }
    false
}

/// Exclusive use of the pages. When it is dropped, pages are woken and documents are kept.
#[must_use]
#[clippy::has_significant_drop]
pub(super) struct PageTurn<'a> {
    hub: &'a PageHub,
    /// `None` only while it is dropped.
    state: Option<MutexGuard<'a, State>>,
}

impl PageTurn<'_> {
    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("only `drop` takes it")
    }

    fn set_waker(&mut self, id: PageId, waker: Arc<Notify>) {
        self.state().wakers.insert(id, waker);
    }

    fn remove_waker(&mut self, id: PageId) {
        self.state().wakers.remove(&id);
    }
}

impl Deref for PageTurn<'_> {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.state.as_ref().expect("only `drop` takes it").pages
    }
}

impl DerefMut for PageTurn<'_> {
    fn deref_mut(&mut self) -> &mut Pages {
        &mut self.state().pages
    }
}

impl Drop for PageTurn<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        let State { pages, wakers, armed } = &mut *state;
        let next = pages.next_deadline();
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            *armed = next;
            self.hub.0.deadline_moved.notify_one();
        }
        let (mut woken, mut kept) = (Vec::new(), Vec::new());
        for action in pages.actions() {
            match action {
                PageAction::Wake(id) => woken.extend(wakers.get(&id).cloned()),
                PageAction::Keep { document, payload } => kept.push((document, payload)),
            }
        }
        // Under the lock, so that the texts of a document are kept in their order.
        kept.into_iter().for_each(|(document, payload)| self.hub.keep(&document, payload));
        drop(state);
        woken.iter().for_each(|waker| waker.notify_one());
    }
}
