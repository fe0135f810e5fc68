//! The server as configured, resolved once at start-up.

use std::sync::Arc;
use std::time::Duration;

use crate::dev::Dev;
use crate::ext::{BodyLimits, Mode, Sessions, Shared};
use crate::http::KeptDocuments;
use crate::lines::Hub;
use crate::metrics::Metrics;
use crate::router::{FileRules, Layout};
use crate::trust::Trust;
use liveline_store::Databases;

/// The server as configured.
pub(crate) struct Settings {
    pub layout: Layout,
    pub mode: Mode,
    /// Isolates that serve side by side, each with module state of its own.
    pub workers: usize,
    pub limits: Limits,
    pub hub: Hub,
    pub sessions: Sessions,
    /// What isolates have in common.
    pub shared: Shared,
    /// Whom to believe about hosts and addresses.
    pub trust: Arc<Trust>,
    pub databases: Databases,
    /// Documents that browsers are about to load.
    pub documents: KeptDocuments,
    /// What of `public/` has an address.
    pub files: FileRules,
    /// The metrics, if they are served.
    pub metrics: Option<Metrics>,
    /// The notifications of open pages, in `dev`.
    pub dev: Option<Arc<Dev>>,
}

/// What a handler or a stranger may use up.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Until a request without an answer gets 504.
    pub answer: Duration,
    /// How long a handler may run without yielding.
    pub cpu: Duration,
    /// Bytes of JavaScript heap per isolate.
    pub heap: usize,
    /// What requests' bodies may take.
    pub bodies: BodyLimits,
    /// Bytes of a request's head.
    pub header: usize,
    /// Until a client has sent a request's head.
    pub header_read: Duration,
    /// Until a connection without a request is closed.
    pub keep_alive: Duration,
    /// How long a client may leave an answer unread.
    pub write: Duration,
    /// Bytes of one frame from a client.
    pub frame: usize,
}
