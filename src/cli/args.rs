//! The arguments as typed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args as ClapArgs, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Runs a folder of JavaScript route handlers whose answers can stay on the line.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Args {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as liveline=debug
    #[arg(long, global = true, value_name = "FILTER", default_value = "info", env = "LIVELINE_LOG")]
    pub log: EnvFilter,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a folder of handlers
    Serve(Server),
    /// Serve a folder and reload its handlers when a file changes; answers show errors
    Dev(Server),
    /// List the routes of a folder
    Routes(Folder),
    /// Load every handler of a folder and report every error
    Check(Folder),
    /// Write the types of everything handlers can use, for editors and the TypeScript compiler
    Types(Types),
    /// Keep a started engine in a file beside this executable, from where it starts several times faster
    Snapshot,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Folder {
    /// A routes folder, or a project with app/ and public/
    pub dir: PathBuf,
    /// Folder of static files [default: DIR/public if there is one]
    #[arg(long, value_name = "DIR")]
    pub public: Option<PathBuf>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Types {
    /// A routes folder, or a project with app/ and public/
    pub dir: PathBuf,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Server {
    #[command(flatten)]
    pub folder: Folder,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", env = "HOST")]
    pub host: IpAddr,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 3000, env = "PORT")]
    pub port: u16,
    /// Isolates side by side, each with module state of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Origin of another site whose pages may join live lines (repeatable)
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub allow_origins: Vec<String>,
    /// File of the database that handlers get from liveline:sql [default: in memory]
    #[arg(long, value_name = "PATH", env = "LIVELINE_DATABASE")]
    pub database: Option<PathBuf>,
    /// Where sessions are kept: memory, or the path of a file
    #[arg(long, value_name = "PATH", default_value = "memory", env = "LIVELINE_SESSION_STORE")]
    pub session_store: PathBuf,
    /// Secret that session cookies are signed with, 16 bytes at least [default: the file's own, or a new one]
    #[arg(long, value_name = "SECRET", env = "SESSION_KEY", hide_env_values = true)]
    pub session_key: Option<String>,
    /// Keep cookies of sessions from travelling without TLS
    #[arg(long)]
    pub secure_cookies: bool,
    #[command(flatten)]
    pub limits: Limits,
}

/// What a handler or a stranger may use up.
#[derive(Debug, Clone, Parser)]
pub struct Limits {
    /// How long a client has to join its live line
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub join_timeout: Duration,
    /// How long a handler may take to answer before the client gets 504
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub answer_timeout: Duration,
    /// How long a handler may run without yielding before it is stopped
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub cpu_timeout: Duration,
    /// How long a client has to send a request's head
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub header_timeout: Duration,
    /// How long to wait on shutdown for what is still being answered
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,
    /// JavaScript heap of one isolate
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub max_heap: ByteSize,
    /// Size of a request's body
    #[arg(long, value_name = "SIZE", default_value = "10MiB")]
    pub max_body: ByteSize,
    /// Size of a request's head (8KiB at least)
    #[arg(long, value_name = "SIZE", default_value = "16KiB")]
    pub max_header: ByteSize,
    /// Size of one frame from a client
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_frame: ByteSize,
    /// Bytes that may wait in each direction of a live line
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_queue: ByteSize,
}
