//! The arguments checked and resolved into what the server needs.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Parser;

use super::CliError;
use super::args::{self, Folder, Server};
use crate::engine::{self, Origins};
use crate::http;
use crate::isolate::{Limits, Settings};
use crate::ops::{Mode, Sessions};
use crate::ports::Hub;
use crate::router::Layout;
use crate::storage::{Databases, Location};

/// How long a finished line's client has to read the rest, and then to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

impl Folder {
    pub fn layout(&self) -> Result<Layout, CliError> {
        Ok(Layout::find(&self.dir, self.public.as_deref())?)
    }
}

impl Server {
    /// The server's settings; its live lines run on the current runtime.
    pub fn settings(&self, mode: Mode) -> Result<Settings, CliError> {
        let origins = Origins::new(self.allow_origins.iter().cloned());
        let workers = self.workers.into();
        let database = self.database.clone();
        Ok(settings(self.folder.layout()?, mode, workers, &self.limits, origins, database))
    }
}

/// Settings for one isolate with default limits, to see whether a folder loads.
pub fn to_check(layout: Layout) -> Settings {
    let limits = args::Limits::parse_from([""]);
    settings(layout, Mode::Production, 1, &limits, Origins::default(), None)
}

fn settings(
    layout: Layout,
    mode: Mode,
    workers: usize,
    limits: &args::Limits,
    origins: Origins,
    database: Option<PathBuf>,
) -> Settings {
    let lines = engine::Limits {
        join_window: limits.join_timeout,
        close_grace: CLOSE_GRACE,
        queue_bytes: bytes(limits.max_queue),
        origins,
    };
    let limits = Limits {
        answer: limits.answer_timeout,
        cpu: limits.cpu_timeout,
        heap: bytes(limits.max_heap),
        body: bytes(limits.max_body),
        header: bytes(limits.max_header),
        header_read: limits.header_timeout,
        frame: bytes(limits.max_frame),
    };
    let hub = Hub::new(lines, tokio::runtime::Handle::current());
    let sessions = Sessions::default();
    let (root, public) = (layout.root.clone(), layout.public.clone());
    let databases = Databases::new(Location { default: database, root, public });
    Settings { layout, mode, workers, limits, hub, sessions, databases, serve: http::serve }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
