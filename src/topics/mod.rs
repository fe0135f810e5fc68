//! The driver of topics: connects `liveline_proto::topic` to subscribers, sockets, the clock and the store.
//!
//! | type | what it is |
//! |---|---|
//! | [`TopicHub`] | owns all topics and carries out what they ask for |
//! | [`Turn`] | exclusive use of the topics |
//! | [`Subscriber`] | one who follows topics; it unsubscribes when it is dropped |
//! | [`Feed`] | what a connection carries: the messages of a subscriber, in a format |
//!
//! Topics belong to the process, not to an isolate: code may be reloaded, and subscribers do not notice. Connections
//! are served on the main runtime, so that no handler delays them.

mod connection;
mod feed;
mod kept;
mod larc;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};

use self::kept::Store;
use crate::clock::unix_time;
use liveline_proto::topic::{
    Change, Delivery, Millis, Settings, Subscribe, SubscriberId, Taken, TopicAction, TopicError, TopicLimits,
    TopicName, Topics,
};
use liveline_proto::websocket::Unfinished;
use liveline_store::SqlError;

pub(crate) use self::feed::{Feed, Incoming, StreamWire, Wire, cursor, json_array};
pub(crate) use self::larc::{
    Caller, Gate, HubOptions, PageHub, PageSession, PageSubscription, Question, Switch, Verdict,
    looks_like_larc,
};

/// All topics of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct TopicHub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The earliest deadline is earlier than the timer's.
    deadline_moved: Notify,
    store: Option<Store>,
    runtime: tokio::runtime::Handle,
    connections: AtomicU64,
    /// How long a connection may be silent before something is written.
    heartbeat: Duration,
    unfinished: Unfinished,
    /// How many feeds are being served.
    feeds: watch::Sender<usize>,
    /// Whether the process is stopping, which ends all feeds.
    stopping: watch::Sender<bool>,
}

struct State {
    topics: Topics,
    /// Whom to wake, by the index of the subscriber.
    wakers: Vec<Option<Arc<Notify>>>,
    armed: Option<Millis>,
}

/// A file of topics cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the topics in {file} cannot be used: {error}")]
pub(crate) struct TopicStoreError {
    file: String,
    error: SqlError,
}

impl TopicHub {
    /// Topics whose timer and connections run on `runtime`. Those in `file` continue, if there is one.
    pub(crate) fn new(
        limits: TopicLimits,
        file: Option<&Path>,
        heartbeat: Duration,
        unfinished: Unfinished,
        runtime: tokio::runtime::Handle,
    ) -> Result<TopicHub, TopicStoreError> {
        let mut topics = Topics::new(limits, Settings::default(), now());
        let store = file.map(|file| {
            Store::open(file, &mut topics)
                .map_err(|error| TopicStoreError { file: file.display().to_string(), error })
        });
        let store = store.transpose()?;
        let state = State { topics, wakers: Vec::new(), armed: None };
        let hub = TopicHub(Arc::new(Shared {
            state: Mutex::new(state),
            deadline_moved: Notify::new(),
            store,
            runtime: runtime.clone(),
            connections: AtomicU64::new(1),
            heartbeat,
            unfinished,
            feeds: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }));
        // What the restored topics have to be written as.
        drop(hub.turn());
        runtime.spawn(hub.clone().keep_time());
        Ok(hub)
    }

    /// Exclusive use of the topics, at one moment.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let mut state = self.lock();
        state.topics.at(now());
        if let Some(store) = &self.0.store {
            state.topics.set_store_full(store.is_full());
        }
        Turn { hub: self, state: Some(state) }
    }

    /// A subscriber, which begins with what [`Subscribe`] asks for.
    pub(crate) fn subscribe(&self, subscribe: Subscribe) -> Result<Subscriber, TopicError> {
        self.turn().subscriber(subscribe, Arc::new(Notify::new()))
    }

    /// How long a connection may be silent before something is written.
    fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    /// The budget of messages of clients whose ends have not come.
    fn unfinished(&self) -> &Unfinished {
        &self.0.unfinished
    }

    /// A number for a connection, which no other has.
    pub(crate) fn connection(&self) -> u64 {
        self.0.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until everything that was published before is in the store, if there is one.
    pub(crate) async fn stored(&self) -> Result<(), SqlError> {
        let Some(store) = &self.0.store else { return Ok(()) };
        let (done, wait) = oneshot::channel();
        store.report(move |stored| drop(done.send(stored)));
        wait.await.unwrap_or(Ok(()))
    }

    /// The runtime of feeds.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// The process is stopping: ends all feeds, and later ones when they begin. Their clients connect again.
    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits until no feed is served.
    pub(crate) async fn feeds_ended(&self) {
        // The sender lives as long as the hub.
        let _ = self.0.feeds.subscribe().wait_for(|feeds| *feeds == 0).await;
    }

    /// One more feed is served, until the result is dropped.
    fn begin_feed(&self) -> ServedFeed {
        self.0.feeds.send_modify(|feeds| *feeds += 1);
        ServedFeed(self.clone())
    }

    /// Whether the process is stopping, for feeds.
    fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    /// Calls [`Topics::tick`] at every deadline.
    async fn keep_time(self) {
        loop {
            let next = {
                let mut state = self.lock();
                state.armed = state.topics.next_deadline();
                state.armed
            };
            let Some(at) = next else {
                self.0.deadline_moved.notified().await;
                continue;
            };
            let pause = Duration::from_millis(at.0.saturating_sub(now().0));
            tokio::select! {
                () = tokio::time::sleep(pause) => self.turn().tick(),
                () = self.0.deadline_moved.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no input of topics panics")
    }
}

fn now() -> Millis {
    Millis(u64::try_from(unix_time().as_millis()).unwrap_or(u64::MAX))
}

/// Exclusive use of the topics. When it is dropped, subscribers are woken and changes are passed to the store. It must
/// be dropped before the hub is used again.
#[must_use]
#[clippy::has_significant_drop]
pub(crate) struct Turn<'a> {
    hub: &'a TopicHub,
    /// `None` only while it is dropped.
    state: Option<MutexGuard<'a, State>>,
}

impl Turn<'_> {
    fn state(&self) -> &State {
        self.state.as_ref().expect("only `drop` takes it")
    }

    fn subscriber(&mut self, subscribe: Subscribe, notify: Arc<Notify>) -> Result<Subscriber, TopicError> {
        let id = self.subscribe(subscribe)?;
        let wakers = self.wakers();
        if wakers.len() <= id.index() {
            wakers.resize(id.index() + 1, None);
        }
        wakers[id.index()] = Some(notify.clone());
        Ok(Subscriber { hub: self.hub.clone(), id, notify })
    }

    fn wakers(&mut self) -> &mut Vec<Option<Arc<Notify>>> {
        &mut self.state.as_mut().expect("only `drop` takes it").wakers
    }
}

