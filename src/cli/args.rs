//! The arguments as typed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::server::BindHost;
use crate::trust::{HostPattern, ProxyRange, SiteOrigin};

// The headings that flags stand below in the help.
const ADDRESS: &str = "Address";
const SITE: &str = "Site";
const STRANGERS: &str = "Strangers and proxies";
const DATA: &str = "Data and sessions";
const LOGGING: &str = "Logging and figures";
const LIMITS: &str = "Limits";

const EXAMPLES: &str = "\
Examples:
  liveline dev . --open
    work on the folder you are in, and open the browser
  liveline check .
    find what is wrong before anybody asks for it
  liveline serve . --port 8080
    serve it to others

`liveline help COMMAND` lists the flags of a command.";

const SERVE_EXAMPLES: &str = "\
Examples:
  liveline serve . --host 0.0.0.0 --port 80 --workers 4
    serve the folder you are in to everybody
  liveline serve . --origin https://example.org --trust-proxy loopback
    the same behind a proxy on this machine that ends TLS
  liveline serve . --database site.db --session-store sessions.db
    keep what handlers store";

const DEV_EXAMPLES: &str = "\
Examples:
  liveline dev . --open
    work on the folder you are in, and open the browser
  liveline dev . --host 0.0.0.0
    try it on a phone in the same network
  liveline dev . --access-log
    see every request";

const ROUTES_EXAMPLES: &str = "\
Examples:
  liveline routes .

METHOD is what a handler exports: * is its default export, ? means that it does not load.";

const CHECK_EXAMPLES: &str = "\
Examples:
  liveline check .
    read what is wrong, where, and what to do
  liveline check . --json
    have a program read it

Exit codes: 0 nothing is wrong, 1 something is, 2 the command is not written as it should be.";

const TYPES_EXAMPLES: &str = "\
Examples:
  liveline types .";

const TOP_EXAMPLES: &str = "\
Examples:
  liveline top http://127.0.0.1:3000
    watch a server that `liveline dev` runs
  liveline top http://127.0.0.1:9464 --once
    print the figures of one that `liveline serve . --metrics` runs";

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  liveline snapshot";

/// Runs a folder of JavaScript route handlers whose answers can stay on the line.
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
        help_heading = LOGGING
    )]
    pub log: EnvFilter,
    /// How to log: text for people, or json for programs, one object a line
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl Args {
    /// Bytes that the JavaScript of one isolate may hold, for commands that serve.
    pub(super) fn max_heap(&self) -> Option<u64> {
        match &self.command {
            Command::Serve(server) | Command::Dev(server) => Some(server.limits.max_heap.as_u64()),
            _ => None,
        }
    }

    /// Whether every answered request is to be logged.
    pub(super) fn logs_access(&self) -> bool {
        matches!(&self.command, Command::Serve(server) | Command::Dev(server) if server.access_log)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a folder of handlers
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Server),
    /// Serve a folder to who works on it: saved files count at once, and errors are shown
    #[command(after_help = DEV_EXAMPLES)]
    Dev(Server),
    /// List the routes of a folder, with the methods that each handler answers
    #[command(after_help = ROUTES_EXAMPLES)]
    Routes(Folder),
    /// Load every handler and page of a folder and list all that is wrong
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Write the types of everything handlers can use, for editors and the TypeScript compiler
    #[command(after_help = TYPES_EXAMPLES)]
    Types(Types),
    /// Watch a running server: its lines, rates, drops and isolates
    #[command(after_help = TOP_EXAMPLES)]
    Top(Top),
    /// Keep a started engine in a file beside this executable, from where it starts several times faster
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
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Check {
    #[command(flatten)]
    pub folder: Folder,
    /// Print what is wrong as JSON, for programs
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
    /// The address of `liveline dev`, or that given with --metrics
    pub url: String,
    /// Print one table and leave
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = ADDRESS)]
pub(super) struct Server {
    #[command(flatten)]
    pub folder: Folder,
    /// Address or name to listen on, such as 0.0.0.0 or localhost [default: 127.0.0.1, or HOST where that is an address]
    #[arg(long, value_name = "ADDRESS", env = "LIVELINE_HOST")]
    pub host: Option<BindHost>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 3000, env = "PORT")]
    pub port: u16,
    /// Open the site in the browser
    #[arg(long)]
    pub open: bool,
    /// Isolates side by side, each with module state of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = SITE)]
    pub workers: u16,
    /// Origin of another site whose pages may join live lines, and send requests with a session (repeatable)
    #[arg(long = "allow-origin", value_name = "ORIGIN", help_heading = STRANGERS)]
    pub allow_origins: Vec<String>,
    /// The site's origin, such as https://example.org: event.url has it, and other hosts are refused with 421
    #[arg(long, value_name = "ORIGIN", env = "LIVELINE_ORIGIN", help_heading = STRANGERS)]
    pub origin: Option<SiteOrigin>,
    /// Name of a host to answer for, *.NAME for those below it, .NAME for both, * for all (repeatable) [default: all for
    /// serve, those of this machine for dev]
    #[arg(long = "allow-host", value_name = "NAME", env = "LIVELINE_ALLOW_HOST", value_delimiter = ',', help_heading = STRANGERS)]
    pub allow_hosts: Vec<HostPattern>,
    /// Addresses of proxies whose word about their visitors counts: addresses and networks, the words loopback and
    /// private (repeatable)
    #[arg(
        long = "trust-proxy",
        value_name = "ADDRESSES",
        env = "LIVELINE_TRUST_PROXY",
        value_delimiter = ',', help_heading = STRANGERS)]
    pub trust_proxies: Vec<ProxyRange>,
    /// File of the database that handlers get from liveline:sql [default: in memory]
    #[arg(long, value_name = "PATH", env = "LIVELINE_DATABASE", help_heading = DATA)]
    pub database: Option<PathBuf>,
    /// Where sessions are kept: memory, or the path of a file
    #[arg(long, value_name = "PATH", default_value = "memory", env = "LIVELINE_SESSION_STORE", help_heading = DATA)]
    pub session_store: PathBuf,
    /// Secret that session cookies are signed with, 16 bytes at least [default: the file's own, or a new one]
    #[arg(long, value_name = "SECRET", env = "SESSION_KEY", hide_env_values = true, help_heading = DATA)]
    pub session_key: Option<String>,
    /// Keep cookies of sessions from travelling without TLS
    #[arg(long, help_heading = DATA)]
    pub secure_cookies: bool,
    /// Serve figures for Prometheus and `liveline top` at /metrics of this address
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:9464",
          value_parser = figures_address, env = "LIVELINE_METRICS", help_heading = LOGGING)]
    pub metrics: Option<SocketAddr>,
    /// Log every answered request
    #[arg(long, help_heading = LOGGING)]
    pub access_log: bool,
    /// Serve files of public/ also where links lead out of the folder
    #[arg(long, help_heading = SITE)]
    pub follow_links: bool,
    #[command(flatten)]
    pub limits: Limits,
}

