//! The arguments checked and resolved into what the server needs.

use std::time::Duration;

use bytesize::ByteSize;

use super::CliError;
use super::args::{Folder, Server};
use crate::engine::{self, Origins};
use crate::http;
use crate::isolate::{Limits, Settings};
use crate::ops::{Mode, Sessions};
use crate::ports::Hub;
use crate::router::Layout;

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
        let lines = engine::Limits {
            join_window: self.join_timeout,
            close_grace: CLOSE_GRACE,
            queue_bytes: bytes(self.max_queue),
            origins: Origins::new(self.allow_origins.iter().cloned()),
        };
        let limits = Limits {
            answer: self.answer_timeout,
            cpu: self.cpu_timeout,
            heap: bytes(self.max_heap),
            body: bytes(self.max_body),
            header: bytes(self.max_header),
            header_read: self.header_timeout,
            frame: bytes(self.max_frame),
        };
        Ok(Settings {
            layout: self.folder.layout()?,
            mode,
            workers: self.workers.into(),
            limits,
            hub: Hub::new(lines, tokio::runtime::Handle::current()),
            sessions: Sessions::default(),
            serve: http::serve,
        })
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
