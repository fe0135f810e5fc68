//! An isolate that debuggers can attach to.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::debug_time::DebugTime;
use super::inbox::{Inbox, Input, Session};
use crate::metrics::WorkerId;
use liveline_proto::OwnerId;

/// See the module.
pub(super) struct Target {
    /// Random: a client has to know it to attach.
    pub id: Uuid,
    pub owner: OwnerId,
    pub worker: WorkerId,
    /// The project's folder.
    pub url: String,
    pub debug_time: DebugTime,
    inbox: Arc<Inbox>,
    is_retired: watch::Sender<bool>,
}

impl Target {
    pub(super) fn new(
        owner: OwnerId,
        worker: WorkerId,
        url: String,
        debug_time: DebugTime,
        inbox: Arc<Inbox>,
    ) -> Target {
        let is_retired = watch::Sender::new(false);
        Target { id: Uuid::new_v4(), owner, worker, url, debug_time, inbox, is_retired }
    }

    pub(super) fn title(&self) -> String {
        let WorkerId { worker, generation } = self.worker;
        format!("worker {worker}, generation {generation}")
    }

    /// Opens a session. The receiver has what the isolate sends.
    pub(super) fn open(&self) -> (Session, mpsc::UnboundedReceiver<String>) {
        self.inbox.open()
    }

    /// Closes all sessions; code that waits for a debugger runs.
    pub(super) fn retire(&self) {
        self.is_retired.send_replace(true);
        self.inbox.send(Input::Run);
    }

    /// Waits until the target is retired.
    pub(super) async fn retired(&self) {
        // There is a sender for as long as this is polled.
        let _ = self.is_retired.subscribe().wait_for(|is_retired| *is_retired).await;
    }
}
