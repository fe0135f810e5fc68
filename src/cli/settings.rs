//! Checks the arguments and makes the server's configuration of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Parser;

use super::CliError;
use super::args::{self, Folder, Server};
use crate::config::{Limits, Settings};
use crate::dev::Dev;
use crate::ext::{Bodies, BodyLimits, Mode, Sessions, Shared};
use crate::http::KeptDocuments;
use crate::lines::Hub;
use crate::metrics::{Budget, Budgets, Metrics};
use crate::router::{FileRules, Layout, LayoutError};
use crate::script::Isolate;
use crate::server::{Admission, Doors, Listener, Place, open_files};
use crate::trust::{Hosts, Proxies, Trust};
use liveline_proto::Origins;
use liveline_store::{Databases, Location, MemorySessions, ResultBudget, SessionStore, SqliteSessions};

/// How long the client of a line that closes may take to read the rest, and again to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// The shortest session key, in bytes.
const MIN_SESSION_KEY: usize = 16;

impl Folder {
    /// The folders of the project. Fails where there is no such folder, with the name of a similar one.
    pub(super) fn layout(&self) -> Result<Layout, CliError> {
        Layout::find(&self.dir, self.public.as_deref()).map_err(|error| match error {
            LayoutError::Missing(folder) => match nearest_folder(&folder) {
                Some(near) => CliError::NoFolder { folder, near },
                None => LayoutError::Missing(folder).into(),
            },
            error => error.into(),
        })
    }
}

impl Server {
    /// Binds the address and port of the arguments or the environment.
    pub(super) async fn listen(&self) -> Result<Listener, CliError> {
        let place = match &self.host {
            Some(host) if *host != Place::Name(String::new()) => host.clone(),
            _ => place_of_environment(std::env::var("HOST").ok().as_deref()),
        };
        Ok(Listener::bind(&place, self.port, self.limits.write_timeout).await?)
    }

    /// The settings of a server that listens on these addresses. Its live lines run on the current tokio runtime.
    pub(super) fn settings(&self, mode: Mode, listening: &[SocketAddr]) -> Result<Settings, CliError> {
        let origins = Origins::new(self.allow_origins.iter().cloned());
        let workers = self.workers.into();
        let database = self.database.clone();
        let layout = self.folder.layout()?;
        let sessions = self.sessions()?;
        let mut settings = settings(layout, mode, workers, &self.limits, origins, database, sessions);
        settings.trust = Arc::new(self.trust(mode, listening));
        settings.files = FileRules { follow_links: self.follow_links };
        if mode == Mode::Development {
            let layout = &settings.layout;
            let folders = [Some(&layout.project), Some(&layout.root), layout.public.as_ref()];
            let folders = folders.into_iter().flatten().cloned().collect();
            let run = random_key().iter().map(|byte| format!("{byte:02x}")).collect();
            settings.dev = Some(Arc::new(Dev::new(run, folders)));
        }
        if mode == Mode::Development || self.metrics.is_some() {
            let (bodies, results) =
                (settings.limits.bodies.budget.clone(), settings.databases.results().clone());
            let budgets = Budgets {
                bodies: Box::new(move || Budget { held: bodies.held(), limit: bodies.budget() }),
                results: Box::new(move || Budget { held: results.held(), limit: results.budget() }),
            };
            settings.metrics = Some(Metrics::new(settings.hub.clone(), Isolate::ENGINE, budgets));
        }
        Ok(settings)
    }

    /// Which hosts the server answers for, and which proxies it trusts. In development only names of this machine count,
    /// which protects from pages of other sites whose name resolves to it (DNS rebinding).
    fn trust(&self, mode: Mode, listening: &[SocketAddr]) -> Trust {
        let names_machine = (mode == Mode::Development).then(machine_name);
        Trust {
            origin: self.origin.clone(),
            hosts: Hosts::new(&self.allow_hosts, self.origin.as_ref(), names_machine),
            proxies: Proxies::new(self.trust_proxies.clone()),
            listening: listening.to_vec(),
        }
    }

    /// The limits of connections.
    pub(super) fn doors(&self) -> Doors {
        let args::Limits { max_connections, max_connections_per_address, .. } = self.limits;
        let total = max_connections.map(|most| most as usize).or_else(open_files::for_connections);
        Doors::new(Admission::new(total, max_connections_per_address))
    }

