//! Checks the arguments and makes the server's configuration of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Parser;

use super::CliError;
use super::args::{AccessFlags, Folder, LimitFlags, Server};
use crate::config::{Config, ConnectionLimits, IsolateLimits};
use crate::dev::Dev;
use crate::dialect;
use crate::ext::{
    Access, ActorOptions, Actors, Bodies, BodyLimits, EnvironmentFiles, Grants, Mode, OwnFiles, Sessions,
    Shared, Stores,
};
use crate::http::KeptDocuments;
use crate::lines::Hub;
use crate::metrics::{Budget, Budgets, Metrics, TopicCounts};
use crate::random;
use crate::router::{FileRules, Layout, LayoutError};
use crate::script::{Isolate, snapshot_file};
use crate::server::{BindHost, ConnectionLimiter, Listener, open_files};
use crate::topics::{HubOptions, PageHub, Switch, TopicHub};
use crate::trust::{Hosts, Proxies, Trust};
use liveline_proto::Origins;
use liveline_proto::topic::TopicLimits;
use liveline_proto::websocket::Unfinished;
use liveline_store::{Databases, Location, MemorySessions, ResultBudget, SessionStore, SqliteSessions};

/// The folder of what the program writes into a project.
const OWN_FOLDER: &str = ".liveline";

/// How long the client of a line that closes may take to read the rest, and again to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// The shortest session key, in bytes.
const MIN_SESSION_KEY: usize = 16;

impl Folder {
    /// The folders of the project. Fails where there is no such folder, with the name of a similar one.
    pub(super) fn layout(&self) -> Result<Layout, CliError> {
        let mut layout = Layout::find(&self.dir, self.public.as_deref()).map_err(|error| match error {
            LayoutError::Missing(folder) => match nearest_folder(&folder) {
                Some(near) => CliError::NoFolder { folder, near },
                None => LayoutError::Missing(folder).into(),
            },
            error => CliError::from(error),
        })?;
        layout.environment = self.environment.clone().filter(|name| !name.is_empty());
        dialect::arrange(&mut layout, self.public.is_some())?;
        Ok(layout)
    }
}

impl Server {
    /// Binds the address and port of the arguments or the environment.
    pub(super) async fn listen(&self) -> Result<Listener, CliError> {
        let place = match &self.host {
            Some(host) if *host != BindHost::Name(String::new()) => host.clone(),
            _ => place_of_environment(std::env::var("HOST").ok().as_deref()),
        };
        Ok(Listener::bind(&place, self.port, self.limits.write_timeout).await?)
    }

