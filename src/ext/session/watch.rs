//! Who wants to hear of a session's changes, in whichever isolate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc;

/// How many changes may wait for one subscriber; what is beyond that is lost to it.
const MAX_WAITING: usize = 256;

/// One key that changed: its value as JSON, or `None` where it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionChange {
    pub key: String,
    pub json: Option<String>,
}

/// The subscribers of all sessions. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<BySession>>);

type BySession = HashMap<String, Vec<(u64, mpsc::Sender<SessionChange>)>>;

/// A subscription. Dropped, it is over, and whoever waits for its changes gets `None`.
pub(super) struct Watch {
    watchers: Watchers,
    session: String,
    id: u64,
}

impl Watchers {
    pub(super) fn watch(&self, session: &str) -> (Watch, mpsc::Receiver<SessionChange>) {
        let (sender, changes) = mpsc::channel(MAX_WAITING);
        let mut sessions = self.lock();
        let watching = sessions.entry(session.to_owned()).or_default();
        let id = watching.last().map_or(0, |(last, _)| last + 1);
        watching.push((id, sender));
        drop(sessions);
        (Watch { watchers: self.clone(), session: session.to_owned(), id }, changes)
    }

    pub(super) fn tell(&self, session: &str, key: &str, json: Option<&str>) {
        let sessions = self.lock();
        for (_, watching) in sessions.get(session).into_iter().flatten() {
            let change = SessionChange { key: key.to_owned(), json: json.map(str::to_owned) };
            if watching.try_send(change).is_err() {
                tracing::warn!("a subscriber of a session is too slow and missed a change");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BySession> {
        self.0.lock().expect("nothing panics while subscribers are locked")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut sessions = self.watchers.lock();
        if let Some(watching) = sessions.get_mut(&self.session) {
            watching.retain(|(id, _)| *id != self.id);
            if watching.is_empty() {
                sessions.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn subscribers_of_a_session_hear_of_it_alone_and_leave_nothing() {
        let watchers = Watchers::default();
        let (one, mut heard) = watchers.watch("a");
        let (other, mut silent) = watchers.watch("b");

        watchers.tell("a", "k", Some("1"));
        drop(one);
        drop(other);

        let change = SessionChange { key: "k".to_owned(), json: Some("1".to_owned()) };
        assert_eq!((heard.recv().await, heard.recv().await), (Some(change), None));
        assert_eq!(silent.recv().await, None);
        assert!(watchers.lock().is_empty());
    }
}