    fn sessions(&self) -> Result<Sessions, CliError> {
        let fresh = random_key();
        let (store, own): (Arc<dyn SessionStore>, _) = if self.session_store.as_os_str() == "memory" {
            (Arc::<MemorySessions>::default(), fresh.to_vec())
        } else {
            let (store, key) = SqliteSessions::open(&self.session_store, fresh)?;
            (Arc::new(store), key)
        };
        let key = match &self.session_key {
            Some(key) if key.len() < MIN_SESSION_KEY => return Err(CliError::SessionKey),
            Some(key) => key.as_bytes(),
            None => &own,
        };
        Ok(Sessions::new(store, key, self.secure_cookies))
    }
}

/// Where to listen without `--host`: at the address in `HOST`, as hosting platforms set it. Some shells set `HOST` to the
/// name of the machine, which is ignored.
fn place_of_environment(host: Option<&str>) -> Place {
    let Ok(place) = host.unwrap_or_default().parse::<Place>();
    match place {
        Place::Address(_) => place,
        Place::Name(_) if place.is_localhost() => place,
        Place::Name(name) => {
            if !name.is_empty() {
                tracing::debug!("HOST is ignored: `{name}` is no address; see --host and LIVELINE_HOST");
            }
            Place::Address(Ipv4Addr::LOCALHOST.into())
        }
    }
}

/// Settings for one isolate with default limits, for `check` and `routes`.
pub(super) fn to_check(layout: Layout) -> Settings {
    let limits = args::Limits::parse_from([""]);
    let sessions = Sessions::new(Arc::<MemorySessions>::default(), &random_key(), false);
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
    let lines = liveline_proto::Limits {
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
    let results = ResultBudget::new(bytes(limits.max_result));
    let budget = Bodies::new(bytes(limits.max_bodies), bytes(limits.max_body));
    let bodies = BodyLimits {
        // A body that is larger than the budget could never be received.
        size: bytes(limits.max_body).min(budget.budget()),
        patience: limits.body_timeout,
        form_parts: limits.max_form_parts,
        budget,
    };
    let limits = Limits {
        answer: limits.answer_timeout,
        cpu: limits.cpu_timeout,
        heap: bytes(limits.max_heap),
        bodies,
        header: bytes(limits.max_header),
        header_read: limits.header_timeout,
        keep_alive: limits.keep_alive_timeout,
        write: limits.write_timeout,
        frame: bytes(limits.max_frame),
    };
    let hub = Hub::new(lines, tokio::runtime::Handle::current());
    let (root, public) = (layout.root.clone(), layout.public.clone());
    let databases = Databases::new(Location { default: database, root, public }, results);
    let trust = Arc::new(Trust {
        origin: None,
        hosts: Hosts::default(),
        proxies: Proxies::default(),
        listening: Vec::new(),
    });
    let (files, metrics, dev) = Default::default();
    let shared = Shared::default();
    let documents = KeptDocuments::default();
    Settings {
        layout,
        mode,
        workers,
        limits,
        hub,
        sessions,
        shared,
        trust,
        databases,
        documents,
        files,
        metrics,
        dev,
    }
}

/// The folder whose name is most like the last part of a path that does not exist.
fn nearest_folder(missing: &Path) -> Option<PathBuf> {
    /// The part of a name's letters that have to match.
    const ALIKE: f64 = 0.7;
    let name = missing.file_name()?.to_str()?.to_lowercase();
    let above = missing.parent().filter(|above| !above.as_os_str().is_empty());
    let entries = std::fs::read_dir(above.unwrap_or(Path::new("."))).ok()?.flatten();
    let folders = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok());
    let alike = |folder: &String| strsim::normalized_damerau_levenshtein(&name, &folder.to_lowercase());
    let near = folders.filter(|folder| alike(folder) > ALIKE);
    let near = near.max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    Some(above.map_or_else(|| PathBuf::from(&near), |above| above.join(&near)))
}

/// The host name of this machine.
fn machine_name() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.filter(|name| !name.is_empty())
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the operating system gives random bytes");
    key
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