/// What a handler or a stranger may use up.
#[derive(Debug, Clone, Parser)]
#[command(next_help_heading = LIMITS)]
pub(super) struct Limits {
    /// How long a client has to join its live line
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub join_timeout: Duration,
    /// How long a live line waits for a client that lost its connection and can come again
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub resume_window: Duration,
    /// How long a live client may be silent before it is pinged; 0s turns that off
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = humantime::parse_duration)]
    pub ping_interval: Duration,
    /// How long a live client may be silent before it counts as gone
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub ping_timeout: Duration,
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
    /// How long a client may let a handler wait for its request's body; each KiB gives a second back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub body_timeout: Duration,
    /// How long a client may leave an answer unread; each KiB it takes gives a second back
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub write_timeout: Duration,
    /// How long to wait on shutdown for what is still being answered
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,
    /// What the JavaScript of one isolate may hold: its heap, buffers, blobs and WebAssembly memories
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub max_heap: ByteSize,
    /// Size of a request's body
    #[arg(long, value_name = "SIZE", default_value = "10MiB")]
    pub max_body: ByteSize,
    /// Bytes of all requests' bodies that are being received at a time; one address gets half
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub max_bodies: ByteSize,
    /// Parts of one form
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_form_parts: usize,
    /// Size of one query's result, and of one value in a database
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_result: ByteSize,
    /// Size of a request's head (8KiB at least)
    #[arg(long, value_name = "SIZE", default_value = "16KiB")]
    pub max_header: ByteSize,
    /// Size of one frame from a client
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_frame: ByteSize,
    /// Bytes that may wait in each direction of a live line
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_queue: ByteSize,
    /// Bytes that may wait for all members of a channel in sum, before a line with more than its share is too slow
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub max_channel_queue: ByteSize,
    /// What happens to messages for a live client that reads too slowly: close its line with 1013, or drop some
    #[arg(long, value_name = "POLICY", value_enum, default_value = "close")]
    pub overflow: Overflow,
    /// Live lines that one session may have at a time; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_lines_per_session: usize,
    /// Live lines that one address may have at a time; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub max_lines_per_address: usize,
    /// Connections at a time, live lines included [default: what the limit of open files leaves]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,
    /// Connections at a time from one address (of IPv6, one /64 network); 0 for any number, as behind a proxy
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

/// An address with its port, or a port of this machine alone.
fn figures_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let text = text.replace("localhost:", "127.0.0.1:");
    port.or_else(|_| text.parse()).map_err(|_| "give an address such as 127.0.0.1:9464, or a port".into())
}