impl Deref for Turn<'_> {
    type Target = Topics;

    fn deref(&self) -> &Topics {
        &self.state().topics
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Topics {
        &mut self.state.as_mut().expect("only `drop` takes it").topics
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        let State { topics, wakers, armed } = &mut *state;
        let next = topics.next_deadline();
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            *armed = next;
            self.hub.0.deadline_moved.notify_one();
        }
        let mut woken = Vec::new();
        for action in topics.actions() {
            match action {
                TopicAction::Wake(id) => woken.extend(wakers.get(id.index()).cloned().flatten()),
                // The store has to have the changes in their order, so they leave under the lock.
                TopicAction::Store(change) => self.hub.write(&change),
            }
        }
        drop(state);
        woken.iter().for_each(|notify| notify.notify_one());
    }
}

impl TopicHub {
    fn write(&self, change: &Change) {
        if let Some(store) = &self.0.store {
            store.write(change);
        }
    }
}

/// Counts a feed that is being served.
struct ServedFeed(TopicHub);

impl Drop for ServedFeed {
    fn drop(&mut self) {
        self.0.0.feeds.send_modify(|feeds| *feeds -= 1);
    }
}

/// One who follows topics.
pub(crate) struct Subscriber {
    hub: TopicHub,
    id: SubscriberId,
    notify: Arc<Notify>,
}

impl Subscriber {
    /// Moves messages of about `bytes` bytes into `into`.
    pub(crate) fn take(&self, bytes: usize, into: &mut Vec<Delivery>) -> Taken {
        let taken = self.hub.turn().take(self.id, bytes, into);
        if taken == Taken::Some {
            // The hub wakes a subscriber only after it has taken everything.
            self.notify.notify_one();
        }
        taken
    }

    /// The same subscriber with another [`Subscribe`], from where it is. What it did not take yet is moved into `into`.
    fn changed_to(&self, subscribe: Subscribe, into: &mut Vec<Delivery>) -> Result<Subscriber, TopicError> {
        let mut turn = self.hub.turn();
        while turn.take(self.id, usize::MAX, into) == Taken::Some {}
        turn.subscriber(subscribe, self.notify.clone())
    }

    /// What wakes the one who waits for [`Subscriber::changed`].
    fn waker(&self) -> Arc<Notify> {
        self.notify.clone()
    }

    /// Waits until there may be something to take. Not more than one caller may wait.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }

    /// The hub.
    pub(crate) fn hub(&self) -> &TopicHub {
        &self.hub
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut turn = self.hub.turn();
        turn.unsubscribe(self.id);
        if let Some(waker) = turn.wakers().get_mut(self.id.index()) {
            waker.take_if(|waker| Arc::ptr_eq(waker, &self.notify));
        }
    }
}

/// A connection that is present at a topic. It is lost when this is dropped.
pub(crate) struct PresentConnection {
    hub: TopicHub,
    topic: TopicName,
    connection: u64,
}

impl PresentConnection {
    /// The connection of a member is present from now on. `data` is JSON about the member.
    pub(crate) fn enter(
        hub: &TopicHub,
        topic: TopicName,
        member: &str,
        data: bytes::Bytes,
    ) -> Result<PresentConnection, TopicError> {
        let connection = hub.connection();
        hub.turn().enter(&topic, connection, member, data, None)?;
        Ok(PresentConnection { hub: hub.clone(), topic, connection })
    }

    /// The connection gave a sign of life. Returns whether it is present.
    pub(crate) fn alive(&self) -> bool {
        self.hub.turn().alive(&self.topic, self.connection)
    }

    /// The connection leaves on purpose.
    pub(crate) fn leave(&self) {
        self.hub.turn().leave(&self.topic, self.connection, false);
    }
}

impl Drop for PresentConnection {
    fn drop(&mut self) {
        self.hub.turn().leave(&self.topic, self.connection, true);
    }
}
