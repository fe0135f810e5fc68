//! Subscribers to changes of sessions, in all isolates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc;

/// How many changes may be queued for one subscriber; further ones are dropped.
const MAX_WAITING: usize = 256;

/// A change of one key: its value as JSON, or `None` if it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionChange {
    pub key: String,
    pub json: Option<String>,
}

/// The subscribers of all sessions. Clones share the data.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<BySession>>);

type BySession = HashMap<String, Vec<(u64, mpsc::Sender<SessionChange>)>>;

/// A subscription, which ends when this is dropped; its receiver then returns `None`.
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

    /// Sends a change of one key to the subscribers of a session.
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
    async fn a_change_reaches_only_subscribers_of_its_session() {
        let watchers = Watchers::default();
        let (one, mut changes) = watchers.watch("a");
        let (other, mut no_changes) = watchers.watch("b");

        watchers.tell("a", "k", Some("1"));
        drop(one);
        drop(other);

        let change = SessionChange { key: "k".to_owned(), json: Some("1".to_owned()) };
        assert_eq!((changes.recv().await, changes.recv().await), (Some(change), None));
        assert_eq!(no_changes.recv().await, None);
        assert!(watchers.lock().is_empty());
    }
}
