//! The configuration of the process, made once at the start.

use std::sync::Arc;
use std::time::Duration;

use crate::dev::Dev;
use crate::ext::{Access, Actors, BodyLimits, EnvironmentFiles, Mode, Services, Sessions, Shared, Stores};
use crate::http::KeptDocuments;
use crate::lines::Hub;
use crate::metrics::Metrics;
use crate::router::{FileRules, Layout};
use crate::script::Inspector;
use crate::topics::{PageHub, TopicHub};
use crate::trust::Trust;
use liveline_store::Databases;

/// The configuration of a process that serves. Each part has its own limits.
pub(crate) struct Config {
    /// The folders of the project.
    pub layout: Layout,
    /// Whether the project is under development.
    pub mode: Mode,
    /// How many isolates run in parallel, each with its own module state.
    pub workers: usize,
    /// The limits of one isolate.
    pub isolate: IsolateLimits,
    /// The limits of one connection.
    pub connections: ConnectionLimits,
    /// The limits of requests' bodies, which share a budget.
    pub bodies: BodyLimits,
    /// What handlers may access.
    pub access: Access,
    /// Where the environment variables of handlers come from.
    pub environment: EnvironmentFiles,
    /// The live lines, with their limits.
    pub hub: Hub,
    /// The sessions and their signing key.
    pub sessions: Sessions,
    /// The actors, which isolates run.
    pub actors: Actors,
    /// The files of D1 databases, KV namespaces and queues.
    pub stores: Stores,
    /// The states that isolates share.
    pub shared: Shared,
    /// The topics, which isolates share.
    pub topics: TopicHub,
    /// The pages of LARC.
    pub pages: PageHub,
    /// Which hosts are served, and which proxies are trusted.
    pub trust: Arc<Trust>,
    /// The databases, with the limits of results.
    pub databases: Databases,
    /// Documents that browsers are about to load.
    pub documents: KeptDocuments,
    /// Which files are served besides those in `public/`.
    pub files: FileRules,
    /// The metrics, if they are served.
    pub metrics: Option<Metrics>,
    /// Where debuggers attach, if they may.
    pub inspector: Option<Inspector>,
    /// Whether requests may call what a Worker does at times.
    pub tests_triggers: bool,
    /// The notifications of open pages, in `dev`.
    pub dev: Option<Arc<Dev>>,
}

impl Config {
    /// What the exchanges of an isolate use of the process.
    pub(crate) fn services(&self) -> Services {
        Services {
            hub: self.hub.clone(),
            sessions: self.sessions.clone(),
            shared: self.shared.clone(),
            actors: self.actors.clone(),
            topics: self.topics.clone(),
            pages: self.pages.clone(),
            trust: self.trust.clone(),
            mode: self.mode,
            bodies: self.bodies.clone(),
        }
    }
}

/// The limits of one isolate.
#[derive(Debug, Clone)]
pub(crate) struct IsolateLimits {
    /// How long a request may take until it is answered with 504.
    pub answer: Duration,
    /// How long a handler may run without yielding.
    pub cpu: Duration,
    /// Bytes of memory: heap, buffers, blobs and WebAssembly memories.
    pub heap: usize,
}

/// The limits of one connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// Bytes of a request's head.
    pub header: usize,
    /// How long a client may take to send a request's head.
    pub header_read: Duration,
    /// How long a connection may be without a request.
    pub keep_alive: Duration,
    /// How long a client may leave an answer unread.
    pub write: Duration,
    /// Bytes of one frame from a client.
    pub frame: usize,
}
