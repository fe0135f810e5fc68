//! The programs that are compared: how each is started, and over which transports it is measured.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::load::{Protocol, Transport};
use super::nchan;
use super::server::{Launch, Ready};
use super::setup::BenchSetup;
use crate::checkout::complete;
use crate::engine;
use crate::failure::{Outcome, While, fail};
use crate::machine::{Machine, find_program};
use crate::run;

pub const BASELINE: &str = "baseline";
/// Liveline, measured over live lines.
pub const LIVELINE: &str = "liveline";
/// Liveline, measured over WebSockets without a line.
pub const RAW: &str = "liveline-raw";
/// Liveline, measured over lines that can be resumed.
pub const NUMBERED: &str = "liveline-v1";
/// Liveline, measured over actors.
pub const ACTORS: &str = "liveline-actors";
pub const WORKERD: &str = "workerd";
/// workerd, measured over Durable Objects.
pub const OBJECTS: &str = "workerd-objects";
/// Liveline, measured over topics.
pub const TOPICS: &str = "liveline-topics";
/// Liveline with the plugin tree that Fastify serves.
pub const TREE: &str = "liveline-fastify";
pub const BUN: &str = "bun";
pub const DENO: &str = "deno";
pub const NODE: &str = "node";
pub const WS: &str = "ws";
pub const UWS: &str = "uws";
pub const SOCKET_IO: &str = "socket.io";
pub const FASTIFY: &str = "fastify";
pub const HONO: &str = "hono";
pub const NCHAN: &str = "nchan";

#[derive(Clone)]
pub struct Peer {
    pub name: &'static str,
    pub version: String,
    pub launch: Launch,
    protocol: Protocol,
}

pub fn is_ours(name: &str) -> bool {
    [LIVELINE, NUMBERED, RAW, ACTORS, TREE, TOPICS].contains(&name)
}

impl Peer {
    pub fn is_other(&self) -> bool {
        !is_ours(self.name) && self.name != BASELINE
    }

    /// Whether a request for `/gc` makes it collect its garbage.
    pub fn collects(&self) -> bool {
        self.name == WS || self.name == BUN
    }

    /// A connection whose messages are sent back to it.
    pub fn echo(&self) -> Transport {
        match self.name {
            RAW => Transport::new(self.protocol, "/raw", ""),
            SOCKET_IO => Transport::new(self.protocol, SOCKET_IO_PATH, "echo"),
            _ => Transport::new(self.protocol, "/echo", "message"),
        }
    }

    /// A member of the room: it receives the room's messages and, with a socket, sends some.
    pub fn room(&self) -> Transport {
        match self.name {
            SOCKET_IO => Transport::new(self.protocol, SOCKET_IO_PATH, "room"),
            _ => Transport::new(self.protocol, "/room", "room:message"),
        }
    }

    /// A connection on which nothing happens.
    pub fn idle(&self) -> Transport {
        match self.name {
            RAW => Transport::new(self.protocol, "/raw", ""),
            SOCKET_IO => Transport::new(self.protocol, SOCKET_IO_PATH, ""),
            _ => Transport::new(self.protocol, "/idle", "message"),
        }
    }

    /// A live view with a counter.
    pub fn views(&self) -> Transport {
        Transport::new(self.protocol, "/views", "message")
    }

    /// A subscriber of the room that receives server-sent events.
    pub fn events(&self) -> Transport {
        Transport::new(Protocol::Events, if self.name == NCHAN { "/sub" } else { "/room" }, "")
    }

    /// The connection that sends to these subscribers.
    pub fn announcer(&self) -> Transport {
        match self.name {
            NCHAN | TOPICS => Transport::new(Protocol::Http, "/pub", ""),
            _ => self.room(),
        }
    }

    /// A subscriber of a topic that receives its messages by a WebSocket.
    pub fn topic_sockets(&self) -> Transport {
        Transport::new(Protocol::WebSocket, if self.name == NCHAN { "/sub/socket" } else { "/room" }, "")
    }
}

