//! The arguments checked and resolved into what the server needs.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Parser;

use super::CliError;
use super::args::{self, Folder, Server};
use crate::engine::{self, Origins};
use crate::http;
use crate::isolate::{Isolate, Limits, Settings};
use crate::net::{Admission, Doors, open_files};
use crate::observe::Observer;
use crate::ops::{Mode, Sessions};
use crate::ports::Hub;
use crate::router::{FileRules, Layout};
use crate::storage::{Databases, Location, SessionStore};

/// How long a finished line's client has to read the rest, and then to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// A key that is shorter could be guessed.
const MIN_SESSION_KEY: usize = 16;

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
        let layout = self.folder.layout()?;
        let sessions = self.sessions()?;
        let mut settings = settings(layout, mode, workers, &self.limits, origins, database, sessions);
        settings.files = FileRules { follow_links: self.follow_links };
        if mode == Mode::Development || self.metrics.is_some() {
            settings.observer = Some(Observer::new(settings.hub.clone(), Isolate::ENGINE));
        }
        Ok(settings)
    }

    /// Who is let in, and how many at a time.
    pub fn doors(&self) -> Doors {
        let args::Limits { max_connections, max_connections_per_address, .. } = self.limits;
        let total = max_connections.map(|most| most as usize).or_else(open_files::for_connections);
        Doors::new(Admission::new(total, max_connections_per_address))
    }

    fn sessions(&self) -> Result<Sessions, CliError> {
        let fresh = random_key();
        let (store, own) = if self.session_store.as_os_str() == "memory" {
            (SessionStore::in_memory(), fresh.to_vec())
        } else {
            SessionStore::in_file(&self.session_store, fresh)?
        };
        let key = match &self.session_key {
            Some(key) if key.len() < MIN_SESSION_KEY => return Err(CliError::SessionKey),
            Some(key) => key.as_bytes(),
            None => &own,
        };
        Ok(Sessions::new(store, key, self.secure_cookies))
    }
}

/// Settings for one isolate with default limits, to see whether a folder loads.
pub fn to_check(layout: Layout) -> Settings {
    let limits = args::Limits::parse_from([""]);
    let sessions = Sessions::new(SessionStore::in_memory(), &random_key(), false);
    settings(layout, Mode::Production, 1, &limits, Origins::default(), None, sessions)
}

fn settings(
    layout: Layout,
    mode: Mode,
    workers: usize,
    limits: &args::Limits,
    origins: Origins,
    database: Option<PathBuf>,
    sessions: Sessions,
) -> Settings {
    let lines = engine::Limits {
        join_window: limits.join_timeout,
        close_grace: CLOSE_GRACE,
        resume_window: limits.resume_window,
        ping_interval: limits.ping_interval,
        ping_timeout: limits.ping_timeout,
        queue_bytes: bytes(limits.max_queue),
        channel_queue_bytes: bytes(limits.max_channel_queue),
        overflow: limits.overflow.into(),
        lines_per_session: limits.max_lines_per_session,
        lines_per_address: limits.max_lines_per_address,
        origins,
    };
    let limits = Limits {
        answer: limits.answer_timeout,
        cpu: limits.cpu_timeout,
        heap: bytes(limits.max_heap),
        body: bytes(limits.max_body),
        header: bytes(limits.max_header),
        header_read: limits.header_timeout,
        keep_alive: limits.keep_alive_timeout,
        body_read: limits.body_timeout,
        write: limits.write_timeout,
        frame: bytes(limits.max_frame),
    };
    let hub = Hub::new(lines, tokio::runtime::Handle::current());
    let (root, public) = (layout.root.clone(), layout.public.clone());
    let databases = Databases::new(Location { default: database, root, public });
    let (files, observer) = Default::default();
    let serve = http::serve;
    Settings { layout, mode, workers, limits, hub, sessions, databases, files, observer, serve }
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the operating system gives random bytes");
    key
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