    /// The configuration of a server that listens on these addresses. Its live lines run on the current tokio runtime.
    pub(super) fn config(&self, mode: Mode, listening: &[SocketAddr]) -> Result<Config, CliError> {
        let origins = Origins::new(self.allow_origins.iter().cloned());
        let database = self.database.clone();
        let layout = self.folder.layout()?;
        let data = Data {
            database,
            folder: self.data.clone(),
            sessions: self.sessions()?,
            session_store: self.session_store_file(),
            topic_store: self.topic_store.clone(),
            hub: self.hub.into(),
        };
        let mut config = config(layout, mode, &self.limits, origins, data, &self.folder.access)?;
        config.workers = self.workers.into();
        config.tests_triggers = self.test_scheduled || mode == Mode::Development;
        config.trust = Arc::new(self.trust(mode, listening));
        config.files = FileRules { follow_links: self.follow_links };
        if mode == Mode::Development {
            let layout = &config.layout;
            let folders = [Some(&layout.project), Some(&layout.root), layout.public.as_ref()];
            let folders = folders.into_iter().flatten().cloned().collect();
            let run = random::hexadecimal(&random::bytes::<32>());
            config.dev = Some(Arc::new(Dev::new(run, folders)));
        }
        if mode == Mode::Development || self.metrics.is_some() {
            let (bodies, results) = (config.bodies.budget.clone(), config.databases.results().clone());
            let actors = config.actors.clone();
            let pages = config.pages.clone();
            let budgets = Budgets {
                actors: Box::new(move || actors.counts()),
                topics: Box::new(move || {
                    let (topics, pages) = pages.counts();
                    TopicCounts { topics, pages }
                }),
                bodies: Box::new(move || Budget { held: bodies.held(), limit: bodies.budget() }),
                results: Box::new(move || Budget { held: results.held(), limit: results.budget() }),
            };
            config.metrics = Some(Metrics::new(config.hub.clone(), Isolate::ENGINE, budgets));
        }
        Ok(config)
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
    pub(super) fn limiter(&self) -> ConnectionLimiter {
        let LimitFlags { max_connections, max_connections_per_address, .. } = self.limits;
        let total = max_connections.map(|most| most as usize).or_else(open_files::for_connections);
        ConnectionLimiter::new(total, max_connections_per_address)
    }

    fn session_store_file(&self) -> Option<PathBuf> {
        Some(self.session_store.clone()).filter(|store| store.as_os_str() != "memory")
    }

    fn sessions(&self) -> Result<Sessions, CliError> {
        let fresh: [u8; 32] = random::bytes();
        let limit = bytes(self.limits.max_session_bytes);
        let (store, own): (Arc<dyn SessionStore>, _) = match self.session_store_file() {
            None => (Arc::new(MemorySessions::new(limit)), fresh.to_vec()),
            Some(file) => {
                let (store, key) = SqliteSessions::open(&file, fresh, limit)?;
                (Arc::new(store), key)
            }
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
fn place_of_environment(host: Option<&str>) -> BindHost {
    let Ok(place) = host.unwrap_or_default().parse::<BindHost>();
    match place {
        BindHost::Address(_) => place,
        BindHost::Name(_) if place.is_localhost() => place,
        BindHost::Name(name) => {
            if !name.is_empty() {
                tracing::debug!("HOST is ignored: `{name}` is no address; see --host and LIVELINE_HOST");
            }
            BindHost::Address(Ipv4Addr::LOCALHOST.into())
        }
    }
}

/// The configuration of one isolate with default limits, for `check` and `routes`.
pub(super) fn to_check(folder: &Folder) -> Result<Config, CliError> {
    for_one_isolate(folder.layout()?, &folder.access)
}

/// The same for an isolate that runs no code of a folder, for `snapshot`.
pub(super) fn to_rehearse() -> Result<Config, CliError> {
    let folder = std::env::temp_dir();
    let layout = Layout {
        root: folder.clone(),
        project: folder.clone(),
        routes: folder,
        public: None,
        has_tree: false,
        wrangler: None,
        environment: None,
        entry: None,
    };
    for_one_isolate(layout, &AccessFlags::default())
}

fn for_one_isolate(layout: Layout, access: &AccessFlags) -> Result<Config, CliError> {
    let limits = LimitFlags::parse_from([""]);
    let sessions = Sessions::new(Arc::new(MemorySessions::new(usize::MAX)), &random::bytes::<32>(), false);
    let data = Data {
        database: None,
        folder: None,
        sessions,
        session_store: None,
        topic_store: None,
        hub: Switch::Off,
    };
    config(layout, Mode::Production, &limits, Origins::default(), data, access)
}

/// Where data is stored.
struct Data {
    database: Option<PathBuf>,
    /// The folder of actors' files, if it is not the project's own.
    folder: Option<PathBuf>,
    sessions: Sessions,
    /// The file of the sessions, if they have one.
    session_store: Option<PathBuf>,
    /// The file of the topics, if they have one.
    topic_store: Option<PathBuf>,
    /// Whether there is a hub for pages.
    hub: Switch,
}

impl AccessFlags {
    fn access(
        &self,
        layout: &Layout,
        stores: impl IntoIterator<Item = PathBuf>,
        databases: &Databases,
    ) -> Result<Access, CliError> {
        let folders = [&layout.project, &layout.root].map(|folder| folder.join(OWN_FOLDER));
        let fixed = folders.into_iter().chain(stores).chain(snapshot_file());
        let grants = Grants {
            read: self.allow_read.clone(),
            write: self.allow_write.clone(),
            run: self.allow_run.clone(),
            deny_net: self.deny_net.clone(),
            deny_env: self.deny_env.clone(),
        };
        Ok(Access::new(&grants, &layout.project, OwnFiles::new(fixed, databases.clone()))?)
    }

    fn environment(&self, layout: &Layout, mode: Mode) -> Result<EnvironmentFiles, CliError> {
        let named = self.env_files.iter().map(|file| {
            let missing = |source| CliError::EnvFile { file: file.clone(), source };
            std::fs::metadata(file).and_then(|_| std::path::absolute(file)).map_err(missing)
        });
        let named = named.collect::<Result<_, _>>()?;
        Ok(EnvironmentFiles::new(&layout.project, mode, named, self.deny_env.clone()))
    }
}

impl LimitFlags {
    fn isolate(&self) -> IsolateLimits {
        IsolateLimits { answer: self.answer_timeout, cpu: self.cpu_timeout, heap: bytes(self.max_heap) }
    }

    fn connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            header: bytes(self.max_header),
            header_read: self.header_timeout,
            keep_alive: self.keep_alive_timeout,
            write: self.write_timeout,
            frame: bytes(self.max_frame),
        }
    }

    fn bodies(&self) -> BodyLimits {
        let budget = Bodies::new(bytes(self.max_bodies), bytes(self.max_body));
        BodyLimits {
            // A body that is larger than the budget could never be received.
            size: bytes(self.max_body).min(budget.budget()),
            patience: self.body_timeout,
            form_parts: self.max_form_parts,
            budget,
        }
    }

    fn topics(&self) -> TopicLimits {
        TopicLimits {
            topics: self.max_topics,
            subscribers: self.max_topic_subscribers,
            bytes: bytes(self.max_topic_bytes),
            ..TopicLimits::default()
        }
    }

    fn lines(&self, origins: Origins, unfinished: Unfinished) -> liveline_proto::Limits {
        liveline_proto::Limits {
            join_window: self.join_timeout,
            close_grace: CLOSE_GRACE,
            resume_window: self.resume_window,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            queue_bytes: bytes(self.max_queue),
            all_queues_bytes: bytes(self.max_queues),
            channel_queue_bytes: bytes(self.max_channel_queue),
            overflow: self.overflow.into(),
            lines_per_session: self.max_lines_per_session,
            lines_per_address: self.max_lines_per_address,
            unfinished,
            origins,
        }
    }
}

/// The databases of a project. A default database that was asked for is opened at once, so that a mistake in its path ends
/// the command.
fn databases(location: Location, results: ResultBudget) -> Result<Databases, CliError> {
    let Some(file) = location.default.as_ref().map(|file| file.display().to_string()) else {
        return Ok(Databases::new(location, results));
    };
    // The path would be that of a file in a folder called `postgres:`.
    if file.contains("://") {
        // An address may have a password.
        let scheme = file.split("://").next().unwrap_or_default();
        return Err(CliError::DatabaseAddress(format!("{scheme}://...")));
    }
    let databases = Databases::new(location, results);
    databases.default().map_err(CliError::Database)?;
    Ok(databases)
}

/// One worker, without metrics, for every host and no proxy.
fn config(
    layout: Layout,
    mode: Mode,
    limits: &LimitFlags,
    origins: Origins,
    Data { database, folder, sessions, session_store, topic_store, hub: switch }: Data,
    flags: &AccessFlags,
) -> Result<Config, CliError> {
    let (root, public) = (layout.root.clone(), layout.public.clone());
    let results = ResultBudget::new(bytes(limits.max_result));
    let (hosts, proxies) = Default::default();
    let databases = databases(Location { default: database, root, public }, results)?;
    let folder = match folder {
        Some(folder) => std::path::absolute(&folder).unwrap_or(folder),
        None => layout.project.join(OWN_FOLDER),
    };
    let actors = ActorOptions { idle: limits.actor_idle, folder: folder.join("actors") };
    // A message over the budget could never be received.
    let unfinished = Unfinished::new(bytes(limits.max_bodies).max(bytes(limits.max_frame)));
    let hub = Hub::new(limits.lines(origins, unfinished.clone()), tokio::runtime::Handle::current());
    let stores = Stores::new(folder.clone(), databases.results().clone());
    let runtime = tokio::runtime::Handle::current();
    let topics =
        TopicHub::new(limits.topics(), topic_store.as_deref(), limits.heartbeat, unfinished, runtime)?;
    let options = HubOptions { switch, rate: limits.hub_rate.into(), topics: limits.max_hub_topics };
    let own_files = ["actors", "d1", "kv", "queues.sqlite"].map(|name| folder.join(name));
    let own_files = own_files.into_iter().chain(session_store).chain(topic_store.clone());
    Ok(Config {
        access: flags.access(&layout, own_files, &databases)?,
        environment: flags.environment(&layout, mode)?,
        layout,
        mode,
        workers: 1,
        isolate: limits.isolate(),
        connections: limits.connections(),
        bodies: limits.bodies(),
        stores,
        actors: Actors::new(hub.clone(), actors),
        hub,
        sessions,
        shared: Shared::default(),
        pages: PageHub::new(topics.clone(), options),
        topics,
        trust: Arc::new(Trust { origin: None, hosts, proxies, listening: Vec::new() }),
        databases,
        documents: KeptDocuments::default(),
        files: FileRules::default(),
        metrics: None,
        inspector: None,
        tests_triggers: false,
        dev: None,
    })
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

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
