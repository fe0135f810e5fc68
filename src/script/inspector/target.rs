//! An isolate that debuggers can attach to.

use deno_core::futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use deno_core::{InspectorMsg, InspectorSessionChannels, InspectorSessionKind, InspectorSessionProxy};
use tokio::sync::watch;
use uuid::Uuid;

use super::debug_time::DebugTime;
use crate::metrics::WorkerId;
use liveline_proto::OwnerId;

/// Ends the wait of an isolate for a debugger.
const RUN: &str = r#"{"id":1,"method":"Runtime.runIfWaitingForDebugger"}"#;

/// See the module.
pub(super) struct Target {
    /// Random: a client has to know it to attach.
    pub id: Uuid,
    pub owner: OwnerId,
    pub worker: WorkerId,
    /// The project's folder.
    pub url: String,
    pub debug_time: DebugTime,
    sessions: UnboundedSender<InspectorSessionProxy>,
    is_retired: watch::Sender<bool>,
}

/// The host's ends of the channels between a debugger and an isolate.
pub(super) struct Channels {
    pub to_isolate: UnboundedSender<String>,
    pub from_isolate: UnboundedReceiver<InspectorMsg>,
}

impl Target {
    pub(super) fn new(
        owner: OwnerId,
        worker: WorkerId,
        url: String,
        debug_time: DebugTime,
        sessions: UnboundedSender<InspectorSessionProxy>,
    ) -> Target {
        let is_retired = watch::Sender::new(false);
        Target { id: Uuid::new_v4(), owner, worker, url, debug_time, sessions, is_retired }
    }

    pub(super) fn title(&self) -> String {
        let WorkerId { worker, generation } = self.worker;
        format!("worker {worker}, generation {generation}")
    }

    /// Opens a session. The isolate's code resumes when the last session's `to_isolate` is dropped.
    pub(super) fn open(&self) -> Channels {
        let ((to_isolate, rx), (tx, from_isolate)) = (unbounded(), unbounded());
        let channels = InspectorSessionChannels::Regular { tx, rx };
        let kind = InspectorSessionKind::NonBlocking { wait_for_disconnect: false };
        // If the isolate has ended, `from_isolate` ends at once.
        let _ = self.sessions.unbounded_send(InspectorSessionProxy { channels, kind });
        Channels { to_isolate, from_isolate }
    }

    /// Closes all sessions; code that waits for a debugger runs.
    pub(super) fn retire(&self) {
        self.is_retired.send_replace(true);
        let _ = self.open().to_isolate.unbounded_send(RUN.to_owned());
    }

    /// Waits until the target is retired.
    pub(super) async fn retired(&self) {
        // There is a sender for as long as this is polled.
        let _ = self.is_retired.subscribe().wait_for(|is_retired| *is_retired).await;
    }
}