const SOCKET_IO_PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// Finds or installs a peer. The failure says why one is not available.
pub fn make(setup: &BenchSetup<'_>, name: &'static str) -> Outcome<Peer> {
    let peer = |version: String, protocol: Protocol, launch: Launch| Peer { name, version, launch, protocol };
    let node = |protocol: Protocol, packages: &[&str]| {
        let Some(program) = find_program("node") else { return fail("there is no node on the PATH") };
        let mut launch = setup.launch(name, program, &["--expose-gc", &setup.script(&format!("{name}.js"))]);
        let mut versions = Vec::new();
        if !packages.is_empty() {
            let modules = setup.npm(name, packages)?;
            launch.variables.push(("NODE_PATH".to_owned(), modules.display().to_string()));
            versions.extend(
                packages.iter().filter_map(|package| package.rsplit_once('@')).map(|(_, version)| version),
            );
        }
        let own = version(&launch.program)?;
        let version = versions.first().map_or(own.clone(), |first| format!("{first} on node {own}"));
        Ok(peer(version, protocol, launch))
    };
    match name {
        BASELINE => {
            let program = setup.checkout.program.clone();
            let launch = setup.launch(name, program, &["bench", "baseline-server"]);
            Ok(peer("bare epoll".to_owned(), Protocol::Http, launch))
        }
        LIVELINE | NUMBERED | RAW | TREE | TOPICS => of_program(setup, name, &liveline(setup)?),
        ACTORS => {
            let program = liveline(setup)?;
            let version = version(&program)?;
            Ok(peer(version, Protocol::WebSocket, super::actors::launch(setup, name, program)?))
        }
        WORKERD => {
            let program = workerd(setup)?;
            let launch = on_free_port(setup, name, program, &setup.script("workerd/config.capnp"), &[])?;
            Ok(peer(version(&launch.program)?, Protocol::Http, launch))
        }
        OBJECTS => {
            let program = workerd(setup)?;
            let version = version(&program)?;
            Ok(peer(version, Protocol::WebSocket, super::actors::launch(setup, name, program)?))
        }
        BUN => {
            let program = setup.npm_program("bun@1.4.5", "@oven", "bin/bun")?;
            let launch = setup.launch(name, program, &[&setup.script("bun.js")]);
            Ok(peer(version(&launch.program)?, Protocol::WebSocket, launch))
        }
        DENO => {
            let program = setup.npm_program("deno@2.9.6", "@deno", "deno")?;
            let arguments =
                ["run", "--quiet", "--no-config", "--no-lock", "--allow-net", &setup.script("deno.js")];
            let launch = setup.launch(name, program, &arguments);
            Ok(peer(version(&launch.program)?, Protocol::WebSocket, launch))
        }
        NODE => node(Protocol::Http, &[]),
        WS => node(Protocol::WebSocket, &["ws@8.23.0"]),
        UWS => node(Protocol::WebSocket, &["@rjweb/uws@1.5.0"]),
        SOCKET_IO => node(Protocol::SocketIo, &["socket.io@4.8.4"]),
        FASTIFY => node(Protocol::WebSocket, &["fastify@5.12.8", "@fastify/websocket@11.3.6"]),
        HONO => {
            node(Protocol::WebSocket, &["hono@4.13.19", "@hono/node-server@1.19.11", "@hono/node-ws@1.3.1"])
        }
        NCHAN => nchan::prepare(setup).map(|(version, launch)| peer(version, Protocol::Events, launch)),
        other => fail(format!("there is no peer `{other}`")),
    }
}

/// One of ours, of a program that is built already.
pub fn of_program(setup: &BenchSetup<'_>, name: &'static str, program: &Path) -> Outcome<Peer> {
    let (routes, protocol) = match name {
        TREE => ("fastify", Protocol::WebSocket),
        TOPICS => ("topics", Protocol::WebSocket),
        RAW => ("routes", Protocol::WebSocket),
        NUMBERED => ("routes", Protocol::NumberedLine),
        _ => ("routes", Protocol::Line),
    };
    let routes = setup.script(routes);
    let arguments = ["serve", &routes, "--host", "127.0.0.1", "--port", "0", "--workers", "1"];
    let launch = setup.launch(name, program.to_owned(), &arguments);
    Ok(Peer { name, version: version(program)?, launch, protocol })
}

fn workerd(setup: &BenchSetup<'_>) -> Outcome<PathBuf> {
    setup.npm_program("workerd@1.20261117.1", "@cloudflare", "bin/workerd")
}

/// workerd with a configuration. It does not report the port that the system has chosen.
pub fn on_free_port(
    setup: &BenchSetup<'_>,
    name: &str,
    program: PathBuf,
    config: &str,
    arguments: &[&str],
) -> Outcome<Launch> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let port = port.while_doing("looking for a free port")?.port();
    let address = format!("--socket-addr=http=127.0.0.1:{port}");
    let arguments = [&["serve", config, &address], arguments].concat();
    let launch = setup.launch(name, program, &arguments);
    Ok(Launch { ready: Ready::Accepts(port), ..launch })
}

/// The optimised program, or for a smoke run the one that is tested.
fn liveline(setup: &BenchSetup<'_>) -> Outcome<PathBuf> {
    if let Some(program) = env::var_os("LIVELINE_BIN") {
        return Ok(setup.checkout.caller.join(program));
    }
    let checkout = setup.checkout;
    let build = engine::choose(checkout, &Machine)?.build(checkout)?;
    if !setup.plan.smoke {
        return run::build(checkout, &build, run::Profile::Quick);
    }
    let mut cargo = checkout.cargo("build");
    complete(build.apply(&mut cargo).args(["--quiet", "--bin", "liveline"]))?;
    Ok(checkout.liveline(&checkout.target, "debug"))
}

/// The version that a program reports.
fn version(program: &Path) -> Outcome<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.while_doing(format_args!("starting {}", program.display()))?;
    Ok(version_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The first word that looks like a version.
fn version_in(text: &str) -> String {
    let is_version =
        |word: &&str| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    text.split_whitespace().find(is_version).unwrap_or("unknown").trim_start_matches('v').to_owned()
}

/// Builds an optimised xtask, because the load generator and the baseline must not be the limit.
pub fn build_optimised(checkout: &crate::checkout::Checkout) -> Outcome<PathBuf> {
    complete(checkout.cargo("build").args(["--quiet", "--release", "--package", "xtask"]))?;
    Ok(checkout.target.join("release/xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_every_peers_format_is_the_number() {
        assert_eq!(version_in("1.4.5\n"), "1.4.5");
        assert_eq!(version_in("deno 2.9.6 (stable, release, x86_64)\nv8 15.0\n"), "2.9.6");
        assert_eq!(version_in("v20.20.2\n"), "20.20.2");
        assert_eq!(version_in("liveline 0.1.0\n"), "0.1.0");
        assert_eq!(version_in(""), "unknown");
    }
}
