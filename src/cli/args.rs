//! The command line's arguments, as clap parses them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::server::BindHost;
use crate::topics::Switch;
use crate::trust::{HostPattern, ProxyRange, SiteOrigin};

// Headings of flags in the help.
const ADDRESS: &str = "Address";
const SITE: &str = "Site";
const NETWORK: &str = "Hosts, origins and proxies";
const ACCESS: &str = "Environment and permissions of handlers";
const DATA: &str = "Data and sessions";
const LOGGING: &str = "Logging and metrics";
const DEBUGGER: &str = "Debugger";
const LIMITS: &str = "Limits";

const EXAMPLES: &str = "\
Examples:
  liveline dev . --open
    serve the current folder for development, and open the browser
  liveline check .
    find errors before a request does
  liveline serve . --port 8080
    serve the current folder in production

`liveline help COMMAND` lists the flags of a command.";

const SERVE_EXAMPLES: &str = "\
Examples:
  liveline serve . --host 0.0.0.0 --port 80 --workers 4
    serve the current folder on every network interface
  liveline serve . --origin https://example.org --trust-proxy loopback
    the same behind a proxy on this machine that terminates TLS
  liveline serve . --database site.db --session-store sessions.db
    store data and sessions in files";

const DEV_EXAMPLES: &str = "\
Examples:
  liveline dev . --open
    serve the current folder, and open the browser
  liveline dev . --host 0.0.0.0
    make the site reachable from other devices in the network
  liveline dev . --access-log
    log every request";

const ROUTES_EXAMPLES: &str = "\
Examples:
  liveline routes .

METHOD lists the methods that a handler exports: * is its default export, ? means that it does not load.";

const CHECK_EXAMPLES: &str = "\
Examples:
  liveline check .
    list every error with its place and a suggestion
  liveline check . --json
    the same as JSON, for programs

Exit codes: 0 no errors, 1 errors were found, 2 invalid arguments.";

const TYPES_EXAMPLES: &str = "\
Examples:
  liveline types .";

const TOP_EXAMPLES: &str = "\
Examples:
  liveline top http://127.0.0.1:3000
    watch a server that `liveline dev` runs
  liveline top http://127.0.0.1:9464 --once
    print the metrics of a server that `liveline serve . --metrics` runs";

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  liveline snapshot";

/// The filter of the log. A word that is no level would be the name of a part of the program, and nothing else would be
/// logged.
fn log_filter(text: &str) -> Result<EnvFilter, String> {
    // A filter of spans has its own syntax, with equals signs and commas.
    let directives = text.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    for directive in directives.filter(|_| !text.contains('[')) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !level.contains("::") && level.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "`{level}` is no level: error, warn, info, debug, trace, off; a part of the program has its own, as in \
                 liveline::handler=debug"
            ));
        }
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

/// Serves a folder of JavaScript route handlers whose answers can stay live: the same request continues over WebSocket or server-sent events.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100, after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as liveline=debug
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        default_value = "info",
        env = "LIVELINE_LOG",
        help_heading = LOGGING,
        value_parser = log_filter
    )]
    pub log: EnvFilter,
    /// Format of the log: text for people, or json for programs, with one object per line
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "LIVELINE_LOG_FORMAT",
        help_heading = LOGGING
    )]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl Args {
    /// Bytes of memory that one isolate may use, for commands that serve.
    pub(super) fn max_heap(&self) -> Option<u64> {
        match &self.command {
            Command::Serve(server) | Command::Dev(server) => Some(server.limits.max_heap.as_u64()),
            _ => None,
        }
    }

    /// Whether every answered request is logged.
    pub(super) fn logs_access(&self) -> bool {
        matches!(&self.command, Command::Serve(server) | Command::Dev(server) if server.access_log)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a folder of handlers
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Server),
    /// Serve a folder for development: reloads saved files, and shows errors in the browser
    #[command(after_help = DEV_EXAMPLES)]
    Dev(Server),
    /// List the routes of a folder, with the methods that each handler answers
    #[command(after_help = ROUTES_EXAMPLES)]
    Routes(RoutesArgs),
    /// Load every handler and page of a folder, and list all errors
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Write type declarations of the API of handlers, for editors and the TypeScript compiler
    #[command(after_help = TYPES_EXAMPLES)]
    Types(Types),
    /// Show the metrics of a running server: lines, rates, dropped frames, isolates
    #[command(after_help = TOP_EXAMPLES)]
    Top(Top),
    /// Write a snapshot of the initialized engine beside this executable, so that it starts several times faster
    #[command(after_help = SNAPSHOT_EXAMPLES)]
    Snapshot,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Folder {
    /// A routes folder, or a project with app/ and public/
    #[arg(help_heading = "Arguments")]
    pub dir: PathBuf,
    /// Folder of static files [default: DIR/public if there is one]
    #[arg(long, value_name = "DIR", help_heading = SITE)]
    pub public: Option<PathBuf>,
    /// Environment of wrangler's configuration, such as production
    #[arg(long = "env", value_name = "NAME", env = "CLOUDFLARE_ENV", help_heading = SITE)]
    pub environment: Option<String>,
    #[command(flatten)]
    pub access: AccessFlags,
}

/// What handlers may access.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct AccessFlags {
    /// File with environment variables, which win over those of the project's .env files (repeatable)
    #[arg(long = "env-file", value_name = "FILE", help_heading = ACCESS)]
    pub env_files: Vec<PathBuf>,
    /// Hide environment variables from handlers; all of them without a value (repeatable)
    #[arg(long, value_name = "NAME", num_args = 0.., require_equals = true, value_delimiter = ',', help_heading = ACCESS)]
    pub deny_env: Option<Vec<String>>,
    /// Let handlers read files outside of the project; all files without a value (repeatable)
    #[arg(long, value_name = "PATH", num_args = 0.., require_equals = true, value_delimiter = ',', help_heading = ACCESS)]
    pub allow_read: Option<Vec<String>>,
    /// Let handlers write files; all files without a value (repeatable)
    #[arg(long, value_name = "PATH", num_args = 0.., require_equals = true, value_delimiter = ',', help_heading = ACCESS)]
    pub allow_write: Option<Vec<String>>,
    /// Let handlers run programs; all programs without a value (repeatable)
    #[arg(long, value_name = "NAME", num_args = 0.., require_equals = true, value_delimiter = ',', help_heading = ACCESS)]
    pub allow_run: Option<Vec<String>>,
    /// Refuse connections of handlers to hosts: names, addresses, networks, or the word private; all without a value
    /// (repeatable)
    #[arg(long, value_name = "HOST", num_args = 0.., require_equals = true, value_delimiter = ',', help_heading = ACCESS)]
    pub deny_net: Option<Vec<String>>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct RoutesArgs {
    #[command(flatten)]
    pub folder: Folder,
    /// Show which dialect each file has, and where the packages of Fastify come from
    #[arg(long)]
    pub why: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Check {
    #[command(flatten)]
    pub folder: Folder,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Types {
    /// A routes folder, or a project with app/ and public/
    pub dir: PathBuf,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Top {
    /// The address of a `liveline dev` server, or the address that was given with --metrics
    pub url: String,
    /// Print the metrics once, as a table
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = ADDRESS)]
pub(super) struct Server {
    #[command(flatten)]
    pub folder: Folder,
    /// Address or name to listen on, such as 0.0.0.0 or localhost [default: 127.0.0.1, or HOST if that is an address]
    #[arg(long, value_name = "ADDRESS", env = "LIVELINE_HOST")]
    pub host: Option<BindHost>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 3000, env = "PORT")]
    pub port: u16,
    /// Open the site in the browser
    #[arg(long)]
    pub open: bool,
    /// Number of JavaScript isolates that run in parallel, each with its own module state
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = SITE)]
    pub workers: u16,
    /// Origin of another site whose pages may join live lines and send requests with a session (repeatable)
    #[arg(long = "allow-origin", value_name = "ORIGIN", help_heading = NETWORK)]
    pub allow_origins: Vec<String>,
    /// The site's origin, such as https://example.org: it is the origin of event.url, and requests for other hosts get 421
    #[arg(long, value_name = "ORIGIN", env = "LIVELINE_ORIGIN", help_heading = NETWORK)]
    pub origin: Option<SiteOrigin>,
    /// Host name to answer for; *.NAME for its subdomains, .NAME for both, * for all (repeatable) [default: all for serve,
    /// the names of this machine for dev]
    #[arg(long = "allow-host", value_name = "NAME", env = "LIVELINE_ALLOW_HOST", value_delimiter = ',', help_heading = NETWORK)]
    pub allow_hosts: Vec<HostPattern>,
    /// Proxies whose Forwarded and X-Forwarded headers are trusted: addresses, networks, or the words loopback and private
    /// (repeatable)
    #[arg(
        long = "trust-proxy",
        value_name = "ADDRESSES",
        env = "LIVELINE_TRUST_PROXY",
        value_delimiter = ',', help_heading = NETWORK)]
    pub trust_proxies: Vec<ProxyRange>,
    /// File of the default database of liveline:sql [default: in memory]
    #[arg(long, value_name = "PATH", env = "LIVELINE_DATABASE", help_heading = DATA)]
    pub database: Option<PathBuf>,
    /// Folder of the files of actors, of which each has one [default: .liveline in the project]
    #[arg(long, value_name = "DIR", env = "LIVELINE_DATA", help_heading = DATA)]
    pub data: Option<PathBuf>,
    /// Where sessions are stored: memory, or the path of a file
    #[arg(long, value_name = "PATH", default_value = "memory", env = "LIVELINE_SESSION_STORE", help_heading = DATA)]
    pub session_store: PathBuf,
    /// File of the topics, which then outlive the process [default: in memory]
    #[arg(long, value_name = "FILE", env = "LIVELINE_TOPIC_STORE", help_heading = DATA)]
    pub topic_store: Option<PathBuf>,
    /// The hub for pages of LARC at /ws, /sse and /api/events: on, off, or auto, if the project has such pages
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_value = "auto",
          default_missing_value = "on", value_enum, env = "LIVELINE_HUB", help_heading = SITE)]
    pub hub: HubSwitch,
    /// Secret that signs session cookies, at least 16 bytes [default: the one in the sessions' file, or a random one]
    #[arg(long, value_name = "SECRET", env = "SESSION_KEY", hide_env_values = true, help_heading = DATA)]
    pub session_key: Option<String>,
    /// Send session cookies over TLS only
    #[arg(long, help_heading = DATA)]
    pub secure_cookies: bool,
    /// Serve metrics for Prometheus and `liveline top` at /metrics of this address
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:9464",
          value_parser = metrics_address, env = "LIVELINE_METRICS", help_heading = LOGGING)]
    pub metrics: Option<SocketAddr>,
    /// Let requests to /cdn-cgi/handler/scheduled call scheduled() of a Worker, as dev does
    #[arg(long, help_heading = SITE)]
    pub test_scheduled: bool,
    /// Log every answered request
    #[arg(long, help_heading = LOGGING)]
    pub access_log: bool,
    /// Let Chrome DevTools and editors debug handlers at this address: a client can run code in the server
    /// [default: 127.0.0.1:9229]
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "9229",
          value_parser = inspector_address, help_heading = DEBUGGER)]
    pub inspect: Option<SocketAddr>,
    /// Like --inspect; the first handlers wait for a debugger, and pause in their first line
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "9229",
          value_parser = inspector_address, conflicts_with = "inspect", help_heading = DEBUGGER)]
    pub inspect_brk: Option<SocketAddr>,
    /// Follow symbolic links that lead out of public/
    #[arg(long, help_heading = SITE)]
    pub follow_links: bool,
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Limits of time, memory and number.
#[derive(Debug, Clone, Parser)]
#[command(next_help_heading = LIMITS)]
pub(super) struct LimitFlags {
    /// How long a client has to join its live line
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub join_timeout: Duration,
    /// How long a live line waits for a client that lost its connection, so that it can resume
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub resume_window: Duration,
    /// How long a live client may be silent before it is pinged; 0s turns that off
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = humantime::parse_duration)]
    pub ping_interval: Duration,
    /// How long a live client may be silent before its line is closed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub ping_timeout: Duration,
    /// How long a client of topics may be silent before it is pinged; after 2.5 times as long its WebSocket is closed
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    pub heartbeat: Duration,
    /// How long a handler may take to answer before the client gets 504
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub answer_timeout: Duration,
    /// How long a handler may run without yielding before it is stopped
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub cpu_timeout: Duration,
    /// How long a client has to send a request's head
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = humantime::parse_duration)]
    pub keep_alive_timeout: Duration,
    /// How long a handler waits for more of a request's body; each KiB received extends that by a second
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub body_timeout: Duration,
    /// How long a client may leave an answer unread; each KiB read extends that by a second
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub write_timeout: Duration,
    /// How long to wait on shutdown for requests that are still being answered
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,
    /// How long an actor whose clients only keep sockets open may be idle before it leaves memory; one without sockets
    /// stays seven times as long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub actor_idle: Duration,
    /// Memory of one isolate: its heap, buffers, blobs and WebAssembly memories
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub max_heap: ByteSize,
    /// Largest body of a request
    #[arg(long, value_name = "SIZE", default_value = "10MiB")]
    pub max_body: ByteSize,
    /// Memory for the bodies of all requests that are being received, and as much for WebSocket messages that have begun;
    /// one address may use half of each
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub max_bodies: ByteSize,
    /// Largest number of parts in a form
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_form_parts: usize,
    /// Largest result of a query, and largest value in a database
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_result: ByteSize,
    /// Largest head of a request (at least 8KiB)
    #[arg(long, value_name = "SIZE", default_value = "16KiB")]
    pub max_header: ByteSize,
    /// Largest frame from a client
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_frame: ByteSize,
    /// Memory for each of the two queues of a live line, to and from its client
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_queue: ByteSize,
    /// Memory for the queues to all clients together, of which one address gets half; beyond it, clients for which more than
    /// 16KiB wait count as too slow; 0 for no limit
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub max_queues: ByteSize,
    /// Memory for the queues of all members of a channel; beyond it, members that use more than their share count as too
    /// slow
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub max_channel_queue: ByteSize,
    /// What to do when a client reads too slowly and its queue is full: close its line with 1013, or drop messages
    #[arg(long, value_name = "POLICY", value_enum, default_value = "close")]
    pub overflow: Overflow,
    /// Largest number of live lines of one session; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_lines_per_session: usize,
    /// Largest number of live lines of one address; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub max_lines_per_address: usize,
    /// What all sessions may hold together
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub max_session_bytes: ByteSize,
    /// Largest number of topics
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_topics: usize,
    /// Largest number of subscribers of all topics
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub max_topic_subscribers: usize,
    /// Memory for the messages of all topics
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub max_topic_bytes: ByteSize,
    /// Messages of one page of the hub in a second; later ones wait
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub hub_rate: u32,
    /// Largest number of topics that pages of the hub make
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub max_hub_topics: usize,
    /// Largest number of connections, live lines included [default: derived from the limit of open files]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,
    /// Largest number of connections from one address (or IPv6 /64 network); 0 for no limit, as behind a proxy
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_connections_per_address: u32,
}

/// See [`liveline_proto::Overflow`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Overflow {
    Close,
    DropOldest,
    DropNewest,
}

impl From<Overflow> for liveline_proto::Overflow {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Close => Self::Close,
            Overflow::DropOldest => Self::DropOldest,
            Overflow::DropNewest => Self::DropNewest,
        }
    }
}

/// See [`Switch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HubSwitch {
    Auto,
    On,
    Off,
}

impl From<HubSwitch> for Switch {
    fn from(switch: HubSwitch) -> Switch {
        match switch {
            HubSwitch::Auto => Switch::Auto,
            HubSwitch::On => Switch::On,
            HubSwitch::Off => Switch::Off,
        }
    }
}

fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    own_address(text, 9464)
}

fn inspector_address(text: &str) -> Result<SocketAddr, String> {
    own_address(text, 9229)
}

/// Parses an address with a port, or a port of 127.0.0.1.
fn own_address(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let text = text.replace("localhost:", "127.0.0.1:");
    let example = || format!("give an address such as 127.0.0.1:{default_port}, or a port");
    port.or_else(|_| text.parse()).map_err(|_| example())
}
